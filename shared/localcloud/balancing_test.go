package localcloud_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

// website is a group of two servers behind a load balancer.
type website struct {
	network, securityGroup string
	balancer, listener     string
	targets, group         string
}

// site makes it as a template would.
func (b *bench) site() website {
	b.Helper()
	var w website
	w.network = b.make("AWS::EC2::VPC", resource.Properties{"CidrBlock": "10.20.0.0/16"})
	var subnets []any
	for n, zone := range b.cloud.EC2().Zones()[:2] {
		subnets = append(subnets, b.make("AWS::EC2::Subnet", resource.Properties{
			"VpcId": w.network, "CidrBlock": []string{"10.20.0.0/24", "10.20.1.0/24"}[n], "AvailabilityZone": zone}))
	}
	w.securityGroup = b.make("AWS::EC2::SecurityGroup", resource.Properties{"VpcId": w.network, "GroupDescription": "all"})
	w.balancer = b.make("AWS::ElasticLoadBalancingV2::LoadBalancer", resource.Properties{
		"Scheme": "internal", "Subnets": subnets, "SecurityGroups": []any{w.securityGroup}})
	w.listener = b.make("AWS::ElasticLoadBalancingV2::Listener", resource.Properties{"LoadBalancerArn": w.balancer, "Port": 80, "Protocol": "HTTP",
		"DefaultActions": []any{map[string]any{"Type": "fixed-response", "FixedResponseConfig": map[string]any{"StatusCode": "404"}}}})
	w.targets = b.make("AWS::ElasticLoadBalancingV2::TargetGroup", resource.Properties{"VpcId": w.network, "Protocol": "HTTP", "Port": 8000})
	b.make("AWS::ElasticLoadBalancingV2::ListenerRule", resource.Properties{"ListenerArn": w.listener, "Priority": 1,
		"Conditions": []any{map[string]any{"Field": "path-pattern", "Values": []any{"/*"}}},
		"Actions":    []any{map[string]any{"Type": "forward", "TargetGroupArn": w.targets}}})
	template := b.make("AWS::EC2::LaunchTemplate", resource.Properties{"LaunchTemplateData": map[string]any{
		"ImageId": b.base(), "InstanceType": "t3.small", "SecurityGroupIds": []any{w.securityGroup}}})
	w.group = b.make("AWS::AutoScaling::AutoScalingGroup", resource.Properties{
		"MinSize": 0, "MaxSize": 4, "DesiredCapacity": 2, "VPCZoneIdentifier": subnets, "TargetGroupARNs": []any{w.targets},
		"LaunchTemplate":  map[string]any{"LaunchTemplateId": template, "Version": "1"},
		"HealthCheckType": "ELB", "HealthCheckGracePeriod": 60,
		"LifecycleHookSpecificationList": []any{map[string]any{"LifecycleHookName": "leave", "DefaultResult": "CONTINUE",
			"LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": 60}},
		"Tags": []any{map[string]any{"Key": "role", "Value": "web", "PropagateAtLaunch": true}},
	})
	return w
}

// call calls an action without the SDK of its service, which takes long to
// compile; the services' own tests use that.
func (b *bench) call(service string, form url.Values) string {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://cloud.test/", strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIATEST/20000101/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	response, err := b.cloud.Transport().RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusOK {
		b.Fatalf("%v: %d %s, %v", form, response.StatusCode, text, err)
	}
	return string(text)
}

// health are the targets' states, as the API has them.
func (b *bench) health(targets string) []string {
	b.Helper()
	answer := b.call("elasticloadbalancing", url.Values{"Action": {"DescribeTargetHealth"}, "Version": {"2015-12-01"}, "TargetGroupArn": {targets}})
	var states []string
	for _, part := range strings.Split(answer, "<State>")[1:] {
		state, _, _ := strings.Cut(part, "<")
		states = append(states, state)
	}
	return states
}

