package localcloud_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	"bitbucket.org/fearless/pipes/shared/localcloud/journal"
)

// agenda is a cloud with an application and the clients that test
// environments need.
type agenda struct {
	*bench
	schedules *scheduler.Client
	stacks    *cloudformation.Client
}

func newAgenda(t *testing.T) *agenda {
	t.Helper()
	b := setup(t, localcloud.CloudLike())
	b.cloud.AddApplication("shop")
	return &agenda{b, scheduler.NewFromConfig(b.config), cloudformation.NewFromConfig(b.config)}
}

// in is the expression for a time to come, in whole seconds.
func in(d time.Duration) string {
	return time.Now().Add(d).UTC().Format("at(2006-01-02T15:04:05)")
}

// deletion is a schedule that deletes a stack.
func (a *agenda) deletion(stack string, after time.Duration) *scheduler.CreateScheduleInput {
	role, service := a.cloud.Parameter("/fearless/test/shop/schedule-role"), a.cloud.Parameter("/fearless/test/shop/service-role")
	return &scheduler.CreateScheduleInput{
		Name: aws.String(stack), GroupName: aws.String(localcloud.ScheduleGroup), ScheduleExpression: aws.String(in(after)),
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff}, ActionAfterCompletion: types.ActionAfterCompletionDelete,
		Target: &types.Target{
			Arn: aws.String("arn:aws:scheduler:::aws-sdk:cloudformation:deleteStack"), RoleArn: &role,
			Input:       aws.String(fmt.Sprintf(`{"StackName": %q, "RoleARN": %q}`, stack, service)),
			RetryPolicy: &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(3), MaximumEventAgeInSeconds: aws.Int32(3600)},
		},
	}
}

func (a *agenda) arm(in *scheduler.CreateScheduleInput) string {
	a.Helper()
	out, err := a.schedules.CreateSchedule(a.Context(), in)
	if err != nil {
		a.Fatal(err)
	}
	return *out.ScheduleArn
}

// stack makes a stack of one parameter.
func (a *agenda) stack(name string) {
	a.Helper()
	_, err := a.stacks.CreateChangeSet(a.Context(), &cloudformation.CreateChangeSetInput{
		StackName: &name, ChangeSetName: aws.String("first"), ChangeSetType: cfntypes.ChangeSetTypeCreate,
		TemplateBody: aws.String(`{"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}}}`),
		Tags:         []cfntypes.Tag{{Key: aws.String("fearless:kind"), Value: aws.String("test")}},
	})
	if err != nil {
		a.Fatal(err)
	}
	pause(time.Minute)
	if _, err := a.stacks.ExecuteChangeSet(a.Context(), &cloudformation.ExecuteChangeSetInput{
		StackName: &name, ChangeSetName: aws.String("first"), DisableRollback: aws.Bool(false)}); err != nil {
		a.Fatal(err)
	}
	pause(time.Minute)
	if got := a.status(name); got != "CREATE_COMPLETE" {
		a.Fatal(got, a.cloud.StackEvents(name))
	}
}

// status is the state of the newest stack of a name.
func (a *agenda) status(name string) (status string) {
	for _, st := range a.cloud.Stacks() {
		if st.Name == name {
			status = st.Status
		}
	}
	return status
}

func TestScheduleDeletesItsStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgenda(t)
		a.stack("test-shop-11111111")
		arn := a.arm(a.deletion("test-shop-11111111", 10*time.Hour))
		if arn != "arn:aws:scheduler:us-east-1:111122223333:schedule/fearless/test-shop-11111111" {
			t.Error(arn)
		}
		if got := a.cloud.Leftovers("object"); !cmp.Equal(got, []string{"schedule fearless/test-shop-11111111"}) {
			t.Errorf("left over: %q", got)
		}
		pause(9*time.Hour + 59*time.Minute)
		if got := a.status("test-shop-11111111"); got != "CREATE_COMPLETE" {
			t.Errorf("a minute before its time it is %s", got)
		}
		pause(2 * time.Minute)
		if got := a.status("test-shop-11111111"); got != "DELETE_COMPLETE" {
			t.Errorf("a minute after its time it is %s", got)
		}
		if left := a.cloud.Schedules(); len(left) != 0 {
			t.Errorf("left: %+v", left)
		}
		_, err := a.schedules.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: aws.String("test-shop-11111111"), GroupName: aws.String("fearless")})
		wantCode(t, err, "ResourceNotFoundException", "test-shop-11111111")
		// The call came from a session of the role, over the API.
		calls := a.cloud.Journal().Entries(journal.Of("cloudformation:DeleteStack"))
		if len(calls) != 1 || !strings.HasPrefix(calls[0].AccessKey, "ASIA") || calls[0].Status != http.StatusOK {
			t.Errorf("calls: %+v", calls)
		}
	})
}

