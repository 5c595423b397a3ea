package account_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	workspace  = "0a1b2c3d-0000-4000-8000-000000000001"
	repository = "0a1b2c3d-0000-4000-8000-000000000002"
	other      = "0a1b2c3d-0000-4000-8000-000000000003"
	staging    = "0a1b2c3d-0000-4000-8000-000000000004"
	production = "0a1b2c3d-0000-4000-8000-000000000005"
	issuer     = "api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc"
	provider   = "arn:aws:iam::111122223333:oidc-provider/" + issuer
)

var update = flag.Bool("update", false, "write testdata/rights.txt anew")

// shapes are the ways in which the template is used.
func shapes(t *testing.T) map[string]*stack {
	t.Helper()
	with := func(more map[string]any) *stack {
		parameters := map[string]any{
			"Application": "shop", "Workspace": "acme", "WorkspaceUuid": workspace, "RepositoryUuids": []any{repository, other},
		}
		for name, value := range more {
			parameters[name] = value
		}
		return open(t, parameters)
	}
	return map[string]*stack{
		"first application":   with(nil),
		"own network":         with(map[string]any{"BakeSubnet": "subnet-0abc", "BakeSecurityGroup": "sg-0abc"}),
		"own provider":        with(map[string]any{"OidcProviderArn": provider}),
		"further application": with(map[string]any{"Shared": "use"}),
		"environments":        with(map[string]any{"DeployEnvironmentUuids": []any{staging, production}}),
	}
}

func each(t *testing.T, check func(*testing.T, *stack)) {
	t.Helper()
	for name, s := range shapes(t) {
		t.Run(name, func(t *testing.T) { check(t, s) })
	}
}

func TestNothingReachesABuildServer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *stack) {
		for name, resource := range s.resources {
			if resource["Type"] == "AWS::EC2::SecurityGroupIngress" {
				t.Errorf("%s lets something in", name)
			}
			properties := s.properties(name)
			if properties["SecurityGroupIngress"] != nil {
				t.Errorf("%s lets something in", name)
			}
			if resource["Type"] != "AWS::EC2::SecurityGroup" {
				continue
			}
			// Without an outbound rule EC2 would add one that allows everything.
			var ports []string
			for _, rule := range properties["SecurityGroupEgress"].([]any) {
				r := rule.(map[string]any)
				ports = append(ports, fmt.Sprint(r["IpProtocol"], " ", r["FromPort"], "-", r["ToPort"]))
			}
			if diff := cmp.Diff([]string{"tcp 443-443", "tcp 80-80"}, ports); diff != "" {
				t.Errorf("%s, outbound rules (-want +got):\n%s", name, diff)
			}
		}
	})
}

func TestBucketIsClosed(t *testing.T) {
	t.Parallel()
	s := shapes(t)["first application"]
	bucket := s.properties("Bucket")
	want := map[string]any{"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true}
	if diff := cmp.Diff(want, bucket["PublicAccessBlockConfiguration"]); diff != "" {
		t.Errorf("public access (-want +got):\n%s", diff)
	}
	if bucket["BucketEncryption"] == nil || bucket["BucketName"] != "fearless-111122223333-eu-central-1" {
		t.Errorf("encryption %v, name %v", bucket["BucketEncryption"], bucket["BucketName"])
	}
	for _, name := range []string{"Bucket", "BucketPolicy"} {
		if s.resources[name]["DeletionPolicy"] != "Retain" || s.resources[name]["UpdateReplacePolicy"] != "Retain" {
			t.Errorf("%s goes with the stack", name)
		}
	}
	tls := statements(s.properties("BucketPolicy")["PolicyDocument"])[0]
	if tls.Effect != "Deny" || !slices.Equal(tls.Resource, []string{"<Bucket.Arn>", "<Bucket.Arn>/*"}) ||
		!cmp.Equal(tls.Condition, map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}}) {
		t.Errorf("requests without TLS are not denied: %+v", tls)
	}
	rules := fmt.Sprint(bucket["LifecycleConfiguration"])
	for _, passing := range []string{"bakes", "templates", "previews"} {
		if !strings.Contains(rules, "ExpirationInDays:7 Id:"+passing+" Prefix:"+passing+"/") {
			t.Errorf("what lies under %s/ does not expire: %s", passing, rules)
		}
	}
	if strings.Count(rules, "ExpirationInDays") != 3 {
		t.Errorf("more expires than what is passing: %s", rules)
	}
}