// running are the instances that run, in the order of launch.
func (b *bench) running() (ids []string) {
	for _, i := range b.cloud.Instances() {
		if i.State == "running" {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

func TestAGroupBehindABalancer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		broken := map[string]bool{}
		b := setupWith(t, localcloud.Options{Timing: localcloud.CloudLike(), Health: func(_ context.Context, c localcloud.Check) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			if broken[c.Instance] {
				return http.StatusInternalServerError, nil
			}
			return http.StatusOK, nil
		}})
		w := b.site()
		pause(time.Minute)
		if diff := cmp.Diff([]string{"healthy", "healthy"}, b.health(w.targets)); diff != "" {
			t.Errorf("targets (-want +got):\n%s", diff)
		}
		first := b.running()
		for _, target := range b.cloud.Targets(w.targets) { // two that launch at once come in any order
			if !slices.Contains(first, target.Instance) || target.Port != 8000 || target.State != "healthy" || target.InFlight != 0 {
				t.Errorf("a target is %+v", target)
			}
		}
		zones := map[string]bool{}
		for _, i := range b.cloud.Instances() {
			zones[i.Zone] = true
			if i.Tags["aws:autoscaling:groupName"] != w.group || i.Tags["role"] != "web" || i.Lifecycle != "InService" || b.cloud.LifecycleState(i.ID) != "InService" {
				t.Errorf("a server of the group is %+v", i)
			}
		}
		if len(first) != 2 || len(zones) != 2 {
			t.Errorf("servers %v in %v", first, zones)
		}

		mu.Lock()
		broken[first[0]] = true
		mu.Unlock()
		pause(10 * time.Minute)
		second := b.running()
		if len(second) != 2 || slices.Contains(second, first[0]) {
			t.Errorf("after one fell sick: %v of %v", second, first)
		}

		group := b.cloud.Type("AWS::AutoScaling::AutoScalingGroup")
		if err := group.Delete(w.group); err != nil {
			t.Fatal(err)
		}
		pause(2 * time.Minute) // half of it for the hook that nobody answers
		if done, err := group.Stable(w.group); !done || err != nil || len(b.running()) != 0 {
			t.Errorf("the group is not gone: %v, %v", b.running(), err)
		}

		err := b.cloud.Type("AWS::EC2::SecurityGroup").Delete(w.securityGroup)
		if err == nil || !strings.Contains(err.Error(), "DependencyViolation") {
			t.Errorf("a group in use is deleted: %v", err)
		}
		if diff := cmp.Diff([]string{"load balancer " + w.balancer}, b.cloud.Leftovers()); diff != "" {
			t.Errorf("leftovers (-want +got):\n%s", diff)
		}
		if err := b.cloud.Type("AWS::ElasticLoadBalancingV2::LoadBalancer").Delete(w.balancer); err != nil {
			t.Fatal(err)
		}
		if err := b.cloud.Type("AWS::EC2::SecurityGroup").Delete(w.securityGroup); err != nil {
			t.Errorf("the balancer is gone, and still: %v", err)
		}
	})
}

func TestRefusedLaunchesOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setupWith(t, localcloud.Options{Timing: localcloud.CloudLike()})
		b.cloud.RefuseLaunch("InsufficientInstanceCapacity", "We currently do not have sufficient t3.small capacity.", 2)
		w := b.site()
		pause(5 * time.Minute)
		answer := b.call("autoscaling", url.Values{"Action": {"DescribeScalingActivities"}, "Version": {"2011-01-01"}, "AutoScalingGroupName": {w.group}})
		if n := strings.Count(answer, "<StatusMessage>We currently do not have sufficient t3.small capacity. Launching EC2 instance failed.</StatusMessage>"); n != 2 {
			t.Errorf("%d activities say that a launch was refused: %s", n, answer)
		}
		if got := b.running(); len(got) != 2 {
			t.Errorf("afterwards %v run", got)
		}
	})
}

// A server of a group reads in its metadata what the group has in mind.
func TestAServerSeesThatItIsDismissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var seen []string
		watch := func(ctx context.Context, boot machine.Boot) {
			for last := ""; ctx.Err() == nil; {
				if state := lifecycleState(boot.Metadata); state != last {
					last = state
					mu.Lock()
					seen = append(seen, state)
					mu.Unlock()
				}
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		}
		b := setupWith(t, localcloud.Options{Timing: localcloud.CloudLike(), Machines: simulated.New(watch)})
		w := b.site()
		pause(time.Minute)
		b.call("autoscaling", url.Values{"Action": {"UpdateAutoScalingGroup"}, "Version": {"2011-01-01"}, "AutoScalingGroupName": {w.group}, "DesiredCapacity": {"1"}})
		pause(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(seen)
		if diff := cmp.Diff([]string{"InService", "InService", "Terminated"}, seen); diff != "" {
			t.Errorf("servers saw (-want +got):\n%s", diff)
		}
	})
}

// lifecycleState asks a metadata service as a server does.
func lifecycleState(service http.Handler) string {
	ask := func(method, path string, header, value string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set(header, value)
		answer := httptest.NewRecorder()
		service.ServeHTTP(answer, r)
		return answer
	}
	token := ask(http.MethodPut, "/latest/api/token", "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60").Body.String()
	answer := ask(http.MethodGet, "/latest/meta-data/autoscaling/target-lifecycle-state", "X-Aws-Ec2-Metadata-Token", token)
	if answer.Code != http.StatusOK {
		return ""
	}
	return answer.Body.String()
}