func TestScheduleIsExtended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgenda(t)
		a.stack("test-shop-11111111")
		first := a.deletion("test-shop-11111111", 2*time.Hour)
		a.arm(first)
		name := &scheduler.GetScheduleInput{Name: first.Name, GroupName: first.GroupName}
		before, err := a.schedules.GetSchedule(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if *before.ScheduleExpression != *first.ScheduleExpression || before.State != types.ScheduleStateEnabled || *before.ScheduleExpressionTimezone != "UTC" ||
			before.ActionAfterCompletion != types.ActionAfterCompletionDelete || *before.Target.Input != *first.Target.Input ||
			*before.Target.RetryPolicy.MaximumRetryAttempts != 3 || !before.CreationDate.Equal(time.Now()) {
			t.Errorf("%+v", before)
		}
		pause(time.Hour)
		later := a.deletion("test-shop-11111111", 4*time.Hour)
		// A full replacement: what is left out falls back.
		if _, err := a.schedules.UpdateSchedule(t.Context(), &scheduler.UpdateScheduleInput{
			Name: later.Name, GroupName: later.GroupName, ScheduleExpression: later.ScheduleExpression, FlexibleTimeWindow: later.FlexibleTimeWindow, Target: later.Target,
		}); err != nil {
			t.Fatal(err)
		}
		pause(2 * time.Hour) // past the first time
		after, err := a.schedules.GetSchedule(t.Context(), name)
		if err != nil || a.status("test-shop-11111111") != "CREATE_COMPLETE" {
			t.Fatal(a.status("test-shop-11111111"), err)
		}
		if after.ActionAfterCompletion != types.ActionAfterCompletionNone || !after.LastModificationDate.After(*after.CreationDate) {
			t.Errorf("%+v", after)
		}
		pause(3 * time.Hour)
		if got := a.cloud.Schedules(); a.status("test-shop-11111111") != "DELETE_COMPLETE" || len(got) != 1 || !got[0].Done || got[0].Attempts != 1 {
			t.Errorf("%s, %+v", a.status("test-shop-11111111"), got)
		}
	})
}

func TestScheduleRetries(t *testing.T) {
	for name, test := range map[string]struct {
		failures int
		status   string
	}{"within the policy": {3, "DELETE_COMPLETE"}, "longer": {4, "CREATE_COMPLETE"}} {
		synctest.Test(t, func(t *testing.T) {
			a := newAgenda(t)
			a.stack("test-shop-11111111")
			a.arm(a.deletion("test-shop-11111111", time.Hour))
			a.cloud.FailSchedules("fearless/other", "AccessDenied", 9)
			a.cloud.FailSchedules("fearless/test-shop-1", "AccessDenied", test.failures)
			pause(time.Hour + 30*time.Second)
			if got := a.cloud.Schedules(); len(got) != 1 || got[0].Attempts != 1 || got[0].Failure != "AccessDenied" || got[0].Done {
				t.Errorf("%s: after the first attempt %+v", name, got)
			}
			pause(time.Hour)
			if got := a.status("test-shop-11111111"); got != test.status || len(a.cloud.Schedules()) != 0 {
				t.Errorf("%s: the stack is %s, and of schedules there are %+v", name, got, a.cloud.Schedules())
			}
		})
	}
}

// What CloudFormation answers is the outcome of the call; the age of the event
// ends its retries.
func TestScheduleOfAProtectedStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgenda(t)
		a.stack("test-shop-11111111")
		if _, err := a.stacks.UpdateTerminationProtection(t.Context(), &cloudformation.UpdateTerminationProtectionInput{
			StackName: aws.String("test-shop-11111111"), EnableTerminationProtection: aws.Bool(true)}); err != nil {
			t.Fatal(err)
		}
		in := a.deletion("test-shop-11111111", time.Hour)
		in.ActionAfterCompletion = types.ActionAfterCompletionNone
		in.Target.RetryPolicy = &types.RetryPolicy{MaximumEventAgeInSeconds: aws.Int32(600)}
		a.arm(in)
		pause(2 * time.Hour)
		// After 1, 2 and 4 minutes; the next would be 15 minutes old.
		got := a.cloud.Schedules()
		if len(got) != 1 || got[0].Attempts != 4 || !got[0].Done || !strings.Contains(got[0].Failure, "ValidationError: Stack [test-shop-11111111] cannot be deleted") {
			t.Errorf("%+v", got)
		}
	})
}