// statement is one of an IAM policy, with its lists as lists.
type statement struct {
	Sid, Effect      string
	Action, Resource []string
	Condition        map[string]any
}

func statements(document any) []statement {
	var list []statement
	for _, item := range document.(map[string]any)["Statement"].([]any) {
		raw := item.(map[string]any)
		s := statement{Action: texts(raw["Action"]), Resource: texts(raw["Resource"])}
		s.Sid, _ = raw["Sid"].(string)
		s.Effect, _ = raw["Effect"].(string)
		s.Condition, _ = raw["Condition"].(map[string]any)
		list = append(list, s)
	}
	return list
}

// roles are the roles in the order in which a reader wants them, and the boundary of roles of servers.
var roles = []string{
	"BakeRole", "BakeServerRole", "DeployRole", "RollbackRole", "PlanRole", "TestEnvRole", "BaseRole", "ServersRole", "TestRole", "ReaperRole", boundary,
}

const boundary = "ServerBoundary"

// rights are all statements of a role, or of the boundary.
func (s *stack) rights(role string) []statement {
	if document := s.properties(role)["PolicyDocument"]; document != nil {
		return statements(document)
	}
	var list []statement
	for _, policy := range s.properties(role)["Policies"].([]any) {
		list = append(list, statements(policy.(map[string]any)["PolicyDocument"])...)
	}
	return list
}

// What roles may do stands in the roles, where the other tests read it.
func TestRightsStandInRoles(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *stack) {
		for name, resource := range s.resources {
			switch resource["Type"] {
			case "AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::User":
				t.Errorf("%s: rights are given in the roles", name)
			case "AWS::IAM::ManagedPolicy":
				if p := s.properties(name); name != boundary || p["Roles"] != nil || p["Users"] != nil || p["Groups"] != nil {
					t.Errorf("%s gives rights to somebody", name)
				}
			case "AWS::IAM::Role":
				if !slices.Contains(roles, name) {
					t.Errorf("%s is not among the roles that these tests know", name)
				}
				if managed := s.properties(name)["ManagedPolicyArns"]; managed != nil {
					t.Errorf("%s takes over rights that nobody here wrote down: %v", name, managed)
				}
				// IAM counts 10,240 characters without white space for all inline policies of a role.
				if text, err := json.Marshal(s.properties(name)["Policies"]); err != nil || len(text) > 9000 {
					t.Errorf("%s: policies of %d characters: %v", name, len(text), err)
				}
			}
		}
	})
}

