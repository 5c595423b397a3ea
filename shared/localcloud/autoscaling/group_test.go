package autoscaling_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

func TestAGroupComesUpAndGoes(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		group := b.group(properties(2, 4, 2, behindBalancer))
		if done, err := b.kind("AutoScalingGroup").Stable(group); !done || err != nil {
			t.Errorf("made, but not stable: %v", err)
		}
		pause(10 * time.Second)
		b.wantMembers(group, "i-1 v1", "i-2 v1")
		pause(20 * time.Second)
		b.wantMembers(group, "i-1 v1 in service", "i-2 v1 in service")
		if diff := cmp.Diff([]string{"register i-1", "register i-2"}, b.lines()); diff != "" {
			t.Errorf("balancer (-want +got):\n%s", diff)
		}
		if got := b.lifecycle("i-1"); got != "InService" {
			t.Errorf("i-1 is told %q", got)
		}

		for range 2 {
			if err := b.kind("AutoScalingGroup").Delete(group); err != nil {
				t.Fatal(err)
			}
		}
		pause(10 * time.Minute)
		b.wantStates(map[string][]string{"running": {"i-1", "i-2"}}) // both still drain
		b.wantMembers(group, "i-1 v1", "i-2 v1")
		if done, _ := b.kind("AutoScalingGroup").Stable(group); done {
			t.Error("gone, with servers that drain")
		}
		if status := b.status(group); status != "Delete in progress" {
			t.Errorf("status %q", status)
		}
		b.drain("i-1")
		b.drain("i-2")
		pause(time.Minute)
		b.wantStates(map[string][]string{"terminated": {"i-1", "i-2"}})
		if done, err := b.kind("AutoScalingGroup").Stable(group); !done || err != nil {
			t.Errorf("not gone: %v", err)
		}
		want := []string{
			"Successful Launching a new EC2 instance: i-1", "Successful Launching a new EC2 instance: i-2",
			"Successful Terminating EC2 instance: i-1", "Successful Terminating EC2 instance: i-2",
		}
		if diff := cmp.Diff(want, b.activities(group)); diff != "" {
			t.Errorf("activities (-want +got):\n%s", diff)
		}
	})
}

func (b *bench) status(group string) string {
	out, err := b.client().DescribeAutoScalingGroups(b.Context(), &sdk.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{group}})
	if err != nil || len(out.AutoScalingGroups) != 1 {
		b.Fatalf("%v, %v", out, err)
	}
	return aws.ToString(out.AutoScalingGroups[0].Status)
}

func TestRefusedLaunchesAreFailedActivities(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		b.fleet.mu.Lock()
		b.refuse = wire.Errorf("InsufficientInstanceCapacity", "We currently do not have sufficient t4g.small capacity.")
		b.fleet.mu.Unlock()
		group := b.group(properties(1, 1, 1, nil))
		pause(10 * time.Minute)
		lines := b.activities(group)
		if len(lines) < 3 || len(lines) > 10 {
			t.Fatalf("%d tries in ten minutes:\n%s", len(lines), strings.Join(lines, "\n"))
		}
		want := "Failed Launching a new EC2 instance.  Status Reason: We currently do not have sufficient t4g.small capacity. Launching EC2 instance failed. " +
			"We currently do not have sufficient t4g.small capacity. Launching EC2 instance failed."
		if lines[0] != want {
			t.Errorf("got  %s\nwant %s", lines[0], want)
		}
		b.wantMembers(group)
		b.fleet.mu.Lock()
		for n := 2; n < len(b.attempts); n++ {
			if b.attempts[n].Sub(b.attempts[n-1]) < b.attempts[n-1].Sub(b.attempts[n-2]) {
				t.Errorf("tries at %v: the pauses must not get shorter", b.attempts)
			}
		}
		b.refuse = nil
		b.fleet.mu.Unlock()
		pause(10 * time.Minute)
		b.wantMembers(group, "i-1 v1 in service")
	})
}

