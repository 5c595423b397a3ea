package elb_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/elb"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire/alone"
)

func (b *bench) client() *sdk.Client { return sdk.NewFromConfig(alone.Config(b.service.Wire())) }

func wantAPICode(t *testing.T, err error, code string) {
	t.Helper()
	var failure smithy.APIError
	if !errors.As(err, &failure) || failure.ErrorCode() != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestTargetsThroughTheAPI(t *testing.T) {
	t.Parallel()
	b := setup(t, timing, elb.Options{Check: (&statuses{of: map[string]int{"i-1": 200, "i-2": 500}}).check})
	group := b.group("RWebTargets", resource.Properties{"HealthCheckPort": "9000"})
	b.rule(1, paths("/*"), forward(group))
	client := b.client()
	b.set("i-1", "running")
	b.set("i-2", "stopped")
	both := []types.TargetDescription{{Id: aws.String("i-1")}, {Id: aws.String("i-2"), Port: aws.Int32(8100)}}
	_, err := client.RegisterTargets(t.Context(), &sdk.RegisterTargetsInput{TargetGroupArn: &group, Targets: both})
	wantAPICode(t, err, "InvalidTarget")
	b.wantHealth(group, "i-1", "unused", "Target.NotRegistered") // all or none
	b.set("i-2", "running")
	if _, err := client.RegisterTargets(t.Context(), &sdk.RegisterTargetsInput{TargetGroupArn: &group, Targets: both}); err != nil {
		t.Fatal(err)
	}
	read := func(targets ...types.TargetDescription) (lines []string) {
		out, err := client.DescribeTargetHealth(t.Context(), &sdk.DescribeTargetHealthInput{TargetGroupArn: &group, Targets: targets})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range out.TargetHealthDescriptions {
			lines = append(lines, *d.Target.Id+":"+strconv.Itoa(int(*d.Target.Port))+" "+string(d.TargetHealth.State)+" "+string(d.TargetHealth.Reason)+" "+
				aws.ToString(d.TargetHealth.Description)+" checked on "+aws.ToString(d.HealthCheckPort))
		}
		return lines
	}
	b.awaitHealth(group, "i-1", "healthy")
	want := []string{
		"i-1:8000 healthy   checked on 9000",
		"i-2:8100 unhealthy Target.ResponseCodeMismatch Health checks failed with these codes: [500] checked on 9000",
	}
	b.eventually("both are known", func() bool { return cmp.Equal(want, read()) })
	if _, err := client.DeregisterTargets(t.Context(), &sdk.DeregisterTargetsInput{TargetGroupArn: &group,
		Targets: []types.TargetDescription{both[1], {Id: aws.String("i-none")}}}); err != nil {
		t.Fatal(err)
	}
	want = []string{
		"i-2:8100 draining Target.DeregistrationInProgress Target deregistration is in progress checked on 9000",
		"i-2:8000 unused Target.NotRegistered Target is not registered to the target group checked on ",
	}
	if diff := cmp.Diff(want, read(both[1], types.TargetDescription{Id: aws.String("i-2")})); diff != "" {
		t.Errorf("by name (-want +got):\n%s", diff)
	}
	_, err = client.DescribeTargetHealth(t.Context(), &sdk.DescribeTargetHealthInput{TargetGroupArn: aws.String("arn:none")})
	wantAPICode(t, err, "TargetGroupNotFound")
}

func TestDescribeWhatATemplateMade(t *testing.T) {
	t.Parallel()
	b := setup(t, timing, elb.Options{})
	group := b.group("RWebTargets", nil)
	idle := b.group("RIdleTargets", nil)
	rule := b.rule(7, paths("/web/*"), forward(group))
	secure := b.make("Listener", "HttpsListener", resource.Properties{"LoadBalancerArn": b.balancer, "Port": 443, "Protocol": "HTTPS",
		"Certificates": []any{map[string]any{"CertificateArn": "arn:aws:acm:1"}}, "DefaultActions": []any{map[string]any{
			"Type": "redirect", "RedirectConfig": map[string]any{"StatusCode": "HTTP_301", "Host": "new.example.com"}}}})
	client := b.client()

	balancers, err := client.DescribeLoadBalancers(t.Context(), &sdk.DescribeLoadBalancersInput{})
	if err != nil || len(balancers.LoadBalancers) != 1 {
		t.Fatalf("%v, %v", balancers, err)
	}
	lb := balancers.LoadBalancers[0]
	if *lb.LoadBalancerArn != b.balancer || lb.State.Code != "active" || lb.Type != "application" || lb.Scheme != "internet-facing" ||
		len(lb.AvailabilityZones) != 2 || *lb.AvailabilityZones[1].ZoneName != "us-east-1b" || *lb.DNSName == "" || *lb.CanonicalHostedZoneId == "" {
		t.Errorf("the load balancer is %+v", lb)
	}
	listeners, err := client.DescribeListeners(t.Context(), &sdk.DescribeListenersInput{LoadBalancerArn: &b.balancer})
	if err != nil || len(listeners.Listeners) != 2 {
		t.Fatalf("%v, %v", listeners, err)
	}
	if l := listeners.Listeners[1]; *l.ListenerArn != secure || l.Protocol != "HTTPS" || *l.Port != 443 || *l.Certificates[0].CertificateArn != "arn:aws:acm:1" ||
		*l.SslPolicy == "" || *l.DefaultActions[0].RedirectConfig.Host != "new.example.com" || l.DefaultActions[0].RedirectConfig.StatusCode != "HTTP_301" {
		t.Errorf("the second listener is %+v", l)
	}
	rules, err := client.DescribeRules(t.Context(), &sdk.DescribeRulesInput{ListenerArn: &b.listener})
	if err != nil || len(rules.Rules) != 2 {
		t.Fatalf("%v, %v", rules, err)
	}
	if r := rules.Rules[0]; *r.RuleArn != rule || *r.Priority != "7" || *r.IsDefault || *r.Actions[0].TargetGroupArn != group ||
		*r.Conditions[0].Field != "path-pattern" || r.Conditions[0].PathPatternConfig.Values[0] != "/web/*" {
		t.Errorf("the rule is %+v", r)
	}
	if r := rules.Rules[1]; !*r.IsDefault || *r.Priority != "default" || *r.Actions[0].FixedResponseConfig.StatusCode != "404" {
		t.Errorf("the default is %+v", r)
	}

	groups, err := client.DescribeTargetGroups(t.Context(), &sdk.DescribeTargetGroupsInput{LoadBalancerArn: &b.balancer})
	if err != nil || len(groups.TargetGroups) != 1 {
		t.Fatalf("%v, %v", groups, err)
	}
	if g := groups.TargetGroups[0]; *g.TargetGroupArn != group || *g.Port != 8000 || *g.HealthCheckPath != "/health" || *g.Matcher.HttpCode != "200" ||
		*g.HealthCheckIntervalSeconds != 30 || *g.HealthyThresholdCount != 5 || *g.UnhealthyThresholdCount != 2 || g.LoadBalancerArns[0] != b.balancer || len(*g.TargetGroupName) > 32 {
		t.Errorf("the target group is %+v", g)
	}
	var paged []string
	pages := sdk.NewDescribeTargetGroupsPaginator(client, &sdk.DescribeTargetGroupsInput{PageSize: aws.Int32(1)})
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range out.TargetGroups {
			paged = append(paged, *g.TargetGroupArn)
		}
	}
	if diff := cmp.Diff([]string{group, idle}, paged); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}

	_, err = client.DescribeLoadBalancers(t.Context(), &sdk.DescribeLoadBalancersInput{Names: []string{"none"}})
	wantAPICode(t, err, "LoadBalancerNotFound")
	_, err = client.DescribeListeners(t.Context(), &sdk.DescribeListenersInput{ListenerArns: []string{"arn:none"}})
	wantAPICode(t, err, "ListenerNotFound")
	_, err = client.DescribeRules(t.Context(), &sdk.DescribeRulesInput{ListenerArn: aws.String("arn:none")})
	wantAPICode(t, err, "ListenerNotFound")
	_, err = client.DescribeTags(t.Context(), &sdk.DescribeTagsInput{ResourceArns: []string{group}})
	wantAPICode(t, err, "UnsupportedOperation")
}
