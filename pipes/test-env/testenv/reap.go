package testenv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/stack"
)

const (
	// lookAgain is the time between two looks at stacks that are being deleted.
	lookAgain = 5 * time.Second

	// youngSchedule is the age below which a schedule without a stack may be that of a
	// run which is about to make one.
	youngSchedule = time.Hour
)

// condemned is an environment that must go.
type condemned struct {
	Environment
	why  string
	last string // what was said against its deletion
}

// reap deletes what should be gone: environments whose time is over, which never came to
// life or are half deleted, and schedules of what is gone. Tags and schedules say which;
// no clone is needed. It ends well only when nothing is left.
func (r *run) reap(ctx context.Context) (pipe.Result, error) {
	doomed, alive, err := r.condemn(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range doomed {
		r.rt.Console.Info("%s goes: %s", c.Stack.Name, c.why)
	}
	result := &Result{Application: r.s.Application, Outcome: OutcomeReaped}
	if err := r.deleteAll(ctx, doomed); err != nil {
		return nil, err
	}
	schedules, err := r.sweepSchedules(ctx)
	if err != nil {
		return nil, err
	}
	left, _, err := r.condemn(ctx)
	if err != nil {
		return nil, err
	}
	orphans, err := r.orphans(ctx)
	if err != nil {
		return nil, err
	}
	remaining := len(left) + len(orphans)
	result.Left = &remaining
	result.Reaped = len(doomed) - len(left)
	for _, e := range alive {
		result.Environments = append(result.Environments, r.row(e))
	}
	r.rt.Console.Info("Removed %d environments and %d schedules; %d may stay; left: %d", result.Reaped, schedules, len(alive), remaining)
	if remaining > 0 {
		return result, r.resists(doomed, left, orphans)
	}
	r.rt.Console.Success("Nothing is left that should be gone")
	return result, nil
}

// condemn tells environments that must go from those that may stay.
func (r *run) condemn(ctx context.Context) (doomed []condemned, alive []Environment, err error) {
	found, err := r.environments(ctx)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	for _, e := range found {
		why := e.doomed(now)
		if why != "" && !now.Before(e.Expires) { // it may have been extended
			if e.Armed, err = r.armed(ctx, e.Stack.Name); err != nil {
				return nil, nil, err
			}
			why = e.doomed(now)
		}
		if why == "" {
			alive = append(alive, e)
			continue
		}
		doomed = append(doomed, condemned{Environment: e, why: why})
	}
	return doomed, alive, nil
}

// deleteAll deletes all of them at once, and again what does not go at first.
func (r *run) deleteAll(ctx context.Context, doomed []condemned) error {
	for range attempts {
		for i := range doomed {
			if err := r.beginDelete(ctx, &doomed[i]); err != nil {
				return err
			}
		}
		left, err := r.settle(ctx, doomed)
		if err != nil || len(left) == 0 {
			return err
		}
	}
	return nil
}

// beginDelete asks CloudFormation to delete one. A refusal is kept for later: others may
// go, and this one is tried again.
func (r *run) beginDelete(ctx context.Context, c *condemned) error {
	if !ours(r.s.Application, c.Stack) {
		return exit.Unablef("stack %s is none of ours; this is a bug", c.Stack.Name)
	}
	in := &cloudformation.DeleteStackInput{StackName: &c.Stack.ID}
	if r.serviceRole != "" {
		in.RoleARN = &r.serviceRole
	}
	_, err := r.CFN.DeleteStack(ctx, in)
	var refused smithy.APIError
	switch {
	case ctx.Err() != nil:
		return exit.Unablef("%w", context.Cause(ctx))
	case errors.As(err, &refused):
		c.last = refused.ErrorMessage()
	case err != nil:
		c.last = err.Error()
	default:
		c.last = ""
	}
	return nil
}

// settle waits until none of them is at work any more, and returns those that are still
// there. One question for all of them at a time keeps the number of calls low.
func (r *run) settle(ctx context.Context, doomed []condemned) (left []string, err error) {
	for {
		all, err := stack.All(ctx, r.CFN)
		if err != nil && (ctx.Err() != nil || !stack.Passing(err)) {
			return nil, exit.Unablef("%w", err)
		}
		left = nil
		busy := 0
		for i := range doomed {
			at := slices.IndexFunc(all, func(s *stack.Stack) bool { return s.ID == doomed[i].Stack.ID })
			if at < 0 {
				continue
			}
			doomed[i].Stack = all[at]
			left = append(left, all[at].Name)
			if all[at].Status.Busy() {
				busy++
			} else if all[at].Reason != "" && doomed[i].last == "" {
				doomed[i].last = all[at].Reason
			}
		}
		if err == nil && busy == 0 {
			return left, nil
		}
		r.waiting.Update("%d of %d environments are being deleted", busy, len(doomed))
		if err := stack.Pause(ctx, lookAgain); err != nil {
			return nil, exit.Unablef("%w", err)
		}
	}
}

// orphans are schedules of environments that are not there any more.
func (r *run) orphans(ctx context.Context) ([]schedule, error) {
	schedules, err := r.schedules(ctx)
	if err != nil || len(schedules) == 0 {
		return nil, err
	}
	all, err := stack.All(ctx, r.CFN)
	if err != nil {
		return nil, exit.Unablef("%w", err)
	}
	return slices.DeleteFunc(schedules, func(s schedule) bool {
		return time.Since(s.changed) < youngSchedule || slices.ContainsFunc(all, func(o *stack.Stack) bool { return o.Name == s.name })
	}), nil
}

// sweepSchedules takes schedules away that have nothing left to end.
func (r *run) sweepSchedules(ctx context.Context) (removed int, err error) {
	orphans, err := r.orphans(ctx)
	if err != nil {
		return 0, err
	}
	for _, s := range orphans {
		if err := r.disarm(ctx, s.name); err != nil {
			r.rt.Console.Warn("%v", err)
			continue
		}
		removed++
	}
	return removed, nil
}

// resists says what is left, and why.
func (r *run) resists(doomed, left []condemned, orphans []schedule) error {
	var lines []string
	for _, l := range left {
		why := l.why
		if at := slices.IndexFunc(doomed, func(c condemned) bool { return c.Stack.ID == l.Stack.ID }); at >= 0 && doomed[at].last != "" {
			why += ", and cannot be deleted: " + doomed[at].last
		}
		lines = append(lines, fmt.Sprintf("stack %s (%s): %s", l.Stack.Name, l.Stack.Status, why))
	}
	for _, s := range orphans {
		lines = append(lines, "schedule "+s.name)
	}
	return exit.Refusedf("%d things are left that should be gone, and cost money:\n  %s", len(lines), strings.Join(lines, "\n  ")).
		Hint("mend what CloudFormation names, then reap again")
}

// gone recognises a stack that was deleted in between.
func gone(err error) bool {
	var refused smithy.APIError
	return errors.As(err, &refused) && refused.ErrorCode() == "ValidationError" && strings.Contains(refused.ErrorMessage(), "does not exist")
}
