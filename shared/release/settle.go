package release

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// Settle waits until a stack can be changed, and brings it there when it cannot get
// there by itself. A stack that is not there, or never came to life, gives nil.
//
// An update that is under way to our own target is the one we came for, started by a
// run that was killed or by a parallel one: it is handed back to be followed.
func (o *Operator) Settle(ctx context.Context, name, target string) (now *stack.Stack, ours bool, err error) {
	for {
		s, ours, err := o.resting(ctx, name, target)
		if s == nil || ours || err != nil {
			return s, ours, err
		}
		switch {
		case s.Status == stack.ReviewInProgress:
			return nil, false, nil // nothing was made yet: the next change set makes it
		case s.Status == stack.UpdateFailed || s.Status == stack.DeleteFailed && o.Protected:
			return nil, false, stuck(s)
		case s.Status != stack.UpdateRollbackFailed && !s.Status.Dead():
			return s, false, nil
		case o.Look:
			return nil, false, exit.Refusedf("stack %s is %s: a deploy would mend that first, and a preview changes nothing", name, s.Status)
		case s.Status.Dead():
			return nil, false, o.removeDead(ctx, s)
		default:
			if err := o.continueRollback(ctx, s); err != nil {
				return nil, false, err
			}
		}
	}
}

// Resting waits until nothing happens to a stack; nil: there is none.
func (o *Operator) Resting(ctx context.Context, name string) (*stack.Stack, error) {
	now, _, err := o.resting(ctx, name, "")
	return now, unable(err)
}

// resting waits until nothing happens to a stack; nil: there is none. An operation with
// our own target is handed back at once.
func (o *Operator) resting(ctx context.Context, name, target string) (now *stack.Stack, ours bool, err error) {
	for {
		s, err := stack.Describe(ctx, o.CFN, name)
		if err != nil || s == nil {
			return nil, false, err
		}
		if err := o.Own(s); err != nil {
			return nil, false, err
		}
		if !s.Status.Busy() {
			return s, false, nil
		}
		if ours, err := o.waitOrFollow(ctx, s, target); ours || err != nil {
			return s, ours, err
		}
	}
}

// stuck is a stack that only people bring back: to do it here could take away servers or
// data that somebody meant to keep.
func stuck(s *stack.Stack) error {
	if s.Status == stack.DeleteFailed {
		return exit.Refusedf("stack %s of a protected environment is half deleted (%s)", s.Name, s.Reason).
			Hint("delete the rest of it by hand, keeping what is to be kept, then run the pipe again")
	}
	return exit.Unablef("stack %s is %s: somebody has updated it with its rollback switched off (%s)", s.Name, s.Status, s.Reason).
		Hint("take that update back: aws cloudformation rollback-stack --stack-name "+s.Name, "then run the pipe again")
}

// waitOrFollow waits for an operation of somebody else to end. One that leads to our own
// target, and is not being taken back, is ours to follow.
func (o *Operator) waitOrFollow(ctx context.Context, s *stack.Stack, target string) (ours bool, err error) {
	latest, err := stack.Latest(ctx, o.CFN, s.ID)
	if err != nil {
		return false, err
	}
	if target != "" && strings.HasPrefix(latest.Token, tokenPrefix(target)) && !strings.Contains(string(s.Status), "ROLLBACK") {
		return true, nil
	}
	o.Console.Info("Stack %s is busy (%s%s): waiting for that to end", s.Name, s.Status, startedBy(latest.Token))
	_, _, err = stack.Follow(ctx, o.CFN, s.ID, latest.ID, o.Quietly)
	return false, err
}

// removeDead deletes a stack that can do nothing else any more.
func (o *Operator) removeDead(ctx context.Context, s *stack.Stack) error {
	what := "never came to life"
	if s.Status == stack.DeleteFailed {
		what = "is half deleted"
	}
	o.Console.Warn("Stack %s %s (%s): removing it and starting anew", s.Name, what, s.Status)
	final, _, err := stack.Delete(ctx, o.CFN, s, o.serviceRole(s.Name), o.Quietly)
	if err != nil {
		return err
	}
	if final.Status != stack.DeleteComplete {
		return exit.Unablef("stack %s cannot be removed (%s: %s)", s.Name, final.Status, final.Reason)
	}
	return nil
}

// Own refuses a stack that this application and environment did not make. One under
// review holds nothing, and no tags either before its first change set is executed; so
// it may be removed, and that may be under way.
func (o *Operator) Own(s *stack.Stack) error {
	if len(s.Tags) == 0 && (s.Status == stack.ReviewInProgress || s.Status == stack.DeleteInProgress) {
		return nil
	}
	application, name := s.Tags[environment.TagApplication], s.Tags[environment.TagEnvironment]
	if application == o.Application && name == o.Environment {
		return nil
	}
	return exit.Refusedf("stack %s was not made by this pipe for %s of %s (its tags say %q of %q)",
		s.Name, o.Environment, o.Application, name, application).
		Hint("rename the application or the environment, or remove that stack")
}

func (o *Operator) continueRollback(ctx context.Context, s *stack.Stack) error {
	o.Console.Warn("The last rollback of stack %s failed (%s): continuing it", s.Name, s.Reason)
	latest, err := stack.Latest(ctx, o.CFN, s.ID)
	if err != nil {
		return err
	}
	if _, err := o.CFN.ContinueUpdateRollback(ctx, &cloudformation.ContinueUpdateRollbackInput{StackName: &s.ID}); err != nil {
		return contested(fmt.Errorf("the rollback of stack %s cannot be continued: %w", s.Name, err))
	}
	final, events, err := stack.Follow(ctx, o.CFN, s.ID, latest.ID, o.Quietly)
	if err != nil {
		return err
	}
	if final.Status == stack.UpdateRollbackFailed {
		return exit.Unablef("the rollback of stack %s fails again: %s", s.Name, Why(final, events)).
			Hint("mend what it names, then run the pipe again")
	}
	return nil
}

// Quietly follows without a line for each event.
func (o *Operator) Quietly(_ context.Context, now *stack.Stack, _ []stack.Event) error {
	o.wait("%s is %s", now.Name, now.Status)
	return nil
}
