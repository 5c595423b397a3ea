package account_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/environment"
)

// needs are the rights with which CloudFormation creates, reads, updates and deletes a type of resource: the permissions
// of the handlers in its schema, which `aws cloudformation describe-type --type RESOURCE --type-name …` shows
// (CloudFormation CLI User Guide, "Resource type schema", handlers). Where a handler asks for Describe*, so do we.
var needs = map[string][]string{
	"AWS::AutoScaling::AutoScalingGroup": actions("autoscaling",
		"CreateAutoScalingGroup UpdateAutoScalingGroup DeleteAutoScalingGroup CreateOrUpdateTags DeleteTags DescribeAutoScalingGroups "+
			"EnableMetricsCollection DisableMetricsCollection PutNotificationConfiguration DeleteNotificationConfiguration "+
			"AttachLoadBalancerTargetGroups DetachLoadBalancerTargetGroups AttachLoadBalancers DetachLoadBalancers "+
			"AttachTrafficSources DetachTrafficSources PutLifecycleHook DeleteLifecycleHook StartInstanceRefresh "+
			"CancelInstanceRefresh SuspendProcesses ResumeProcesses",
		"cloudwatch:PutMetricAlarm", "ec2:DescribeLaunchTemplates", "ec2:RunInstances", "elasticloadbalancing:DescribeTargetGroups",
		"iam:CreateServiceLinkedRole", "iam:PassRole", "managed-fleets:GetAutoScalingGroup", "ssm:GetParameters", "vpc-lattice:RegisterTargets"),
	"AWS::AutoScaling::ScalingPolicy": actions("autoscaling", "PutScalingPolicy DeletePolicy DescribePolicies"),
	"AWS::EC2::EIP": actions("ec2", "AllocateAddress AcceptAddressTransfer DescribeAddresses AssociateAddress "+
		"DisassociateAddress ReleaseAddress CreateTags DeleteTags"),
	"AWS::EC2::Instance": actions("ec2", "RunInstances TerminateInstances DescribeInstances DescribeVolumes DescribeSubnets "+
		"DescribeLaunchTemplates DescribeLaunchTemplateVersions DescribeInstanceAttribute CreateTags DeleteTags "+
		"AssociateIamInstanceProfile DisassociateIamInstanceProfile ReplaceIamInstanceProfileAssociation AttachVolume DetachVolume "+
		"ModifyInstanceAttribute ModifyInstanceCreditSpecification ModifyInstanceMaintenanceOptions ModifyInstancePlacement "+
		"ModifyPrivateDnsNameOptions MonitorInstances UnmonitorInstances StartInstances StopInstances",
		"iam:PassRole", "ssm:CreateAssociation", "ssm:DescribeAssociation", "elastic-inference:DescribeAccelerators"),
	"AWS::EC2::InternetGateway": actions("ec2", "CreateInternetGateway DescribeInternetGateways DeleteInternetGateway CreateTags DeleteTags"),
	"AWS::EC2::LaunchTemplate": actions("ec2", "CreateLaunchTemplate CreateLaunchTemplateVersion DeleteLaunchTemplate "+
		"DescribeLaunchTemplates DescribeLaunchTemplateVersions CreateTags DeleteTags"),
	"AWS::EC2::NatGateway": actions("ec2", "CreateNatGateway DescribeNatGateways DeleteNatGateway CreateTags DeleteTags "+
		"AssociateNatGatewayAddress DisassociateNatGatewayAddress AssignPrivateNatGatewayAddress UnassignPrivateNatGatewayAddress"),
	"AWS::EC2::Route":      actions("ec2", "CreateRoute ReplaceRoute DeleteRoute DescribeRouteTables"),
	"AWS::EC2::RouteTable": actions("ec2", "CreateRouteTable DescribeRouteTables DeleteRouteTable CreateTags DeleteTags"),
	"AWS::EC2::SecurityGroup": actions("ec2", "CreateSecurityGroup DescribeSecurityGroups DeleteSecurityGroup "+
		"AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress RevokeSecurityGroupIngress RevokeSecurityGroupEgress "+
		"CreateTags DeleteTags DescribeInstances"),
	"AWS::EC2::Subnet": actions("ec2", "CreateSubnet ModifySubnetAttribute DescribeSubnets DescribeNetworkAcls DeleteSubnet "+
		"CreateTags DeleteTags AssociateSubnetCidrBlock DisassociateSubnetCidrBlock"),
	"AWS::EC2::SubnetRouteTableAssociation": actions("ec2", "AssociateRouteTable ReplaceRouteTableAssociation "+
		"DisassociateRouteTable DescribeSubnets DescribeRouteTables"),
	"AWS::EC2::VPC": actions("ec2", "CreateVpc ModifyVpcAttribute DescribeVpcs DescribeVpcAttribute DescribeNetworkAcls "+
		"DescribeSecurityGroups DeleteVpc CreateTags DeleteTags CreateVpcEncryptionControl ModifyVpcTenancy"),
	"AWS::EC2::VPCEndpoint": actions("ec2", "CreateVpcEndpoint ModifyVpcEndpoint DescribeVpcEndpoints DeleteVpcEndpoints"),
	"AWS::EC2::VPCGatewayAttachment": actions("ec2", "AttachInternetGateway DetachInternetGateway DescribeInternetGateways "+
		"AttachVpnGateway DetachVpnGateway DescribeVpnGateways"),
	"AWS::ElasticLoadBalancingV2::Listener": actions("elasticloadbalancing", "CreateListener ModifyListener "+
		"ModifyListenerAttributes DescribeListeners DescribeListenerAttributes DeleteListener", "cognito-idp:DescribeUserPoolClient"),
	"AWS::ElasticLoadBalancingV2::ListenerRule": actions("elasticloadbalancing", "CreateRule ModifyRule SetRulePriorities "+
		"DescribeRules DeleteRule AddTags RemoveTags DescribeTags", "cognito-idp:DescribeUserPoolClient"),
	"AWS::ElasticLoadBalancingV2::LoadBalancer": actions("elasticloadbalancing", "CreateLoadBalancer ModifyLoadBalancerAttributes "+
		"SetSubnets SetSecurityGroups SetIpAddressType DescribeLoadBalancers DescribeLoadBalancerAttributes DescribeTags "+
		"DeleteLoadBalancer AddTags RemoveTags"),
	"AWS::ElasticLoadBalancingV2::TargetGroup": actions("elasticloadbalancing", "CreateTargetGroup ModifyTargetGroup "+
		"ModifyTargetGroupAttributes DescribeTargetGroups DescribeTargetGroupAttributes DescribeTargetHealth DescribeTags "+
		"DeleteTargetGroup AddTags RemoveTags RegisterTargets DeregisterTargets", "ec2:DescribeVpcs"),
	"AWS::IAM::InstanceProfile": actions("iam", "CreateInstanceProfile GetInstanceProfile AddRoleToInstanceProfile "+
		"RemoveRoleFromInstanceProfile DeleteInstanceProfile PassRole"),
	"AWS::IAM::Role": actions("iam", "CreateRole GetRole UpdateRole UpdateRoleDescription UpdateAssumeRolePolicy DeleteRole "+
		"PutRolePolicy GetRolePolicy DeleteRolePolicy ListRolePolicies AttachRolePolicy DetachRolePolicy ListAttachedRolePolicies "+
		"PutRolePermissionsBoundary DeleteRolePermissionsBoundary TagRole UntagRole"),
}

