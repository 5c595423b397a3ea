package account_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/environment"
)

// AWS takes a template of 1 MB from a bucket, and account.yml says how it gets there.
func TestFitsIntoAnObject(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../account.yml")
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 1_000_000 {
		t.Errorf("%d bytes", len(text))
	}
	if !strings.Contains(string(text), "--template-file account.yml --s3-bucket") {
		t.Error("account.yml does not say how a template of more than 51,200 bytes is deployed")
	}
}

// allows tells whether a role may do something at all, wherever.
func (s *stack) allows(role, action string) bool {
	return slices.ContainsFunc(s.rights(role), func(right statement) bool {
		return right.Effect == "Allow" && slices.ContainsFunc(right.Action, func(pattern string) bool { return like(pattern, action) })
	})
}

// like compares with an IAM pattern. Actions and ARNs of ours hold no character that path.Match would take for more,
// but slashes, which a star of IAM goes across.
func like(pattern, text string) bool {
	flat := strings.NewReplacer("/", "|")
	ok, err := path.Match(flat.Replace(pattern), flat.Replace(text))
	return err == nil && ok
}

// A pull request's pipeline may take this role: it must not be able to change anything.
func TestPlanChangesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *stack) {
		for _, action := range []string{
			"cloudformation:ExecuteChangeSet", "cloudformation:DeleteStack", "cloudformation:CreateStack", "cloudformation:UpdateStack",
			"cloudformation:ContinueUpdateRollback", "cloudformation:CancelUpdateStack", "iam:PassRole", "autoscaling:SetDesiredCapacity",
		} {
			if s.allows("PlanRole", action) {
				t.Errorf("the plan role may %s", action)
			}
		}
		for _, right := range s.rights("PlanRole") {
			for _, resource := range right.Resource {
				if slices.Contains(right.Action, "s3:PutObject") && !strings.Contains(resource, "/previews/shop/") {
					t.Errorf("the plan role writes to %s, where a deploy may read", resource)
				}
			}
		}
	})
}

// Whoever deploys the application cannot reach the stacks, groups and objects of others.
func TestDeployKeepsToItsApplication(t *testing.T) {
	t.Parallel()
	reading := regexp.MustCompile(`^(sts:Get|[a-z0-9]+:Describe)`)
	each(t, func(t *testing.T, s *stack) {
		for _, right := range s.rights("DeployRole") {
			if right.Effect != "Allow" || !slices.ContainsFunc(right.Action, func(a string) bool { return !reading.MatchString(a) }) {
				continue
			}
			for _, resource := range right.Resource {
				own := strings.Contains(resource, "shop") || strings.Contains(resource, ":changeSet/fearless-*/*")
				if condition := fmt.Sprint(right.Condition); !own && !strings.Contains(condition, "shop/*") && !strings.Contains(condition, "aws:ResourceTag/fearless:application:shop") {
					t.Errorf("%s on %s if %s", right.Sid, resource, condition)
				}
			}
		}
		var passed []string
		for _, right := range s.rights("DeployRole") {
			if slices.Contains(right.Action, "iam:PassRole") {
				passed = append(passed, right.Resource...)
				if fmt.Sprint(right.Condition) != "map[StringEquals:map[iam:PassedToService:cloudformation.amazonaws.com]]" {
					t.Errorf("roles are handed over to anybody: %v", right.Condition)
				}
			}
		}
		if got := strings.Join(passed, " "); got != "arn:aws:iam::111122223333:role/fearless-shop-base arn:aws:iam::111122223333:role/fearless-shop-servers" {
			t.Errorf("hands over %s", got)
		}
	})
}

// CloudFormation alone takes the service roles, and that of the servers knows no data.
func TestServiceRoles(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *stack) {
		for _, role := range []string{"BaseRole", "ServersRole", "TestRole"} {
			trust := fmt.Sprint(s.properties(role)["AssumeRolePolicyDocument"])
			if want := "Principal:map[Service:cloudformation.amazonaws.com]"; strings.Count(trust, "Principal") != 1 || !strings.Contains(trust, want) {
				t.Errorf("%s trusts %s", role, trust)
			}
		}
		for _, role := range []string{"ServersRole", "TestRole"} {
			s.checkNoData(t, role)
		}
	})
}

// checkNoData: a role that makes groups of servers touches neither data nor what is the base's.
func (s *stack) checkNoData(t *testing.T, role string) {
	t.Helper()
	data := []string{"rds", "elasticache", "secretsmanager", "s3", "ssm", "kms", "dynamodb", "backup", "sqs", "route53"}
	denied := map[string]bool{}
	for _, right := range s.rights(role) {
		for _, action := range right.Action {
			service, name, _ := strings.Cut(action, ":")
			switch {
			case right.Effect == "Deny" && name == "*" && slices.Equal(right.Resource, []string{"*"}):
				denied[service] = true
			case right.Effect == "Allow" && slices.Contains(data, service):
				t.Errorf("%s may %s", role, action)
			case right.Effect == "Allow" && service == "iam" && name != "PassRole" && name != "CreateServiceLinkedRole":
				t.Errorf("%s may %s, which is the base's", role, action)
			case right.Effect == "Allow" && service == "ec2" && regexp.MustCompile("Vpc|Subnet|Route|Gateway|Address|SecurityGroup").MatchString(name):
				t.Errorf("%s may %s, which is the base's", role, action)
			}
		}
	}
	if !denied["rds"] || !denied["elasticache"] || !denied["secretsmanager"] {
		t.Errorf("data is not denied to %s: %v", role, denied)
	}
}

