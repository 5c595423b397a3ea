package account_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// may tells whether a role is allowed an action on a resource, whatever the conditions.
func (s *stack) may(role, action, resource string) bool {
	return slices.ContainsFunc(s.rights(role), func(right statement) bool {
		matches := func(text string) func(string) bool { return func(pattern string) bool { return like(pattern, text) } }
		return right.Effect == "Allow" && slices.ContainsFunc(right.Action, matches(action)) && slices.ContainsFunc(right.Resource, matches(resource))
	})
}

// passes are the roles that a role hands over, and to whom.
func (s *stack) passes(role string) []string {
	var passed []string
	for _, right := range s.rights(role) {
		if slices.Contains(right.Action, "iam:PassRole") {
			passed = append(passed, strings.Join(right.Resource, " ")+" "+fmt.Sprint(right.Condition["StringEquals"]))
		}
	}
	return passed
}

const (
	stacks = "arn:aws:cloudformation:eu-central-1:111122223333:stack/"
	named  = "arn:aws:iam::111122223333:role/fearless-shop-"
)

// Rolling back makes no stack, ends none, and brings in no template from the bucket.
func TestRollbackGoesBackOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *stack) {
		for _, action := range []string{
			"cloudformation:CreateStack", "cloudformation:UpdateStack", "cloudformation:DeleteStack", "cloudformation:SetStackPolicy", "ec2:RunInstances",
		} {
			if s.allows("RollbackRole", action) {
				t.Errorf("rollback may %s", action)
			}
		}
		for _, prefix := range []string{"templates", "previews", "bakes"} {
			if s.may("RollbackRole", "s3:GetObject", "arn:aws:s3:::fearless-111122223333-eu-central-1/"+prefix+"/shop/x.json") {
				t.Errorf("rollback reads %s/", prefix)
			}
		}
		if !s.may("RollbackRole", "cloudformation:ExecuteChangeSet", stacks+"shop-production/1") || s.may("RollbackRole", "cloudformation:ExecuteChangeSet", stacks+"other-production/1") {
			t.Error("rollback must reach the stacks of its application, and no others")
		}
		if got := s.passes("RollbackRole"); len(got) != 1 || got[0] != named+"servers map[iam:PassedToService:cloudformation.amazonaws.com]" {
			t.Errorf("rollback hands over %q", got)
		}
	})
}

// Whoever may make test environments can reach nothing else: neither by the pipe's own role, nor by those that it hands
// over. Production cannot be destroyed, whatever the pipe is told.
func TestTestEnvironmentsAreKeptApart(t *testing.T) {
	t.Parallel()
	const (
		groups    = "arn:aws:autoscaling:eu-central-1:111122223333:autoScalingGroup:1:autoScalingGroupName/"
		schedules = "arn:aws:scheduler:eu-central-1:111122223333:schedule/"
	)
	each(t, func(t *testing.T, s *stack) {
		for _, right := range []struct{ role, action, own, foreign string }{
			{"TestEnvRole", "cloudformation:CreateStack", stacks + "test-shop-11111111/1", stacks + "shop-test/1"},
			{"TestEnvRole", "cloudformation:DeleteStack", stacks + "test-shop-11111111/1", stacks + "shop-production/1"},
			{"TestEnvRole", "cloudformation:DeleteStack", stacks + "test-shop-11111111/1", stacks + "test-other-11111111/1"},
			{"TestEnvRole", "scheduler:CreateSchedule", schedules + "fearless/test-shop-11111111", schedules + "default/test-shop-11111111"},
			{"TestEnvRole", "scheduler:DeleteSchedule", schedules + "fearless/test-shop-11111111", schedules + "fearless/test-other-11111111"},
			{"TestRole", "autoscaling:DeleteAutoScalingGroup", groups + "test-shop-11111111-AllGroup-1", groups + "shop-production-WebGroup-1"},
			{"TestRole", "iam:PassRole", "arn:aws:iam::111122223333:role/shop-testing-base-InstanceRole-1", "arn:aws:iam::111122223333:role/shop-production-base-InstanceRole-1"},
			{"ReaperRole", "cloudformation:DeleteStack", stacks + "test-shop-11111111/1", stacks + "shop-production/1"},
			{boundary, "cloudformation:SignalResource", stacks + "test-shop-11111111/1", stacks + "test-other-11111111/1"},
		} {
			if !s.may(right.role, right.action, right.own) || s.may(right.role, right.action, right.foreign) {
				t.Errorf("%s: %s must be allowed on %s, and not on %s", right.role, right.action, right.own, right.foreign)
			}
		}
		// What cannot be told apart by name is told apart by tags.
		for _, right := range s.rights("TestRole") {
			for _, action := range right.Action {
				where := fmt.Sprint(right.Condition)
				switch action {
				case "ec2:TerminateInstances":
					t.Error("CloudFormation ends no server itself")
				case "elasticloadbalancing:DeleteTargetGroup":
					if !strings.Contains(where, "aws:ResourceTag/fearless:application:shop aws:ResourceTag/fearless:kind:test") {
						t.Errorf("%s if %s", action, where)
					}
				case "ec2:RunInstances":
					if strings.Contains(strings.Join(right.Resource, " "), ":instance/") && !strings.Contains(where, "aws:RequestTag/fearless:environment:test") {
						t.Errorf("%s if %s", action, where)
					}
				}
			}
		}
		want := []string{
			named + "test map[iam:PassedToService:cloudformation.amazonaws.com]", named + "reaper map[iam:PassedToService:scheduler.amazonaws.com]",
		}
		if got := s.passes("TestEnvRole"); !slices.Equal(got, want) {
			t.Errorf("test-env hands over %q", got)
		}
		if got := s.passes("ReaperRole"); !slices.Equal(got, want[:1]) || len(s.rights("ReaperRole")) != 2 {
			t.Errorf("the reaper hands over %q, and more: %+v", got, s.rights("ReaperRole"))
		}
	})
}

// Nobody but EventBridge Scheduler takes the reaper's role, and only for schedules of our group in this account.
func TestReaperIsForOurSchedules(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *stack) {
		trust := statements(s.properties("ReaperRole")["AssumeRolePolicyDocument"])
		want := "map[StringEquals:map[aws:SourceAccount:111122223333 aws:SourceArn:arn:aws:scheduler:eu-central-1:111122223333:schedule-group/fearless]]"
		raw := fmt.Sprint(s.properties("ReaperRole")["AssumeRolePolicyDocument"])
		if len(trust) != 1 || fmt.Sprint(trust[0].Condition) != want || !strings.Contains(raw, "Principal:map[Service:scheduler.amazonaws.com]") {
			t.Errorf("the reaper's role trusts %s", raw)
		}
	})
}
