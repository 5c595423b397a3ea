package environment_test

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/environment"
)

// content is a template as CloudFormation reads it.
type content struct {
	Parameters, Conditions, Outputs map[string]any
	Resources                       map[string]struct {
		Type, Condition              string
		DependsOn                    []string
		Properties                   map[string]any
		CreationPolicy, UpdatePolicy map[string]any
	}
}

func read(t *testing.T, template *environment.Template) content {
	t.Helper()
	var c content
	if err := json.Unmarshal(text(t, template), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func both(t *testing.T, name string) (base, servers content) {
	t.Helper()
	f := load(t, filepath.Join("testdata", "files", name+".yml"), "shop")
	return read(t, f.Base()), read(t, f.Servers(values))
}

func ids[T any](of map[string]T) string {
	return strings.Join(slices.Sorted(maps.Keys(of)), " ")
}

// CloudFormation replaces what is called differently: a network, a balancer
// with its name in the DNS, all servers. So these names stay for ever.
func TestLogicalIDs(t *testing.T) {
	t.Parallel()
	base, servers := both(t, "production")
	zones, _ := both(t, "zones")
	staging, _ := both(t, "staging")
	shared, alone := both(t, "shared")
	for _, test := range []struct{ got, want string }{
		{ids(base.Resources), "Balancer BalancerSecurityGroup BucketEndpoint HttpListener HttpsListener InstanceProfile InstanceRole " +
			"InternetGateway InternetGatewayAttachment Nat1 NatAddress1 PrivateDefaultRoute1 PrivateDefaultRoute2 PrivateDefaultRoute3 " +
			"PrivateRoutes1 PrivateRoutes2 PrivateRoutes3 PrivateSubnet1 PrivateSubnet1Routes PrivateSubnet2 PrivateSubnet2Routes " +
			"PrivateSubnet3 PrivateSubnet3Routes PublicDefaultRoute PublicRoutes PublicSubnet1 PublicSubnet1Routes PublicSubnet2 " +
			"PublicSubnet2Routes PublicSubnet3 PublicSubnet3Routes ServerSecurityGroup Vpc"},
		{ids(base.Outputs), "BalancerDns BalancerSubnets BalancerZone HostNames InstanceProfileArn ListenerArn ServerSecurityGroup Subnets VpcId"},
		{ids(base.Parameters), "CertificateArn Protect ServerBoundary"},
		{ids(zones.Resources), "Balancer BalancerSecurityGroup BucketEndpoint HttpListener InstanceProfile InstanceRole " +
			"InternetGateway InternetGatewayAttachment Nat1 Nat2 NatAddress1 NatAddress2 PrivateDefaultRoute1 PrivateDefaultRoute2 " +
			"PrivateRoutes1 PrivateRoutes2 PrivateSubnet1 PrivateSubnet1Routes PrivateSubnet2 PrivateSubnet2Routes " +
			"PublicDefaultRoute PublicRoutes PublicSubnet1 PublicSubnet1Routes PublicSubnet2 PublicSubnet2Routes ServerSecurityGroup Vpc"},
		{ids(staging.Resources), "Balancer BalancerSecurityGroup BucketEndpoint HttpListener InstanceProfile InstanceRole " +
			"InternetGateway InternetGatewayAttachment PublicDefaultRoute PublicRoutes PublicSubnet1 PublicSubnet1Routes PublicSubnet2 " +
			"PublicSubnet2Routes ServerSecurityGroup Vpc"},
		{ids(staging.Parameters), "ServerBoundary"},
		{ids(shared.Resources), "ServerSecurityGroup"},
		{ids(shared.Outputs), "BalancerSubnets HostNames InstanceProfileArn ListenerArn ServerSecurityGroup Subnets VpcId"},
		{ids(shared.Parameters), "BalancerSecurityGroup BalancerSubnets InstanceProfileArn ListenerArn Subnets VpcId"},
		{ids(alone.Resources), "Release ReleaseTemplate WebGroup WebRule WebTargets WebTemplate WorkerGroup WorkerTemplate"},
		{ids(servers.Resources), "BlogApiGroup BlogApiRule BlogApiTargets BlogApiTemplate MailGroup MailTemplate Release ReleaseTemplate " +
			"SchedulerGroup SchedulerTemplate WebGroup WebRule WebScaling WebTargets WebTemplate WorkerGroup WorkerScaling WorkerTemplate"},
		{ids(servers.Parameters), "BlogApiCapacity Commit ImageId InstanceProfileArn ListenerArn MailCapacity RunRelease SchedulerCapacity " +
			"ServerSecurityGroup SettingsDigest Subnets VpcId WebCapacity WorkerCapacity"},
		{ids(servers.Outputs), "Commit ImageId"},
	} {
		if diff := cmp.Diff(strings.Fields(test.want), strings.Fields(test.got)); diff != "" {
			t.Error(diff)
		}
	}
}

// used are the types and properties that the templates may contain; another
// one is a right of the service roles and a line of the local cloud more.
var used = map[string]string{
	"AWS::EC2::VPC":                             "CidrBlock EnableDnsSupport EnableDnsHostnames Tags",
	"AWS::EC2::InternetGateway":                 "Tags",
	"AWS::EC2::VPCGatewayAttachment":            "VpcId InternetGatewayId",
	"AWS::EC2::Subnet":                          "VpcId CidrBlock AvailabilityZone MapPublicIpOnLaunch Tags",
	"AWS::EC2::RouteTable":                      "VpcId Tags",
	"AWS::EC2::Route":                           "RouteTableId DestinationCidrBlock GatewayId NatGatewayId",
	"AWS::EC2::SubnetRouteTableAssociation":     "SubnetId RouteTableId",
	"AWS::EC2::VPCEndpoint":                     "VpcId ServiceName RouteTableIds VpcEndpointType",
	"AWS::EC2::EIP":                             "Domain Tags",
	"AWS::EC2::NatGateway":                      "SubnetId AllocationId Tags",
	"AWS::EC2::SecurityGroup":                   "GroupDescription VpcId SecurityGroupIngress SecurityGroupEgress Tags",
	"AWS::EC2::LaunchTemplate":                  "LaunchTemplateData",
	"AWS::EC2::Instance":                        "SubnetId LaunchTemplate Tags",
	"AWS::ElasticLoadBalancingV2::LoadBalancer": "Scheme Type Subnets SecurityGroups LoadBalancerAttributes Tags",
	"AWS::ElasticLoadBalancingV2::TargetGroup": "VpcId Protocol Port TargetType HealthCheckPath HealthCheckProtocol HealthCheckPort HealthCheckIntervalSeconds " +
		"HealthCheckTimeoutSeconds HealthyThresholdCount UnhealthyThresholdCount Matcher TargetGroupAttributes Tags",
	"AWS::ElasticLoadBalancingV2::Listener":     "LoadBalancerArn Port Protocol Certificates SslPolicy DefaultActions",
	"AWS::ElasticLoadBalancingV2::ListenerRule": "ListenerArn Priority Conditions Actions",
	"AWS::AutoScaling::AutoScalingGroup": "MinSize MaxSize DesiredCapacity VPCZoneIdentifier LaunchTemplate TargetGroupARNs HealthCheckType " +
		"HealthCheckGracePeriod LifecycleHookSpecificationList Tags",
	"AWS::AutoScaling::ScalingPolicy": "AutoScalingGroupName PolicyType TargetTrackingConfiguration",
	"AWS::IAM::Role":                  "AssumeRolePolicyDocument PermissionsBoundary Policies Tags",
	"AWS::IAM::InstanceProfile":       "Roles",
}

func TestTypesAndProperties(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"staging", "production", "shared", "zones"} {
		base, servers := both(t, name)
		for _, c := range []content{base, servers} {
			for id, r := range c.Resources {
				allowed, known := used[r.Type]
				if !known {
					t.Errorf("%s: %s", id, r.Type)
				}
				for property := range r.Properties {
					if !slices.Contains(strings.Fields(allowed), property) {
						t.Errorf("%s: %s of %s", id, property, r.Type)
					}
				}
			}
		}
	}
}

// The release process comes first, then what has no http, then what has, and
// at last the scheduler, whose end is a gap.
func TestOrder(t *testing.T) {
	t.Parallel()
	_, servers := both(t, "production")
	want := map[string][]string{
		"WorkerGroup":    nil,
		"MailGroup":      nil,
		"WebGroup":       {"MailGroup", "WebRule", "WorkerGroup"},
		"BlogApiGroup":   {"BlogApiRule", "MailGroup", "WorkerGroup"},
		"SchedulerGroup": {"BlogApiGroup", "MailGroup", "WebGroup", "WorkerGroup"},
	}
	for id, r := range servers.Resources {
		if r.Type != "AWS::AutoScaling::AutoScalingGroup" {
			continue
		}
		if diff := cmp.Diff(want[id], r.DependsOn); diff != "" {
			t.Errorf("%s: %s", id, diff)
		}
		waits := map[string]any{"Fn::If": []any{"ReleaseRuns", map[string]any{"Ref": "Release"}, "none"}}
		if !slices.ContainsFunc(r.Properties["Tags"].([]any), func(tag any) bool { return cmp.Equal(tag.(map[string]any)["Value"], any(waits)) }) {
			t.Errorf("%s does not wait for the release process", id)
		}
		_, replaces := r.UpdatePolicy["AutoScalingReplacingUpdate"]
		_, rolls := r.UpdatePolicy["AutoScalingRollingUpdate"]
		if one := id == "SchedulerGroup"; replaces == one || rolls != one {
			t.Errorf("%s: %v", id, r.UpdatePolicy)
		}
		signal, _ := r.CreationPolicy["ResourceSignal"].(map[string]any)
		if diff := cmp.Diff(map[string]any{"Ref": strings.TrimSuffix(id, "Group") + "Capacity"}, signal["Count"]); diff != "" {
			t.Errorf("%s: %s", id, diff)
		}
	}
}

// userData does what Fn::Sub does, and reads what a server would read.
func userData(t *testing.T, c content, template string) contract.UserData {
	t.Helper()
	launch := c.Resources[template].Properties["LaunchTemplateData"].(map[string]any)
	text := launch["UserData"].(map[string]any)["Fn::Base64"].(map[string]any)["Fn::Sub"].(string)
	text = regexp.MustCompile(`\$\{[^}]*\}`).ReplaceAllStringFunc(text, func(name string) string { return "<" + strings.Trim(name, "${}") + ">" })
	u, err := contract.ParseUserData([]byte(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return u
}

func TestUserData(t *testing.T) {
	t.Parallel()
	_, servers := both(t, "production")
	want := contract.UserData{
		Contract: contract.Version, Application: "shop", Environment: "production", Role: "web", Processes: []string{"web"},
		Stack: "<AWS::StackName>", Resource: "WebGroup", TargetGroups: []string{"<WebTargets>"}, HealthPath: "/healthz",
		SettingsPaths: []string{"/shop/common", "/shop/production"}, PublicHosts: []string{"shop.example.com", "*.shop.example.com"},
		Commit: "<Commit>", Drain: 60, Ready: `test -f "${READY:-/tmp/ready}"`, Region: "<AWS::Region>",
		Logs:   "s3://fearless-<AWS::AccountId>-<AWS::Region>/logs/shop/production",
		Signal: true, ReadyTimeout: 300, Hook: "drain",
	}
	if diff := cmp.Diff(want, userData(t, servers, "WebTemplate")); diff != "" {
		t.Error(diff)
	}
	blog := userData(t, servers, "BlogApiTemplate")
	if !cmp.Equal(blog.Ports, map[string]int{"web": 8080}) || !cmp.Equal(blog.Processes, []string{"web", "clock"}) || !cmp.Equal(blog.PublicHosts, []string{"shop.example.com"}) {
		t.Errorf("got %+v", blog)
	}
	release := userData(t, servers, "ReleaseTemplate")
	if !release.Release || !release.Signal || release.Resource != "Release" || release.ReadyTimeout != 1800 || release.Hook != "" || release.TargetGroups != nil {
		t.Errorf("got %+v", release)
	}
	if scheduler := userData(t, servers, "SchedulerTemplate"); !scheduler.Singleton || scheduler.HealthPath != "" {
		t.Errorf("got %+v", scheduler)
	}
	if _, zones := both(t, "zones"); userData(t, zones, "AllTemplate").Processes != nil {
		t.Error("the role all names its processes")
	}
}

// A server may do nothing to others, and look around only where AWS cannot
// tell things apart.
func TestRights(t *testing.T) {
	t.Parallel()
	base, _ := both(t, "production")
	data, err := json.Marshal(base.Resources["InstanceRole"].Properties["Policies"])
	if err != nil {
		t.Fatal(err)
	}
	var policies []struct {
		PolicyDocument struct {
			Statement []struct {
				Action   any
				Resource any
			}
		}
	}
	if err := json.Unmarshal(data, &policies); err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, s := range policies[0].PolicyDocument.Statement {
		list, several := s.Action.([]any)
		if !several {
			list = []any{s.Action}
		}
		for _, a := range list {
			action := a.(string)
			actions = append(actions, action)
			if s.Resource == "*" && !strings.Contains(action, ":Describe") || strings.Contains(action, "*") {
				t.Errorf("%s on %v", action, s.Resource)
			}
		}
	}
	slices.Sort(actions)
	want := []string{
		"autoscaling:CompleteLifecycleAction", "autoscaling:DescribeAutoScalingGroups", "cloudformation:SignalResource",
		"ec2:DescribeInstances", "elasticloadbalancing:DescribeTargetHealth", "s3:PutObject", "ssm:GetParametersByPath",
	}
	if diff := cmp.Diff(want, actions); diff != "" {
		t.Error(diff)
	}
}
