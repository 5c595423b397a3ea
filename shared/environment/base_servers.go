package environment

import "slices"

// Logical ids of what servers may do.
const (
	idServerGroup = "ServerSecurityGroup"
	idRole        = "InstanceRole"
	idProfile     = "InstanceProfile"

	conditionBoundary = "HasServerBoundary"
)

func (f *File) baseServers(t *Template, n site) {
	group := object{
		"GroupDescription": "Servers of " + f.ServersStack(), "VpcId": n.vpc, "Tags": f.named("servers"),
	}
	if f.Balancer != nil {
		// All ports that a process without root can open, so that a role may
		// move to another one while servers still listen on the old one. Nobody
		// but the balancer comes in.
		group["SecurityGroupIngress"] = []any{object{
			"IpProtocol": "tcp", "FromPort": lowestPort, "ToPort": highestPort,
			"SourceSecurityGroupId": ref(idBalancerGroup), "Description": "balancer",
		}}
	}
	t.add(idServerGroup, resource{Type: "AWS::EC2::SecurityGroup", Properties: group})
	t.output(OutputServerGroup, "Security group of servers", ref(idServerGroup))
	if f.Profile != nil {
		t.output(OutputProfile, "What servers may do", t.one(OutputProfile, "The instance profile that is used", *f.Profile))
		return
	}
	t.parameter(Parameter{Name: Boundary, Type: typeString, Value: NoBoundary}, "The most that servers may be allowed to do, or none")
	t.body.Conditions[conditionBoundary] = object{"Fn::Not": []any{object{"Fn::Equals": []any{ref(Boundary), NoBoundary}}}}
	t.add(idRole, resource{Type: "AWS::IAM::Role", Properties: object{
		"PermissionsBoundary": object{"Fn::If": []any{conditionBoundary, ref(Boundary), ref("AWS::NoValue")}},
		"AssumeRolePolicyDocument": policy(object{
			"Effect": "Allow", "Principal": object{"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole",
		}),
		"Policies": []any{object{"PolicyName": "server", "PolicyDocument": policy(f.rights()...)}},
		"Tags":     f.named("servers"),
	}})
	t.add(idProfile, resource{Type: "AWS::IAM::InstanceProfile", Properties: object{"Roles": []any{ref(idRole)}}})
	t.output(OutputProfile, "What servers may do", attribute(idProfile, "Arn"))
}

func policy(statements ...any) object {
	return object{"Version": "2012-10-17", "Statement": statements}
}

// rights are what boot does on a server, and no more. An instance profile that
// is used instead needs the same.
func (f *File) rights() []any {
	const account = "${AWS::Region}:${AWS::AccountId}"
	allow := func(sid, action string, resources ...any) object {
		return object{"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resources}
	}
	tests := f.tests()
	all := []any{
		allow("Signal", "cloudformation:SignalResource",
			append([]any{sub("arn:${AWS::Partition}:cloudformation:" + account + ":stack/" + f.ServersStack() + "/*")}, tests.stacks...)...),
		// A terminating server says when it has drained. CloudFormation starts
		// the names of groups with the stack's.
		allow("EndHook", "autoscaling:CompleteLifecycleAction",
			sub("arn:${AWS::Partition}:autoscaling:"+account+":autoScalingGroup:*:autoScalingGroupName/"+f.ServersStack()+"-*")),
		allow("WriteLog", "s3:PutObject", append([]any{sub("arn:${AWS::Partition}:s3:::" + bucket + "/" + f.Logs() + "/*")}, tests.logs...)...),
		// AWS knows no resources for these: is the balancer content with this
		// server, how old is its group, does another scheduler still run?
		object{"Sid": "LookAround", "Effect": "Allow", "Resource": "*", "Action": []string{
			"autoscaling:DescribeAutoScalingGroups", "ec2:DescribeInstances", "elasticloadbalancing:DescribeTargetHealth",
		}},
	}
	if settings := append(slices.Clone(f.Settings), tests.settings...); len(settings) > 0 {
		var paths []any
		for _, path := range settings {
			place := "arn:${AWS::Partition}:ssm:" + account + ":parameter" + path
			paths = append(paths, sub(place), sub(place+"/*"))
		}
		// What is encrypted with AWS's own key for parameters needs no right
		// on the key.
		all = append(all, allow("ReadSettings", "ssm:GetParametersByPath", paths...))
	}
	return all
}