func TestTheDeadAreReplaced(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		group := b.group(properties(2, 4, 2, hooked("CONTINUE")))
		pause(time.Minute)
		b.set("i-1", "terminated", "")
		pause(10 * time.Second)
		b.set("i-2", "stopped", "")
		pause(time.Minute)
		b.wantStates(map[string][]string{"running": {"i-3", "i-4"}, "terminated": {"i-1", "i-2"}})
		out, err := b.client().DescribeScalingActivities(t.Context(), &sdk.DescribeScalingActivitiesInput{AutoScalingGroupName: &group})
		if err != nil {
			t.Fatal(err)
		}
		causes := ""
		for _, a := range out.Activities {
			causes += *a.Cause + "\n"
		}
		for _, part := range []string{"launched in response to an unhealthy instance needing to be replaced", "EC2 health check indicating it has been terminated or stopped", "created an AutoScalingGroup changing the desired capacity from 0 to 2"} {
			if !strings.Contains(causes, part) {
				t.Errorf("no cause says %q:\n%s", part, causes)
			}
		}
	})
}

func TestAServerThatDiesWhilePending(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		group := b.group(properties(1, 1, 1, nil))
		pause(5 * time.Second)
		b.set("i-1", "terminated", "Client.InternalError: the volume cannot be read")
		pause(time.Minute)
		b.wantMembers(group, "i-2 v1 in service")
		want := "Cancelled Launching a new EC2 instance: i-1 Instance became unhealthy while waiting for instance to be in InService state. " +
			"Termination Reason: Client.InternalError: the volume cannot be read"
		if got := b.activities(group)[0]; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestTheSickAreReplacedAfterTheGracePeriod(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		group := b.group(properties(1, 2, 1, behindBalancer))
		b.fail("i-1") // from the start
		pause(2 * time.Minute)
		b.wantMembers(group, "i-1 v1 in service") // in service for 1 m 40 s
		pause(time.Minute)
		b.wantMembers(group, "i-1 v1", "i-2 v1 in service")
		b.drain("i-1")
		pause(time.Minute)
		b.wantMembers(group, "i-2 v1 in service")

		ec2 := b.group(properties(1, 2, 1, resource.Properties{"TargetGroupARNs": []any{"tg-1"}}))
		pause(time.Minute)
		b.fail("i-3")
		pause(10 * time.Minute)
		b.wantMembers(ec2, "i-3 v1 in service") // this group asks EC2 only
	})
}

func TestTheHookHoldsTheServer(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		more := maps.Clone(behindBalancer)
		maps.Copy(more, hooked("CONTINUE"))
		group := b.group(properties(0, 2, 1, more))
		client := b.client()
		complete := func() error {
			_, err := client.CompleteLifecycleAction(t.Context(), &sdk.CompleteLifecycleActionInput{
				AutoScalingGroupName: &group, LifecycleHookName: aws.String("leave"), InstanceId: aws.String("i-1"), LifecycleActionResult: aws.String("CONTINUE")})
			return err
		}
		pause(time.Minute)
		wantCode(t, complete(), "ValidationError", "No active Lifecycle Action", "i-1")
		if err := b.service.SetSize(group, 0, 2, 0); err != nil {
			t.Fatal(err)
		}
		pause(30 * time.Second)
		wantCode(t, complete(), "ValidationError") // it drains first
		if got := b.lifecycle("i-1"); got != "InService" {
			t.Errorf("while it drains the server is told %q", got)
		}
		if got := b.activities(group)[1]; !strings.HasPrefix(got, "WaitingForELBConnectionDraining Terminating EC2 instance: i-1") {
			t.Errorf("while it drains: %s", got)
		}
		b.drain("i-1")
		pause(10 * time.Second)
		if state, told := b.service.LifecycleState("i-1"), b.lifecycle("i-1"); state != "Terminating:Wait" || told != "Terminated" {
			t.Errorf("drained, it is %s and told %q", state, told)
		}
		for range 3 { // a heartbeat every four minutes, of a timeout of five
			pause(4 * time.Minute)
			if _, err := client.RecordLifecycleActionHeartbeat(t.Context(), &sdk.RecordLifecycleActionHeartbeatInput{
				AutoScalingGroupName: &group, LifecycleHookName: aws.String("leave"), InstanceId: aws.String("i-1")}); err != nil {
				t.Fatal(err)
			}
		}
		b.wantStates(map[string][]string{"running": {"i-1"}})
		if err := complete(); err != nil {
			t.Fatal(err)
		}
		wantCode(t, complete(), "ValidationError")
		pause(time.Minute)
		b.wantStates(map[string][]string{"terminated": {"i-1"}})

		if err := b.service.SetSize(group, 0, 2, 1); err != nil {
			t.Fatal(err)
		}
		pause(time.Minute)
		if err := b.service.Terminate("i-2"); err != nil {
			t.Fatal(err)
		}
		b.drain("i-2")
		pause(4 * time.Minute)
		b.wantStates(map[string][]string{"terminated": {"i-1"}, "running": {"i-2", "i-3"}})
		pause(2 * time.Minute) // nobody answers: five minutes
		b.wantStates(map[string][]string{"terminated": {"i-1", "i-2"}, "running": {"i-3"}})
	})
}