// Every right with its resources and conditions stands in a file of its own, where a reviewer sees what a change to
// the template gives away, and where the pipes' own tests compare it with the calls they make.
// `go test ./tools/account -update` writes it anew.
func TestRightsAreThoseOnRecord(t *testing.T) {
	t.Parallel()
	const record = "testdata/rights.txt"
	s := shapes(t)["first application"]
	var got strings.Builder
	for _, role := range roles {
		name := s.properties(role)["RoleName"]
		if role == boundary {
			name = s.properties(role)["ManagedPolicyName"]
		}
		fmt.Fprintf(&got, "%s\n", name)
		for _, right := range s.rights(role) {
			fmt.Fprintf(&got, "  %s %s\n", right.Effect, strings.Join(right.Action, ", "))
			for _, resource := range right.Resource {
				fmt.Fprintf(&got, "    on %s\n", resource)
			}
			for _, operator := range slices.Sorted(maps.Keys(right.Condition)) {
				keys := right.Condition[operator].(map[string]any)
				for _, key := range slices.Sorted(maps.Keys(keys)) {
					fmt.Fprintf(&got, "    if %s %s %v\n", key, operator, keys[key])
				}
			}
		}
	}
	if *update {
		if err := os.WriteFile(record, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("rights (-on record +in the template):\n%s", diff)
	}
}

func TestRightsNameTheirResources(t *testing.T) {
	t.Parallel()
	// These actions know no resources.
	everywhere := []string{
		"sts:GetCallerIdentity", "ec2:DescribeImages", "ec2:DescribeInstances", "ec2:DescribeLaunchTemplateVersions", "ec2:DescribeSnapshots",
		"ec2:Describe*", "cloudwatch:DescribeAlarms",
		"autoscaling:Describe*", "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeScalingActivities",
		"elasticloadbalancing:Describe*", "elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:DescribeListeners",
		"elasticloadbalancing:DescribeRules", "cloudformation:ListStacks", "scheduler:ListSchedules",
	}
	each(t, func(t *testing.T, s *stack) {
		for _, role := range roles {
			if s.resources[role] == nil {
				continue
			}
			for _, right := range s.rights(role) {
				if right.Effect == "Allow" && len(right.Resource) == 0 {
					t.Errorf("%s: %s names no resource", role, right.Sid)
				}
				for _, action := range right.Action {
					if right.Effect == "Allow" && slices.Contains(right.Resource, "*") && !slices.Contains(everywhere, action) {
						t.Errorf("%s: %s on everything", role, action)
					}
				}
			}
		}
	})
}

func TestServersStartInTheBakeNetworkOnly(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:ec2:eu-central-1:111122223333:"
	want := map[string][]string{
		"first application":   {arn + "subnet/<SubnetA>", arn + "subnet/<SubnetB>", arn + "security-group/<SecurityGroup>"},
		"own network":         {arn + "subnet/subnet-0abc", arn + "security-group/sg-0abc"},
		"own provider":        {arn + "subnet/<SubnetA>", arn + "subnet/<SubnetB>", arn + "security-group/<SecurityGroup>"},
		"environments":        {arn + "subnet/<SubnetA>", arn + "subnet/<SubnetB>", arn + "security-group/<SecurityGroup>"},
		"further application": {"<import fearless-bake-network>"},
	}
	for name, s := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			var places, servers []string
			for _, right := range s.rights("BakeRole") {
				if !slices.Contains(right.Action, "ec2:RunInstances") {
					continue
				}
				for _, resource := range right.Resource {
					switch {
					case strings.Contains(resource, ":subnet/"), strings.Contains(resource, ":security-group/"), strings.HasPrefix(resource, "<import"):
						places = append(places, resource)
					case strings.Contains(resource, ":instance/"):
						servers = append(servers, right.Sid)
						equals := right.Condition["StringEquals"].(map[string]any)
						if equals["aws:RequestTag/fearless:application"] != "shop" || equals["ec2:MetadataHttpTokens"] != "required" {
							t.Errorf("%s starts servers that are not ours, or with the old metadata service: %v", right.Sid, right.Condition)
						}
					}
				}
			}
			if diff := cmp.Diff(want[name], places); diff != "" || len(servers) != 1 {
				t.Errorf("subnets and groups (-want +got), %d statements for servers:\n%s", len(servers), diff)
			}
			// What a further application imports is what the first one exports.
			if output := s.outputs["BakeNetwork"]; output != nil && output["Value"] != strings.Join(want[name], ",") {
				t.Errorf("exported: %v", output["Value"])
			}
		})
	}
}