// spared are permissions of handlers that our templates never come to need, by the reason. They are given to nobody.
var spared = map[string][]string{
	"our groups collect no metrics and notify nobody": actions("autoscaling",
		"EnableMetricsCollection DisableMetricsCollection PutNotificationConfiguration DeleteNotificationConfiguration"),
	"our groups stand behind target groups, not classic balancers": {"autoscaling:AttachLoadBalancers", "autoscaling:DetachLoadBalancers"},
	"releases replace groups, or roll; they refresh no instances":  {"autoscaling:StartInstanceRefresh", "autoscaling:CancelInstanceRefresh"},
	"properties that our templates do not have": {
		"managed-fleets:GetAutoScalingGroup", "vpc-lattice:RegisterTargets", "cognito-idp:DescribeUserPoolClient",
		"elastic-inference:DescribeAccelerators", "ssm:CreateAssociation", "ssm:DescribeAssociation",
		"elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets",
	},
	"launch templates name their image by its id":          {"ssm:GetParameters"},
	"addresses are made for NAT gateways, which take them": actions("ec2", "AcceptAddressTransfer AssociateAddress DisassociateAddress"),
	"NAT gateways have the one address that they start with": actions("ec2",
		"AssociateNatGatewayAddress DisassociateNatGatewayAddress AssignPrivateNatGatewayAddress UnassignPrivateNatGatewayAddress"),
	"networks have IPv4 only, are shared by tenants and not encrypted by us": actions("ec2",
		"AssociateSubnetCidrBlock DisassociateSubnetCidrBlock CreateVpcEncryptionControl ModifyVpcTenancy"),
	"there are no VPN gateways": {"ec2:AttachVpnGateway", "ec2:DetachVpnGateway"},
	"a changed release is another instance: none is changed in place": actions("ec2",
		"AssociateIamInstanceProfile DisassociateIamInstanceProfile ReplaceIamInstanceProfileAssociation AttachVolume DetachVolume "+
			"ModifyInstanceAttribute ModifyInstanceCreditSpecification ModifyInstanceMaintenanceOptions ModifyInstancePlacement "+
			"ModifyPrivateDnsNameOptions MonitorInstances UnmonitorInstances StartInstances StopInstances"),
	"roles of servers have inline policies, one trust for ever, and keep their boundary": actions("iam",
		"AttachRolePolicy DetachRolePolicy DeleteRolePermissionsBoundary UpdateRole UpdateRoleDescription UpdateAssumeRolePolicy"),
}