func TestWhoGoesFirst(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		p := properties(1, 6, 3, resource.Properties{"LaunchTemplate": map[string]any{"LaunchTemplateId": "lt-1", "Version": "$Latest"}})
		group := b.group(p)
		pause(time.Minute)
		b.fleet.mu.Lock()
		b.latest = 2
		b.fleet.mu.Unlock()
		if err := b.service.SetSize(group, 1, 6, 5); err != nil {
			t.Fatal(err)
		}
		pause(time.Minute)
		b.wantMembers(group, "i-1 v1 in service", "i-2 v1 in service", "i-3 v1 in service", "i-4 v2 in service", "i-5 v2 in service")
		zones := map[string]int{}
		b.fleet.mu.Lock()
		for _, s := range b.servers {
			zones[s.Subnet]++
		}
		b.fleet.mu.Unlock()
		if d := zones["subnet-a"] - zones["subnet-b"]; d < -1 || d > 1 {
			t.Errorf("servers by subnet: %v", zones)
		}
		if err := b.service.SetSize(group, 1, 6, 2); err != nil {
			t.Fatal(err)
		}
		pause(2 * time.Minute)
		b.wantMembers(group, "i-4 v2 in service", "i-5 v2 in service")
	})
}

func TestSuspendedProcesses(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		group := b.group(properties(0, 4, 1, behindBalancer))
		pause(time.Minute)
		suspend := func(names ...string) {
			t.Helper()
			if err := b.service.Suspend(group, names); err != nil {
				t.Fatal(err)
			}
		}
		resume := func(names ...string) {
			t.Helper()
			if err := b.service.Resume(group, names); err != nil {
				t.Fatal(err)
			}
			pause(2 * time.Minute)
		}
		wantCode(t, b.service.Suspend(group, []string{"Launch", "Lunch"}), "ValidationError", "Lunch")
		suspend("ReplaceUnhealthy")
		b.set("i-1", "stopped", "")
		pause(time.Minute)
		b.wantMembers(group, "i-1 v1 in service")
		b.drain("i-1")
		resume("ReplaceUnhealthy")
		b.wantMembers(group, "i-2 v1 in service")

		suspend("HealthCheck")
		b.set("i-2", "terminated", "")
		pause(time.Minute)
		b.wantMembers(group, "i-2 v1 in service")
		b.drain("i-2")
		resume()
		b.wantMembers(group, "i-3 v1 in service")

		suspend("Launch")
		b.drain("i-3")
		if err := b.service.Terminate("i-3"); err != nil {
			t.Fatal(err)
		}
		pause(10 * time.Minute)
		b.wantMembers(group)
		suspend("AddToLoadBalancer")
		before := len(b.lines())
		resume("Launch")
		b.wantMembers(group, "i-4 v1 in service")
		if now := b.lines(); len(now) != before {
			t.Errorf("the balancer heard of %v", now[before:])
		}
		suspend("Terminate")
		if err := b.service.SetSize(group, 0, 4, 0); err != nil {
			t.Fatal(err)
		}
		pause(time.Minute)
		b.wantMembers(group, "i-4 v1 in service")
		resume("Terminate")
		b.wantMembers(group)
	})
}

