package autoscaling_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire/alone"
)

func (b *bench) client() *sdk.Client { return sdk.NewFromConfig(alone.Config(b.service.Wire())) }

// activities are a group's, oldest first, as status, description, message.
func (b *bench) activities(group string) (lines []string) {
	b.Helper()
	out, err := b.client().DescribeScalingActivities(b.Context(), &sdk.DescribeScalingActivitiesInput{
		AutoScalingGroupName: &group, IncludeDeletedGroups: aws.Bool(true)})
	if err != nil {
		b.Fatal(err)
	}
	for _, a := range out.Activities {
		lines = append([]string{strings.TrimSpace(string(a.StatusCode) + " " + *a.Description + " " + aws.ToString(a.StatusMessage))}, lines...)
	}
	return lines
}

func wantCode(t *testing.T, err error, code string, parts ...string) {
	t.Helper()
	var failure smithy.APIError
	got, text := "", ""
	if errors.As(err, &failure) {
		got, text = failure.ErrorCode(), failure.ErrorMessage()
	}
	var own *wire.Error
	if errors.As(err, &own) {
		got, text = own.Code, own.Message
	}
	if got != code {
		t.Errorf("got %v, want %s", err, code)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not name %q", text, part)
		}
	}
}

func TestDescribeGroups(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		more := resource.Properties{"Tags": []any{
			map[string]any{"Key": "role", "Value": "web", "PropagateAtLaunch": true}, map[string]any{"Key": "note", "Value": "x", "PropagateAtLaunch": false},
		}, "MetricsCollection": []any{map[string]any{"Granularity": "1Minute", "Metrics": []any{"GroupInServiceInstances"}}}, "Cooldown": 60}
		for _, p := range []resource.Properties{behindBalancer, hooked("CONTINUE")} {
			for name, value := range p {
				more[name] = value
			}
		}
		group := b.group(properties(1, 4, 2, more))
		other := b.group(properties(0, 1, 0, nil))
		pause(time.Minute)
		client := b.client()
		out, err := client.DescribeAutoScalingGroups(t.Context(), &sdk.DescribeAutoScalingGroupsInput{Filters: []types.Filter{
			{Name: aws.String("tag:role"), Values: []string{"web", "worker"}}, {Name: aws.String("tag-key"), Values: []string{"aws:cloudformation:stack-name"}}}})
		if err != nil || len(out.AutoScalingGroups) != 1 {
			t.Fatalf("%v, %v", out, err)
		}
		g := out.AutoScalingGroups[0]
		if *g.AutoScalingGroupName != group || *g.MinSize != 1 || *g.MaxSize != 4 || *g.DesiredCapacity != 2 || *g.HealthCheckType != "ELB" ||
			*g.HealthCheckGracePeriod != 120 || g.TargetGroupARNs[0] != "tg-1" || *g.VPCZoneIdentifier != "subnet-a,subnet-b" || len(g.AvailabilityZones) != 2 ||
			*g.LaunchTemplate.LaunchTemplateId != "lt-1" || *g.DefaultCooldown != 60 || *g.EnabledMetrics[0].Metric != "GroupInServiceInstances" || g.Status != nil {
			t.Errorf("the group is %+v", g)
		}
		if i := g.Instances[1]; *i.InstanceId != "i-2" || i.LifecycleState != "InService" || *i.HealthStatus != "Healthy" || *i.LaunchTemplate.Version != "1" || *i.AvailabilityZone != "us-east-1b" {
			t.Errorf("its second server is %+v", i)
		}
		tags := map[string]bool{}
		for _, tag := range g.Tags {
			tags[*tag.Key+"="+*tag.Value] = *tag.PropagateAtLaunch
		}
		want := map[string]bool{"role=web": true, "note=x": false, "team=web": true, "aws:cloudformation:stack-name=shop": true}
		if diff := cmp.Diff(want, tags); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
		b.fleet.mu.Lock()
		launch := b.servers["i-1"].Launch
		b.fleet.mu.Unlock()
		if diff := cmp.Diff(map[string]string{"role": "web", "team": "web", "aws:cloudformation:stack-name": "shop"}, map[string]string(launch.Tags)); diff != "" || launch.Group != group {
			t.Errorf("launched for %s with tags (-want +got):\n%s", launch.Group, diff)
		}

		instances, err := client.DescribeAutoScalingInstances(t.Context(), &sdk.DescribeAutoScalingInstancesInput{InstanceIds: []string{"i-2", "i-none"}})
		if err != nil || len(instances.AutoScalingInstances) != 1 || *instances.AutoScalingInstances[0].AutoScalingGroupName != group {
			t.Errorf("%v, %v", instances, err)
		}
		var paged []string
		pages := sdk.NewDescribeAutoScalingGroupsPaginator(client, &sdk.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(1)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range page.AutoScalingGroups {
				paged = append(paged, *g.AutoScalingGroupName)
			}
		}
		if diff := cmp.Diff([]string{group, other}, paged); diff != "" {
			t.Errorf("pages (-want +got):\n%s", diff)
		}
		_, err = client.DescribeAutoScalingGroups(t.Context(), &sdk.DescribeAutoScalingGroupsInput{Filters: []types.Filter{{Name: aws.String("color"), Values: []string{"x"}}}})
		wantCode(t, err, "UnsupportedOperation", "color")
		_, err = client.SuspendProcesses(t.Context(), &sdk.SuspendProcessesInput{AutoScalingGroupName: &group})
		wantCode(t, err, "UnsupportedOperation", "SuspendProcesses")
	})
}

