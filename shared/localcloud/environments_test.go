package localcloud_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/google/go-cmp/cmp"
)

// shared is the stack of a balancer that others put their rules on.
const shared = `{"Resources": {
  "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
  "Gateway": {"Type": "AWS::EC2::InternetGateway"},
  "Attachment": {"Type": "AWS::EC2::VPCGatewayAttachment", "Properties": {"VpcId": {"Ref": "Vpc"}, "InternetGatewayId": {"Ref": "Gateway"}}},
  "A": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24", "AvailabilityZone": {"Fn::Select": [0, {"Fn::GetAZs": ""}]}}},
  "B": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": {"Fn::Select": [1, {"Fn::GetAZs": ""}]}}},
  "Balancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "DependsOn": "Attachment", "Properties": {"Subnets": [{"Ref": "A"}, {"Ref": "B"}]}},
  "Listener": {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": {"LoadBalancerArn": {"Ref": "Balancer"}, "Port": 80, "Protocol": "HTTP",
    "DefaultActions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "MessageBody": "no such environment"}}]}}},
 "Outputs": {"Listener": {"Value": {"Ref": "Listener"}}, "Vpc": {"Value": {"Ref": "Vpc"}}}}`

// visitors is the template of a stack that leads a host name of the shared listener to
// its own target group.
func visitors(listener, vpc, host string, priority int) string {
	return fmt.Sprintf(`{"Resources": {
  "Targets": {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": {"VpcId": %q, "Protocol": "HTTP", "Port": 8000, "TargetType": "instance"}},
  "Rule": {"Type": "AWS::ElasticLoadBalancingV2::ListenerRule", "Properties": {"ListenerArn": %q, "Priority": %d,
    "Conditions": [{"Field": "host-header", "HostHeaderConfig": {"Values": [%q]}}], "Actions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Targets"}}]}}}}`,
		vpc, listener, priority, host)
}

// made makes a stack with the service role of test environments and gives its state.
func (a *agenda) made(name, template string) string {
	a.Helper()
	_, err := a.stacks.CreateChangeSet(a.Context(), &cloudformation.CreateChangeSetInput{
		StackName: &name, ChangeSetName: aws.String("first"), ChangeSetType: cfntypes.ChangeSetTypeCreate, TemplateBody: &template,
		RoleARN: aws.String(a.cloud.Parameter("/fearless/test/shop/service-role")),
		Tags:    []cfntypes.Tag{{Key: aws.String("fearless:application"), Value: aws.String("shop")}, {Key: aws.String("fearless:kind"), Value: aws.String("test")}},
	})
	if err != nil {
		a.Fatal(err)
	}
	pause(time.Minute)
	if _, err := a.stacks.ExecuteChangeSet(a.Context(), &cloudformation.ExecuteChangeSetInput{
		StackName: &name, ChangeSetName: aws.String("first"), DisableRollback: aws.Bool(false)}); err != nil {
		a.Fatal(err)
	}
	pause(10 * time.Minute)
	return a.status(name)
}

// rules are the rules of a listener: "10 shop-1.test.example.com".
func (a *agenda) rules(listener string) (lines []string) {
	a.Helper()
	out, err := elb.NewFromConfig(a.config).DescribeRules(a.Context(), &elb.DescribeRulesInput{ListenerArn: &listener})
	if err != nil {
		a.Fatal(err)
	}
	for _, r := range out.Rules {
		line := *r.Priority
		for _, c := range r.Conditions {
			line += " " + strings.Join(c.HostHeaderConfig.Values, ",")
		}
		lines = append(lines, line)
	}
	return lines
}

// Stacks of their own put rules on the listener of another stack, each for its host name,
// and take them away again.
func TestEnvironmentsBehindOneListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgenda(t)
		if got := a.made("shop-testing-base", shared); got != "CREATE_COMPLETE" {
			t.Fatal(got, a.cloud.StackEvents("shop-testing-base"))
		}
		base := a.cloud.Stacks()[0].Outputs
		listener, vpc := base["Listener"], base["Vpc"]
		for n, host := range map[int]string{20: "shop-22222222.test.example.com", 10: "shop-11111111.test.example.com"} {
			if got := a.made("test-"+host[:13], visitors(listener, vpc, host, n)); got != "CREATE_COMPLETE" {
				t.Fatal(got)
			}
		}
		if got := a.made("test-shop-33333333", visitors(listener, vpc, "shop-33333333.test.example.com", 20)); got != "ROLLBACK_COMPLETE" {
			t.Errorf("a stack whose priority is taken is %s", got)
		}
		taken := false
		for _, e := range a.cloud.StackEvents("test-shop-33333333") {
			taken = taken || e.Logical == "Rule" && strings.Contains(e.Reason, "Priority '20' is currently in use")
		}
		want := []string{"10 shop-11111111.test.example.com", "20 shop-22222222.test.example.com", "default"}
		if diff := cmp.Diff(want, a.rules(listener)); diff != "" || !taken {
			t.Errorf("rules, said that the priority is taken: %t (-want +got):\n%s", taken, diff)
		}
		for host, status := range map[string]int{
			"shop-11111111.test.example.com": http.StatusServiceUnavailable, // a group without targets
			"SHOP-22222222.test.example.com": http.StatusServiceUnavailable,
			"shop-33333333.test.example.com": http.StatusNotFound,
		} {
			answer := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Host = host
			if a.cloud.Listener(listener).ServeHTTP(answer, r); answer.Code != status {
				t.Errorf("%s is answered %d, want %d", host, answer.Code, status)
			}
		}
		if _, err := a.stacks.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{
			StackName: aws.String("test-shop-11111111"), RoleARN: aws.String(a.cloud.Parameter("/fearless/test/shop/service-role"))}); err != nil {
			t.Fatal(err)
		}
		pause(10 * time.Minute)
		for _, st := range a.cloud.Stacks() {
			if st.Name != "test-shop-11111111" {
				continue
			}
			gone, err := a.stacks.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String(st.ID)})
			if err != nil || gone.Stacks[0].StackStatus != cfntypes.StackStatusDeleteComplete || len(gone.Stacks[0].Tags) != 2 || len(gone.Stacks[0].Outputs) != 0 {
				t.Errorf("by its id it is %+v, %v", gone, err)
			}
		}
		if diff := cmp.Diff(want[1:], a.rules(listener)); diff != "" || a.status("test-shop-11111111") != "DELETE_COMPLETE" {
			t.Errorf("after the end of one (-want +got):\n%s", diff)
		}
		_, err := a.stacks.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{
			StackName: aws.String("test-shop-22222222"), RoleARN: aws.String(a.cloud.Parameter("/fearless/test/shop/schedule-role"))})
		wantCode(t, err, "ValidationError", "invalid or cannot be assumed")
	})
}

// Whoever looks for stacks by their tags reads them page by page.
func TestStacksInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgenda(t)
		const many = 105
		for n := range many {
			a.stack(fmt.Sprintf("test-shop-%08d", n))
		}
		found, pages := map[string]bool{}, 0
		for p := cloudformation.NewDescribeStacksPaginator(a.stacks, &cloudformation.DescribeStacksInput{}); p.HasMorePages(); pages++ {
			page, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page.Stacks {
				if len(s.Tags) == 1 && *s.Tags[0].Key == "fearless:kind" && *s.Tags[0].Value == "test" {
					found[*s.StackName] = true
				}
			}
		}
		if len(found) != many || pages != 2 {
			t.Errorf("%d stacks on %d pages", len(found), pages)
		}
	})
}
