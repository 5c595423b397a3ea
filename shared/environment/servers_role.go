package environment

import (
	"fmt"
	"strconv"
	"time"
)

// How the balancer checks servers. The first check that is passed makes a new
// server healthy, so these times are about noticing a sick one: 15 seconds.
const (
	checkInterval  = 5
	checkTimeout   = 4 // must be below the interval
	checksToFail   = 3
	checksToReturn = 2
)

// longestLeave is how long the end of a server may take when boot does not end
// the hook itself: it needs a minute beside the longest drain time.
const longestLeave = 5 * time.Minute

func (f *File) role(t *Template, r Role, v Values) {
	t.parameter(Parameter{Name: r.Capacity(), Type: typeNumber, Value: strconv.Itoa(f.capacity(r, v))},
		"Servers of role "+r.Name+" to start with", object{"MinValue": r.Min, "MaxValue": r.Max})
	t.add(r.id("Template"), resource{Type: "AWS::EC2::LaunchTemplate", Properties: object{
		"LaunchTemplateData": f.launchTemplate(r.Name, r.Instance, f.userData(r)),
	}})
	if r.HTTP != nil {
		f.targets(t, r)
	}
	t.add(r.Group(), f.group(r))
	if r.Max > r.Min {
		t.add(r.id("Scaling"), resource{Type: "AWS::AutoScaling::ScalingPolicy", Properties: object{
			"AutoScalingGroupName": ref(r.Group()), "PolicyType": "TargetTrackingScaling",
			"TargetTrackingConfiguration": object{
				"PredefinedMetricSpecification": object{"PredefinedMetricType": "ASGAverageCPUUtilization"},
				"TargetValue":                   r.CPU,
			},
		}})
	}
}

// launchTemplate holds commit and settings as tags: a change of either is a
// new version of the template, and with it new servers.
func (f *File) launchTemplate(role, instance string, data userData) object {
	marks := tags(map[string]string{
		"Name": f.ServersStack() + " " + role, TagApplication: f.Application, TagEnvironment: f.Environment, TagRole: role,
	})
	marks = append(marks,
		object{"Key": TagCommit, "Value": ref(ParameterCommit)},
		object{"Key": TagSettings, "Value": ref(ParameterSettings)})
	return object{
		"ImageId":            ref(ParameterImage),
		"InstanceType":       instance,
		"IamInstanceProfile": object{"Arn": ref(OutputProfile)},
		"SecurityGroupIds":   []any{ref(OutputServerGroup)},
		// Version 2 of the metadata service only, and not from containers: a
		// request that an application was talked into cannot read credentials.
		"MetadataOptions": object{"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
		"UserData":        object{"Fn::Base64": sub(data.text())},
		"TagSpecifications": []any{
			object{"ResourceType": "instance", "Tags": marks}, object{"ResourceType": "volume", "Tags": marks},
		},
	}
}

func (f *File) group(r Role) resource {
	g := resource{
		Type: "AWS::AutoScaling::AutoScalingGroup", DependsOn: f.before(r),
		CreationPolicy: object{"ResourceSignal": object{"Count": ref(r.Capacity()), "Timeout": iso(r.Start)}},
		UpdatePolicy:   object{"AutoScalingReplacingUpdate": object{"WillReplace": true}},
		Properties: object{
			"MinSize": strconv.Itoa(r.Min), "MaxSize": strconv.Itoa(r.Max), "DesiredCapacity": ref(r.Capacity()),
			"VPCZoneIdentifier": ref(OutputSubnets), "LaunchTemplate": versioned(r.id("Template")),
			"LifecycleHookSpecificationList": []any{object{
				"LifecycleHookName": hook, "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
				"HeartbeatTimeout": int(longestLeave.Seconds()), "DefaultResult": "CONTINUE",
			}},
			"Tags": f.groupTags(r),
		},
	}
	if r.Singleton {
		g.UpdatePolicy = oneAtATime(r)
	}
	if r.HTTP != nil {
		g.Properties["TargetGroupARNs"] = []any{ref(r.Targets())}
		// A server that the balancer calls sick is replaced, but not while it
		// is still starting.
		g.Properties["HealthCheckType"] = "ELB"
		g.Properties["HealthCheckGracePeriod"] = int(r.Start.Seconds())
	}
	return g
}

// oneAtATime stops the old server before the new one is started. What could
// start a second one meanwhile is suspended.
func oneAtATime(r Role) object {
	return object{"AutoScalingRollingUpdate": object{
		"MinInstancesInService": 0, "MaxBatchSize": 1, "WaitOnResourceSignals": true, "PauseTime": iso(r.Start),
		"SuspendProcesses": []string{"AlarmNotification", "AZRebalance", "HealthCheck", "ReplaceUnhealthy", "ScheduledActions"},
	}}
}

func (f *File) groupTags(r Role) []any {
	all := tags(map[string]string{TagApplication: f.Application, TagEnvironment: f.Environment, TagRole: r.Name})
	for _, tag := range all {
		tag.(object)["PropagateAtLaunch"] = true
	}
	// This makes the group wait for the release process, when there is one:
	// DependsOn may name no resource whose condition is false.
	return append(all, object{"Key": TagRelease, "PropagateAtLaunch": false, "Value": object{
		"Fn::If": []any{ConditionRelease, ref(idRelease), "none"},
	}})
}

func (f *File) targets(t *Template, r Role) {
	h := r.HTTP
	t.add(r.Targets(), resource{Type: "AWS::ElasticLoadBalancingV2::TargetGroup", Properties: object{
		"VpcId": ref(OutputVPC), "Protocol": "HTTP", "Port": h.Port, "TargetType": "instance",
		"HealthCheckPath": h.Health, "HealthCheckIntervalSeconds": checkInterval, "HealthCheckTimeoutSeconds": checkTimeout,
		"HealthyThresholdCount": checksToReturn, "UnhealthyThresholdCount": checksToFail,
		"Matcher": object{"HttpCode": "200"},
		"TargetGroupAttributes": []any{
			object{"Key": "deregistration_delay.timeout_seconds", "Value": strconv.Itoa(int(h.Drain.Seconds()))},
		},
		"Tags": f.named(r.Name),
	}})
	t.add(r.id("Rule"), resource{Type: "AWS::ElasticLoadBalancingV2::ListenerRule", Properties: object{
		"ListenerArn": ref(OutputListener), "Priority": h.Priority, "Conditions": conditions(*h),
		"Actions": []any{object{"Type": "forward", "TargetGroupArn": ref(r.Targets())}},
	}})
}

func conditions(h HTTP) []any {
	var all []any
	if len(h.Hosts) > 0 {
		all = append(all, object{"Field": "host-header", "HostHeaderConfig": object{"Values": h.Hosts}})
	}
	paths := h.Paths
	if len(h.Hosts)+len(h.Paths) == 0 {
		paths = []string{"/*"} // a rule needs a condition
	}
	if len(paths) > 0 {
		all = append(all, object{"Field": "path-pattern", "PathPatternConfig": object{"Values": paths}})
	}
	return all
}

// iso is a duration as CloudFormation writes it: PT10M, PT90S.
func iso(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("PT%dM", int(d.Minutes()))
	}
	return fmt.Sprintf("PT%dS", int(d.Seconds()))
}