// The same request with the same token is the same schedule, however often its
// reply is lost.
func TestScheduleTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgenda(t)
		a.faults.Plan = fault.On("scheduler:CreateSchedule", 1, fault.Lost)
		a.arm(a.deletion("test-shop-11111111", time.Hour))
		again := a.deletion("test-shop-11111111", time.Hour)
		_, err := a.schedules.CreateSchedule(t.Context(), again) // with a token of its own
		wantCode(t, err, "ConflictException", "already exists")
		if conflict := new(types.ConflictException); !errors.As(err, &conflict) {
			t.Errorf("%T is not the SDK's type", err)
		}
		one := a.deletion("test-shop-22222222", time.Hour)
		one.ClientToken = aws.String("token")
		if first, again := a.arm(one), a.arm(one); first != again || len(a.cloud.Schedules()) != 2 {
			t.Errorf("two schedules of one token: %s, %s", first, again)
		}
		one.Description = aws.String("another")
		_, err = a.schedules.CreateSchedule(t.Context(), one)
		wantCode(t, err, "ConflictException")

		a.faults.Plan = fault.On("scheduler:DeleteSchedule", 1, fault.Lost)
		remove := func() error { // the SDK gives each a token
			_, err := a.schedules.DeleteSchedule(t.Context(), &scheduler.DeleteScheduleInput{Name: aws.String("test-shop-11111111"), GroupName: aws.String("fearless")})
			return err
		}
		if err := remove(); err != nil {
			t.Error(err)
		}
		wantCode(t, remove(), "ResourceNotFoundException", "test-shop-11111111")
		pause(2 * time.Hour)
		if calls := a.cloud.Journal().Entries(journal.Of("cloudformation:DeleteStack")); len(calls) != 1 {
			t.Errorf("a deleted schedule came: %+v", calls)
		}
	})
}

func TestSchedulesInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgenda(t)
		for n := range 45 {
			a.arm(a.deletion(fmt.Sprintf("test-shop-%08d", n), time.Hour))
		}
		elsewhere := a.deletion("other", time.Hour)
		elsewhere.GroupName = nil
		a.arm(elsewhere)
		list := func(in *scheduler.ListSchedulesInput) (names []string) {
			for pages := scheduler.NewListSchedulesPaginator(a.schedules, in); pages.HasMorePages(); {
				page, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range page.Schedules {
					names = append(names, *s.GroupName+"/"+*s.Name)
				}
			}
			return names
		}
		if got := list(&scheduler.ListSchedulesInput{}); len(got) != 46 || got[45] != "default/other" {
			t.Errorf("all: %q", got)
		}
		if got := list(&scheduler.ListSchedulesInput{GroupName: aws.String("fearless"), NamePrefix: aws.String("test-shop-0000001"), MaxResults: aws.Int32(3)}); len(got) != 10 || got[0] != "fearless/test-shop-00000010" {
			t.Errorf("some: %q", got)
		}
		_, err := a.schedules.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{GroupName: aws.String("none")})
		wantCode(t, err, "ResourceNotFoundException", "none")
		_, err = a.schedules.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{NextToken: aws.String("x")})
		wantCode(t, err, "ValidationException", "NextToken")
		_, err = a.schedules.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{State: types.ScheduleStateEnabled})
		wantCode(t, err, "UnknownParameter", "State")
	})
}

