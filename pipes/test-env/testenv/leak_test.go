package testenv_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schtypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// balanced is what the balancer has: target groups and rules, testing's own apart.
func (l *place) balanced() string {
	l.T.Helper()
	ctx, api := l.T.Context(), l.Reach().ELB
	groups, err := api.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{})
	if err != nil {
		l.T.Fatal(err)
	}
	listener := l.Stack("shop-testing-base").Outputs["ListenerArn"]
	rules, err := api.DescribeRules(ctx, &elbv2.DescribeRulesInput{ListenerArn: &listener})
	if err != nil {
		l.T.Fatal(err)
	}
	return fmt.Sprintf("%d target groups, %d rules", len(groups.TargetGroups), len(rules.Rules)-1)
}

// tagged are the servers and stacks that carry the tag of test environments of shop.
func (l *place) tagged() []string {
	all := []string{}
	for _, i := range l.Cloud.Instances() {
		if i.Tags["fearless:application"] == application && i.Tags["fearless:kind"] == "test" && i.State != "terminated" {
			all = append(all, "server "+i.ID+" "+i.State)
		}
	}
	for _, s := range l.shown() {
		if !strings.Contains(s, bystander) && !strings.Contains(s, "test-shop-eu") {
			all = append(all, "stack "+s)
		}
	}
	for _, s := range l.armed() {
		if !strings.Contains(s, bystander) && !strings.Contains(s, "test-shop-eu") && !strings.HasPrefix(s, "shop-production") {
			all = append(all, "schedule "+s)
		}
	}
	return all
}

// bystander is the commit in the name of a stack that is not ours: it has our name and
// none of our tags.
const bystander = "99999999"

// bystanders are things that look like ours, each by a half.
func (l *place) bystanders() {
	l.T.Helper()
	ours := map[string]string{"fearless:kind": "test", "fearless:application": application, "fearless:commit": good3, "fearless:expires": "1999-01-01T00:00:00Z"}
	l.make(stack.Proposal{Stack: "test-shop-" + bystander, Body: trifle})                            // our name, not our tags
	l.make(stack.Proposal{Stack: "shop-production", Body: trifle, Tags: ours})                       // our tags, not our name
	l.make(stack.Proposal{Stack: "test-shop-eu-" + good3[:8], Body: trifle, Tags: map[string]string{ // another application's
		"fearless:kind": "test", "fearless:application": "shop-eu", "fearless:commit": good3, "fearless:expires": "1999-01-01T00:00:00Z"}})
	for _, name := range []string{"test-shop-" + bystander, "test-shop-eu-" + good3[:8], "shop-production"} {
		input, _ := json.Marshal(map[string]string{"StackName": name})
		_, err := l.Reach().Schedules.CreateSchedule(l.T.Context(), &scheduler.CreateScheduleInput{
			Name: aws.String(name), GroupName: aws.String("fearless"), ScheduleExpression: aws.String("at(2030-01-01T00:00:00)"),
			FlexibleTimeWindow: &schtypes.FlexibleTimeWindow{Mode: schtypes.FlexibleTimeWindowModeOff},
			Target: &schtypes.Target{
				Arn:     aws.String("arn:aws:scheduler:::aws-sdk:cloudformation:deleteStack"),
				RoleArn: aws.String(l.Cloud.Parameter("/fearless/test/shop/schedule-role")), Input: aws.String(string(input)),
			},
		})
		if err != nil {
			l.T.Fatal(err)
		}
	}
}

// standing are the bystanders that are there.
func (l *place) standing() []string {
	all := []string{}
	for _, name := range []string{"test-shop-" + bystander, "shop-production", "test-shop-eu-" + good3[:8]} {
		all = append(all, name+" "+l.Stack(name).Status)
		if slices.ContainsFunc(l.armed(), func(s string) bool { return strings.HasPrefix(s, name+" ") }) {
			all = append(all, "schedule "+name)
		}
	}
	return all
}

// TestNothingLeaks makes fifty environments, whose pipelines are killed at whatever call,
// lets schedules fail and deletes be refused, takes the clone away as a deleted branch
// does, and reaps twice, the first time killed as well: nothing is left that carries our
// tags, and nobody else has lost anything.
func TestNothingLeaks(t *testing.T) {
	seeds := uint64(1)
	if lab.Every() {
		seeds = 8
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { leak(t, rand.New(rand.NewPCG(seed, 50))) })
		})
	}
}

func leak(t *testing.T, r *rand.Rand) {
	l := newPlace(t)
	l.bystanders()
	before := l.standing()
	l.Cloud.FailSchedules("fearless/test-shop-", "the service is not well", 300+r.IntN(300))
	kills, made := 0, 0
	for range 50 {
		commit := fmt.Sprintf("%016x%024x", r.Uint64(), r.Uint64())
		l.index(commit, func(record *image.Record) { record.Image = l.Cloud.Images()[0].ID })
		variables := []string{"COMMIT=" + commit, "MAX_ENVIRONMENTS=90", fmt.Sprintf("TTL=%dm", 30+r.IntN(90))}
		if r.IntN(4) == 0 {
			variables = append(variables, "KEEP_FAILED=true")
		}
		var plan fault.Plan
		if r.IntN(4) > 0 {
			plan = fault.At(1+r.IntN(30), []fault.Fault{fault.KilledBefore, fault.KilledAfter}[r.IntN(2)])
		}
		if o := l.run(plan, variables...); o.Code == exit.Unable {
			kills++
		} else if o.Code == exit.Passed {
			made++
		}
		if r.IntN(5) == 0 {
			l.run(plan, append(variables, "ACTION="+[]string{"extend", "destroy", "reap"}[r.IntN(3)])...)
		}
		if r.IntN(6) == 0 {
			l.Cloud.RefuseDelete([]string{"AllTargets", "AllGroup", "AllRule", "AllTemplate"}[r.IntN(4)], "in use by somebody", 1+r.IntN(3))
		}
		pass(time.Duration(r.IntN(6)) * time.Minute)
	}
	if kills < 10 || made < 5 {
		t.Errorf("of fifty runs %d were killed and %d went well: too few to mean anything", kills, made)
	}
	left := len(l.tagged())
	if err := os.RemoveAll(l.Clone); err != nil { // the branch is gone, and its clone with it
		t.Fatal(err)
	}
	l.Clone = t.TempDir()
	pass(2 * time.Hour)
	l.run(fault.At(5+r.IntN(60), fault.KilledAfter), "ACTION=reap")
	pass(2 * time.Hour)
	l.act("reap", "").Expect(t, exit.Passed, "left: 0")
	pass(time.Hour)
	if l.check("tagged with ours", l.tagged()); l.balanced() != "0 target groups, 0 rules" {
		t.Errorf("the balancer has %s", l.balanced())
	}
	l.check("bystanders", l.standing(), before...)
	lab.Say("test-env, simulated time: of 50 environments %d runs were killed and %d went well; %d tagged things before two reaps, %d after, %d bystanders untouched",
		kills, made, left, len(l.tagged()), len(before))
}