func TestActivitiesNewestFirstInPages(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		group := b.group(properties(0, 3, 3, nil))
		pause(time.Minute)
		var got []string
		pages := sdk.NewDescribeScalingActivitiesPaginator(b.client(), &sdk.DescribeScalingActivitiesInput{AutoScalingGroupName: &group, MaxRecords: aws.Int32(2)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page.Activities {
				got = append(got, *a.Description)
				if a.EndTime == nil || *a.Progress != 100 || !strings.Contains(*a.Details, `"Subnet ID":"subnet-`) {
					t.Errorf("%+v", a)
				}
			}
		}
		want := []string{"Launching a new EC2 instance: i-3", "Launching a new EC2 instance: i-2", "Launching a new EC2 instance: i-1"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("activities (-want +got):\n%s", diff)
		}
		_, err := b.client().DescribeScalingActivities(t.Context(), &sdk.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String("none")})
		wantCode(t, err, "ValidationError", "none")
	})
}

func TestSizesThroughTheAPI(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		group := b.group(properties(1, 3, 1, nil))
		client := b.client()
		set := func(n int32) error {
			_, err := client.SetDesiredCapacity(t.Context(), &sdk.SetDesiredCapacityInput{AutoScalingGroupName: &group, DesiredCapacity: &n})
			return err
		}
		wantCode(t, set(0), "ValidationError", "below min value 1")
		wantCode(t, set(4), "ValidationError", "above max value 3")
		if err := set(3); err != nil {
			t.Fatal(err)
		}
		pause(time.Minute)
		b.wantStates(map[string][]string{"running": {"i-1", "i-2", "i-3"}})

		update := func(in sdk.UpdateAutoScalingGroupInput) error {
			in.AutoScalingGroupName = &group
			_, err := client.UpdateAutoScalingGroup(t.Context(), &in)
			return err
		}
		wantCode(t, update(sdk.UpdateAutoScalingGroupInput{MinSize: aws.Int32(4)}), "ValidationError", "Max bound, 3")
		wantCode(t, update(sdk.UpdateAutoScalingGroupInput{DesiredCapacity: aws.Int32(7)}), "ValidationError", "Desired capacity:7")
		if err := update(sdk.UpdateAutoScalingGroupInput{MaxSize: aws.Int32(2)}); err != nil { // takes desired along
			t.Fatal(err)
		}
		if low, high, desired, err := b.service.Size(group); low != 1 || high != 2 || desired != 2 || err != nil {
			t.Errorf("sizes %d, %d, %d, %v", low, high, desired, err)
		}
		pause(time.Minute)
		if n := len(b.states()["running"]); n != 2 {
			t.Errorf("%d servers run", n)
		}

		end := func(id string, decrement bool) error {
			_, err := client.TerminateInstanceInAutoScalingGroup(t.Context(), &sdk.TerminateInstanceInAutoScalingGroupInput{InstanceId: &id, ShouldDecrementDesiredCapacity: &decrement})
			return err
		}
		last := b.states()["running"]
		if err := end(last[0], true); err != nil {
			t.Fatal(err)
		}
		wantCode(t, end(last[0], false), "ScalingActivityInProgress", last[0])
		pause(time.Minute)
		b.wantStates(map[string][]string{"running": last[1:], "terminated": b.states()["terminated"]})
		wantCode(t, end(last[1], true), "ValidationError", "minSize (1)")
		wantCode(t, end("i-none", false), "ValidationError", "i-none")
		if err := end(last[1], false); err != nil { // replaced
			t.Fatal(err)
		}
		pause(time.Minute)
		b.wantMembers(group, "i-4 v1 in service")
	})
}