func TestOnlyTheRepositoriesMay(t *testing.T) {
	t.Parallel()
	providers := map[string]string{
		"first application": "<OidcProvider>", "own network": "<OidcProvider>", "own provider": provider,
		"further application": provider, "environments": "<OidcProvider>",
	}
	for name, s := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			for _, role := range []string{"BakeRole", "PlanRole", "DeployRole", "RollbackRole", "TestEnvRole"} {
				var trust map[string]any
				if err := json.Unmarshal([]byte(s.properties(role)["AssumeRolePolicyDocument"].(string)), &trust); err != nil {
					t.Fatal(err)
				}
				condition := map[string]any{
					"StringEquals": map[string]any{issuer + ":aud": "ari:cloud:bitbucket::workspace/" + workspace},
					"StringLike":   map[string]any{issuer + ":sub": []any{"{" + repository + "}:*", "{" + other + "}:*"}},
				}
				if role == "DeployRole" {
					environments := []any{"*"}
					if name == "environments" {
						environments = []any{"*:{" + staging + "}:*", "*:{" + production + "}:*"}
					}
					condition["StringLikeIfExists"] = map[string]any{issuer + ":sub": environments}
				}
				want := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
					"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
					"Principal": map[string]any{"Federated": providers[name]}, "Condition": condition,
				}}}
				if diff := cmp.Diff(want, trust); diff != "" {
					t.Errorf("%s, trust (-want +got):\n%s", role, diff)
				}
			}
			if (s.resources["OidcProvider"] != nil) != (providers[name] == "<OidcProvider>") {
				t.Errorf("identity provider made: %v", s.resources["OidcProvider"] != nil)
			}
		})
	}
}

// The pipes find these by name.
func TestNames(t *testing.T) {
	t.Parallel()
	for name, s := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			for role, want := range map[string]string{
				"BakeRole": "fearless-shop-ami-bake", "DeployRole": "fearless-shop-deploy-env", "PlanRole": "fearless-shop-plan",
				"RollbackRole": "fearless-shop-rollback", "TestEnvRole": "fearless-shop-test-env",
			} {
				if got := s.properties(role)["RoleName"]; got != want {
					t.Errorf("role %v, want %s", got, want)
				}
			}
			for parameter, want := range map[string][2]string{
				"BaseRoleParameter":       {"/fearless/deploy/shop/base-role", "<BaseRole.Arn>"},
				"ServersRoleParameter":    {"/fearless/deploy/shop/servers-role", "<ServersRole.Arn>"},
				"ServerBoundaryParameter": {"/fearless/deploy/shop/server-boundary", "<ServerBoundary>"},
				"TestRoleParameter":       {"/fearless/test/shop/service-role", "<TestRole.Arn>"},
				"ReaperRoleParameter":     {"/fearless/test/shop/schedule-role", "<ReaperRole.Arn>"},
			} {
				if p := s.properties(parameter); p["Name"] != want[0] || p["Value"] != want[1] {
					t.Errorf("%s is %v: %v", parameter, p["Name"], p["Value"])
				}
			}
			if name == "further application" {
				if len(s.resources) != 15 {
					t.Errorf("a further application brings its roles, their boundary and names only, not %d resources", len(s.resources))
				}
				return
			}
			if got := s.properties("ScheduleGroup")["Name"]; got != "fearless" {
				t.Errorf("group of schedules %v", got)
			}
			subnet, group := s.properties("SubnetParameter"), s.properties("SecurityGroupParameter")
			if subnet["Name"] != "/fearless/bake/subnet" || group["Name"] != "/fearless/bake/security-group" {
				t.Errorf("parameters %v and %v", subnet["Name"], group["Name"])
			}
			if name == "own network" && (subnet["Value"] != "subnet-0abc" || group["Value"] != "sg-0abc" || s.resources["Network"] != nil) {
				t.Errorf("the given network is not used: %v, %v", subnet, group)
			}
			if got := s.properties("BakeServerProfile")["InstanceProfileName"]; got != "fearless-bake-server" {
				t.Errorf("instance profile %v", got)
			}
		})
	}
}