// Roles of servers are made with the boundary only, and stay below it.
func TestRolesOfServersStayBelowTheirBoundary(t *testing.T) {
	t.Parallel()
	guarded := []string{"iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:DeleteRolePolicy"}
	never := []string{"iam:AttachRolePolicy", "iam:DeleteRolePermissionsBoundary", "iam:CreatePolicyVersion", "iam:CreatePolicy", "iam:CreateUser", "iam:UpdateAssumeRolePolicy"}
	each(t, func(t *testing.T, s *stack) {
		for _, action := range never {
			if s.allows("BaseRole", action) {
				t.Errorf("the base's role may %s", action)
			}
		}
		for _, right := range s.rights("BaseRole") {
			for _, action := range right.Action {
				if !strings.HasPrefix(action, "iam:") || action == "iam:CreateServiceLinkedRole" {
					continue
				}
				for _, resource := range right.Resource {
					if !strings.Contains(resource, "/shop-*") {
						t.Errorf("%s on %s", action, resource)
					}
				}
				if slices.Contains(guarded, action) && fmt.Sprint(right.Condition) != "map[StringEquals:map[iam:PermissionsBoundary:<ServerBoundary>]]" {
					t.Errorf("%s without the boundary: %v", action, right.Condition)
				}
			}
		}
	})
}

// What the templates give to servers must lie within the boundary, or servers of a real account could do less than
// those of every test.
func TestBoundaryLeavesServersTheirRights(t *testing.T) {
	t.Parallel()
	s := shapes(t)["first application"]
	bases := goldens(t, "base")
	testing, err := environment.Load("environments/testing.yml", "shop", []byte("settings: [/shop/testing]\nroles: {web: {http: {}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	bases["testing, whose rights servers of test environments share,"] = made(t, testing.Base())
	for name, template := range bases {
		role, ok := template.Resources["InstanceRole"]
		if !ok {
			continue
		}
		for _, policy := range role.Properties["Policies"].([]any) {
			for _, right := range statements(policy.(map[string]any)["PolicyDocument"]) {
				for _, action := range right.Action {
					for _, resource := range right.Resource {
						if !s.within(action, resource) {
							t.Errorf("%s gives its servers %s on %s, which the boundary forbids", name, action, resource)
						}
					}
				}
			}
		}
	}
}

// within tells whether the boundary allows an action on a resource, which may itself be a pattern.
func (s *stack) within(action, resource string) bool {
	return slices.ContainsFunc(s.rights(boundary), func(right statement) bool {
		return slices.Contains(right.Action, action) && slices.ContainsFunc(right.Resource, func(pattern string) bool { return like(pattern, resource) })
	})
}

// golden is a template that package environment makes.
type golden struct {
	Resources map[string]struct {
		Type       string
		Properties map[string]any
	}
}

// goldens are the templates of a kind (base, servers) that package environment holds itself to, with Fn::Sub carried
// out. Their application is shop, like that of these tests.
func goldens(t *testing.T, kind string) map[string]golden {
	t.Helper()
	names, err := filepath.Glob("../../shared/environment/testdata/*." + kind + ".json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	templates := map[string]golden{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		templates[filepath.Base(name)] = evaluated(t, text)
	}
	return templates
}

// made is a template of package environment that no file holds.
func made(t *testing.T, template *environment.Template) golden {
	t.Helper()
	text, err := template.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return evaluated(t, text)
}

func evaluated(t *testing.T, text []byte) golden {
	t.Helper()
	substitute := regexp.MustCompile(`\{\s*"Fn::Sub":\s*("(?:[^"\\]|\\.)*")\s*\}`)
	filled := strings.NewReplacer("${AWS::Partition}", "aws", "${AWS::Region}", "eu-central-1", "${AWS::AccountId}", "111122223333").
		Replace(string(substitute.ReplaceAll(text, []byte("$1"))))
	var g golden
	if err := json.Unmarshal([]byte(filled), &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// The ledger only grows: no role may remove a record, and the bucket refuses whoever would write over one.
func TestLedgerIsWrittenOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *stack) {
		for _, role := range slices.DeleteFunc(slices.Clone(roles), func(role string) bool { return s.resources[role] == nil }) {
			for _, right := range s.rights(role) {
				touches := right.Effect == "Allow" && slices.ContainsFunc(right.Resource, func(pattern string) bool {
					return like(pattern, "arn:aws:s3:::fearless-111122223333-eu-central-1/ledger/shop/production/x.json")
				})
				for _, action := range right.Action {
					switch {
					case !touches, action != "*" && !strings.HasPrefix(action, "s3:"), action == "s3:GetObject":
					case (role == "DeployRole" || role == "RollbackRole") && action == "s3:PutObject" && fmt.Sprint(right.Condition) == "map[Null:map[s3:if-none-match:false]]":
					default:
						t.Errorf("%s may %s in the ledger if %v", role, action, right.Condition)
					}
				}
			}
		}
	})
}