func TestPoliciesActOnlyWhenATestSaysSo(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		group := b.group(properties(1, 3, 1, nil))
		p := resource.Properties{"AutoScalingGroupName": group, "PolicyType": "TargetTrackingScaling", "TargetTrackingConfiguration": map[string]any{
			"PredefinedMetricSpecification": map[string]any{"PredefinedMetricType": "ASGAverageCPUUtilization"}, "TargetValue": 60}}
		made, err := b.kind("ScalingPolicy").Create(request(p))
		if err != nil {
			t.Fatal(err)
		}
		pause(time.Hour)
		b.wantMembers(group, "i-1 v1 in service")
		if got := b.service.Policies(group); len(got) != 1 || got[0].Target != 60 || got[0].ARN != made.Physical {
			t.Errorf("policies: %v", got)
		}
		if err := b.service.Trigger(made.Physical, 7); err != nil { // within bounds
			t.Fatal(err)
		}
		pause(time.Minute)
		b.wantMembers(group, "i-1 v1 in service", "i-2 v1 in service", "i-3 v1 in service")
		if err := b.service.Suspend(group, []string{"AlarmNotification"}); err != nil {
			t.Fatal(err)
		}
		if err := b.service.Trigger(made.Physical, 1); err != nil {
			t.Fatal(err)
		}
		if _, _, desired, _ := b.service.Size(group); desired != 3 {
			t.Errorf("a suspended alarm made it %d", desired)
		}
	})
}

func TestUpdatesInPlace(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		p := properties(1, 3, 2, nil)
		group := b.group(p)
		pause(time.Minute)
		update := func(p resource.Properties) {
			t.Helper()
			made, err := b.kind("AutoScalingGroup").Update(request(p), nil, group)
			if err != nil || made.Physical != group {
				t.Fatalf("%v, %v", made, err)
			}
			pause(time.Minute)
		}
		p = properties(1, 3, 2, resource.Properties{"TargetGroupARNs": []any{"tg-1"}, "LaunchTemplate": map[string]any{"LaunchTemplateId": "lt-1", "Version": "2"}})
		delete(p, "DesiredCapacity") // stays as it is
		update(p)
		b.wantMembers(group, "i-1 v1 in service", "i-2 v1 in service") // nobody is replaced
		if diff := cmp.Diff([]string{"register i-1", "register i-2"}, b.lines()); diff != "" {
			t.Errorf("balancer (-want +got):\n%s", diff)
		}
		p["DesiredCapacity"] = 3
		update(p)
		b.wantMembers(group, "i-1 v1 in service", "i-2 v1 in service", "i-3 v2 in service")
	})
}

func TestRefusedGroups(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		for _, test := range []struct {
			change resource.Properties
			parts  []string
		}{
			{resource.Properties{"MinSize": 5}, []string{"Max bound, 4"}},
			{resource.Properties{"DesiredCapacity": 5}, []string{"Desired capacity:5"}},
			{resource.Properties{"VPCZoneIdentifier": []any{"subnet-zz"}}, []string{"subnet-zz"}},
			{resource.Properties{"VPCZoneIdentifier": []any{}}, []string{"Subnet"}},
			{resource.Properties{"LaunchTemplate": map[string]any{"LaunchTemplateId": "lt-2", "Version": "1"}}, []string{"lt-2"}},
			{resource.Properties{"LaunchTemplate": map[string]any{"LaunchTemplateId": "lt-1"}}, []string{"LaunchTemplate.Version"}},
			{resource.Properties{"TargetGroupARNs": []any{"tg-2"}}, []string{"tg-2"}},
			{resource.Properties{"HealthCheckType": "VPC_LATTICE"}, []string{"VPC_LATTICE"}},
			{resource.Properties{"NewInstancesProtectedFromScaleIn": true}, []string{"NewInstancesProtectedFromScaleIn"}},
			{resource.Properties{"AutoScalingGroupName": "mine"}, []string{"AutoScalingGroupName"}},
			{resource.Properties{"Tags": []any{map[string]any{"Key": "a", "Value": "b"}}}, []string{"PropagateAtLaunch"}},
			{resource.Properties{"LifecycleHookSpecificationList": []any{map[string]any{"LifecycleHookName": "x", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}}}, []string{"EC2_INSTANCE_LAUNCHING"}},
			{resource.Properties{"LifecycleHookSpecificationList": []any{map[string]any{"LifecycleHookName": "x", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": 10}}}, []string{"HeartbeatTimeout", "10"}},
		} {
			_, err := b.kind("AutoScalingGroup").Create(request(properties(1, 4, 1, test.change)))
			for _, part := range test.parts {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("%v: %v does not name %s", test.change, err, part)
				}
			}
		}
	})
}
