package testenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"bitbucket.org/fearless/pipes/shared/exit"
)

const (
	// scheduleGroup has all our schedules; account.yml makes it.
	scheduleGroup = "fearless"

	// deleteStack is the call that a schedule makes.
	deleteStack = "arn:aws:scheduler:::aws-sdk:cloudformation:deleteStack"

	// A stack that is being updated cannot be deleted; the schedule tries again for six
	// hours, and what resists is left to the nightly run.
	retries   = 20
	retryTime = 6 * time.Hour

	// moment is how a schedule writes a time, in UTC.
	moment = "2006-01-02T15:04:05"
)

// schedule is one that is there.
type schedule struct {
	name    string
	changed time.Time // or made
}

// arm makes the schedule that ends an environment, or gives it another time. Nothing is
// created before this has worked. The name of the schedule is that of the stack.
func (r *run) arm(ctx context.Context, name string, at time.Time) error {
	input, err := json.Marshal(struct {
		StackName string
		RoleARN   string `json:",omitempty"`
	}{name, r.serviceRole})
	if err != nil {
		return exit.Unablef("%w", err)
	}
	in := &scheduler.CreateScheduleInput{
		Name: &name, GroupName: aws.String(scheduleGroup), ScheduleExpression: aws.String("at(" + at.UTC().Format(moment) + ")"),
		ScheduleExpressionTimezone: aws.String("UTC"), Description: aws.String("Ends the test environment " + name),
		FlexibleTimeWindow:    &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		ActionAfterCompletion: types.ActionAfterCompletionDelete,
		Target: &types.Target{
			Arn: aws.String(deleteStack), RoleArn: &r.scheduleRole, Input: aws.String(string(input)),
			RetryPolicy: &types.RetryPolicy{
				MaximumRetryAttempts: aws.Int32(retries), MaximumEventAgeInSeconds: aws.Int32(int32(retryTime / time.Second)),
			},
		},
	}
	_, err = r.scheduler.CreateSchedule(ctx, in)
	var there *types.ConflictException
	if errors.As(err, &there) {
		_, err = r.scheduler.UpdateSchedule(ctx, &scheduler.UpdateScheduleInput{
			Name: in.Name, GroupName: in.GroupName, ScheduleExpression: in.ScheduleExpression,
			ScheduleExpressionTimezone: in.ScheduleExpressionTimezone, Description: in.Description,
			FlexibleTimeWindow: in.FlexibleTimeWindow, ActionAfterCompletion: in.ActionAfterCompletion, Target: in.Target,
		})
		if absent(err) { // its time came in between
			_, err = r.scheduler.CreateSchedule(ctx, in)
		}
	}
	if err == nil {
		return nil
	}
	e := exit.Unablef("the end of %s cannot be scheduled: %w", name, err)
	if absent(err) {
		return e.Hint("the group of schedules " + scheduleGroup + " is made by account.yml: deploy it again for this application")
	}
	return e
}

func absent(err error) bool {
	var gone *types.ResourceNotFoundException
	return errors.As(err, &gone)
}

// armed is when the schedule of an environment ends it; zero: there is none.
func (r *run) armed(ctx context.Context, name string) (time.Time, error) {
	at, _, err := r.schedule(ctx, name)
	return at, err
}

// schedule is the time of a schedule, and when it was given that.
func (r *run) schedule(ctx context.Context, name string) (at, changed time.Time, err error) {
	out, err := r.scheduler.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: &name, GroupName: aws.String(scheduleGroup)})
	if absent(err) {
		return time.Time{}, time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, time.Time{}, exit.Unablef("the schedule of %s cannot be read: %w", name, err)
	}
	text := strings.TrimSuffix(strings.TrimPrefix(aws.ToString(out.ScheduleExpression), "at("), ")")
	at, err = time.Parse(moment, text)
	if err != nil || out.State == types.ScheduleStateDisabled {
		return time.Time{}, time.Time{}, nil // somebody has changed it: what ends nothing counts as none
	}
	return at, aws.ToTime(out.LastModificationDate), nil
}

// ensure makes sure that an environment which is there has its schedule, and as late as it
// was promised, whatever others have done meanwhile who asked for less, or who thought that
// it was gone.
func (r *run) ensure(ctx context.Context, e *Environment) error {
	at, err := r.armed(ctx, e.Stack.Name)
	if err != nil {
		return err
	}
	if at.Before(e.ends()) {
		return r.arm(ctx, e.Stack.Name, e.ends())
	}
	e.Armed = at
	return nil
}

// disarm takes a schedule away; one that is gone is fine.
func (r *run) disarm(ctx context.Context, name string) error {
	_, err := r.scheduler.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: &name, GroupName: aws.String(scheduleGroup)})
	if err == nil || absent(err) {
		return nil
	}
	return fmt.Errorf("the schedule %s cannot be deleted: %w", name, err)
}

// schedules are those of the application's environments: named like one, and made to
// delete stacks.
func (r *run) schedules(ctx context.Context) ([]schedule, error) {
	var all []schedule
	pages := scheduler.NewListSchedulesPaginator(r.scheduler, &scheduler.ListSchedulesInput{
		GroupName: aws.String(scheduleGroup), NamePrefix: aws.String(prefix(r.s.Application)),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, exit.Unablef("the schedules cannot be listed: %w", err)
		}
		for _, s := range page.Schedules {
			if s.Target == nil || aws.ToString(s.Target.Arn) != deleteStack || !named(r.s.Application, aws.ToString(s.Name)) {
				continue
			}
			all = append(all, schedule{name: aws.ToString(s.Name), changed: aws.ToTime(s.LastModificationDate)})
		}
	}
	return all, nil
}