func TestRefusedSchedules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgenda(t)
		for name, test := range map[string]struct {
			change func(*scheduler.CreateScheduleInput)
			code   string
			part   string
		}{
			"name":      {func(in *scheduler.CreateScheduleInput) { in.Name = aws.String("a b") }, "ValidationException", "a b"},
			"long name": {func(in *scheduler.CreateScheduleInput) { in.Name = aws.String(strings.Repeat("x", 65)) }, "ValidationException", "64"},
			"group":     {func(in *scheduler.CreateScheduleInput) { in.GroupName = aws.String("none") }, "ResourceNotFoundException", "Schedule group none"},
			"zone letter": {func(in *scheduler.CreateScheduleInput) {
				in.ScheduleExpression = aws.String("at(2030-01-01T00:00:00Z)")
			},
				"ValidationException", "Z"},
			"words": {func(in *scheduler.CreateScheduleInput) { in.ScheduleExpression = aws.String("tomorrow") }, "ValidationException", "tomorrow"},
			"past":  {func(in *scheduler.CreateScheduleInput) { in.ScheduleExpression = aws.String("at(1999-12-31T23:59:59)") }, "ValidationException", "past"},
			"again": {func(in *scheduler.CreateScheduleInput) { in.ScheduleExpression = aws.String("rate(1 day)") }, "UnsupportedOperation", "rate(1 day)"},
			"zone": {func(in *scheduler.CreateScheduleInput) { in.ScheduleExpressionTimezone = aws.String("Europe/Berlin") },
				"UnsupportedOperation", "Europe/Berlin"},
			"window": {func(in *scheduler.CreateScheduleInput) { in.FlexibleTimeWindow.Mode = "FLEXIBLE" }, "UnsupportedOperation", "FLEXIBLE"},
			"state":  {func(in *scheduler.CreateScheduleInput) { in.State = types.ScheduleStateDisabled }, "UnsupportedOperation", "DISABLED"},
			"action": {func(in *scheduler.CreateScheduleInput) { in.ActionAfterCompletion = "STOP" }, "ValidationException", "STOP"},
			"end":    {func(in *scheduler.CreateScheduleInput) { in.EndDate = aws.Time(time.Now()) }, "UnknownParameter", "EndDate"},
			"target": {func(in *scheduler.CreateScheduleInput) {
				in.Target.Arn = aws.String("arn:aws:scheduler:::aws-sdk:rds:stopDBCluster")
			}, "UnsupportedOperation", "rds"},
			"role": {func(in *scheduler.CreateScheduleInput) {
				in.Target.RoleArn = aws.String(a.cloud.Parameter("/fearless/test/shop/service-role"))
			}, "ValidationException", "execution role"},
			"retries": {func(in *scheduler.CreateScheduleInput) { in.Target.RetryPolicy.MaximumRetryAttempts = aws.Int32(186) }, "ValidationException", "185"},
			"age": {func(in *scheduler.CreateScheduleInput) {
				in.Target.RetryPolicy.MaximumEventAgeInSeconds = aws.Int32(59)
			}, "ValidationException", "59"},
			"input": {func(in *scheduler.CreateScheduleInput) {
				in.Target.Input = aws.String(`{"stackName": "x", "Force": true}`)
			}, "UnsupportedOperation", "Force"},
			"no stack": {func(in *scheduler.CreateScheduleInput) { in.Target.Input = aws.String(`{}`) }, "UnsupportedOperation", "StackName"},
			"queue": {func(in *scheduler.CreateScheduleInput) {
				in.Target.DeadLetterConfig = &types.DeadLetterConfig{Arn: aws.String("arn:aws:sqs:us-east-1:111122223333:q")}
			}, "UnknownParameter", "DeadLetterConfig"},
		} {
			in := a.deletion("test-shop-11111111", time.Hour)
			test.change(in)
			_, err := a.schedules.CreateSchedule(t.Context(), in)
			var api smithy.APIError
			if !errors.As(err, &api) || api.ErrorCode() != test.code || !strings.Contains(api.ErrorMessage(), test.part) {
				t.Errorf("%s: %v, want %s naming %q", name, err, test.code, test.part)
			}
		}
		if left := a.cloud.Schedules(); len(left) != 0 {
			t.Errorf("left: %+v", left)
		}
		_, err := a.schedules.ListScheduleGroups(t.Context(), &scheduler.ListScheduleGroupsInput{})
		wantCode(t, err, "UnsupportedOperation", "GET /schedule-groups")
	})
}

// The protocol has words of its own for callers and for throttling.
func TestSchedulerProtocolErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgenda(t)
		config := a.config
		config.Region = "eu-west-1"
		_, err := scheduler.NewFromConfig(config).ListSchedules(t.Context(), &scheduler.ListSchedulesInput{})
		wantCode(t, err, "SignatureDoesNotMatch", "eu-west-1")
		a.faults.Plan = fault.On("scheduler:ListSchedules", 2, fault.Throttle)
		if _, err := a.schedules.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{}); err != nil {
			t.Error(err) // the SDK recognises the code and tries again
		}
		a.faults.Plan = fault.On("scheduler:ListSchedules", 9, fault.Error(http.StatusInternalServerError, "InternalServerException"))
		_, err = a.schedules.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{})
		wantCode(t, err, "InternalServerException")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := a.schedules.ListSchedules(ended, &scheduler.ListSchedulesInput{}); err == nil {
			t.Error("a call of a context that has ended")
		}
	})
}