// beyond are rights that CloudFormation needs beside those of the handlers, by the reason.
var beyond = map[string][]string{
	"the first balancer of an account makes the service's role":                     {"iam:CreateServiceLinkedRole"},
	"a rolling update ends servers one by one":                                      {"autoscaling:TerminateInstanceInAutoScalingGroup"},
	"a scaling policy that follows a target makes alarms (Auto Scaling User Guide)": {"cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms"},
	"parameters of a template that stand for ssm:/path":                             {"ssm:GetParameters"},
}

func actions(service, names string, others ...string) []string {
	var all []string
	for _, name := range strings.Fields(names) {
		all = append(all, service+":"+name)
	}
	return append(all, others...)
}

// typesOf are the types of resources in templates of a kind.
func typesOf(t *testing.T, kind string) map[string]bool {
	t.Helper()
	templates := map[string]golden{}
	if kind == "test" {
		templates[kind] = made(t, environment.DefaultTest("shop").Template(environment.TestValues{Stack: "test-shop-11111111", Priority: 1, Commit: "11111111"}))
	} else {
		templates = goldens(t, kind)
	}
	types := map[string]bool{}
	for _, template := range templates {
		for _, resource := range template.Resources {
			types[resource.Type] = true
		}
	}
	return types
}

// TestServiceRolesFitTheTemplates: every type of resource in our templates has its rights, and there is no right that
// none of them needs.
func TestServiceRolesFitTheTemplates(t *testing.T) {
	t.Parallel()
	s := shapes(t)["first application"]
	unneeded := slices.Concat(slices.Collect(maps.Values(spared))...)
	for kind, role := range map[string]string{"base": "BaseRole", "servers": "ServersRole", "test": "TestRole"} {
		types := typesOf(t, kind)
		needed := slices.Concat(slices.Collect(maps.Values(beyond))...)
		for _, name := range slices.Sorted(maps.Keys(types)) {
			if needs[name] == nil {
				t.Errorf("templates of kind %s have %s: its rights are missing in this test and in account.yml", kind, name)
			}
			for _, action := range needs[name] {
				needed = append(needed, action)
				fixed := kind == "test" && action == "cloudwatch:PutMetricAlarm" // groups of test environments do not scale
				if !fixed && !slices.Contains(unneeded, action) && !s.allows(role, action) {
					t.Errorf("%s needs %s, and %s does not allow it", name, action, role)
				}
			}
		}
		for _, right := range s.rights(role) {
			for _, action := range right.Action {
				if right.Effect == "Allow" && !slices.ContainsFunc(needed, func(need string) bool { return like(action, need) }) {
					t.Errorf("%s allows %s, and no template needs it", role, action)
				}
			}
		}
		for reason, list := range spared {
			for _, action := range list {
				if s.allows(role, action) && (kind != "base" || action != "ssm:GetParameters") {
					t.Errorf("%s allows %s, though %s", role, action, reason)
				}
			}
		}
	}
}
