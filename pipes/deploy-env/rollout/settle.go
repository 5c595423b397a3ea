package rollout

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// settle waits until a stack can be changed, and brings it there when it cannot get
// there by itself. A stack that is not there, or never came to life, gives nil.
//
// An update that is under way with our own digest is the one we came for, started by a
// run that was killed or by a parallel one: it is handed back to be followed.
func (d *deployer) settle(ctx context.Context, name, digest string) (now *stack.Stack, ours bool, err error) {
	for {
		s, ours, err := d.resting(ctx, name, digest)
		if s == nil || ours || err != nil {
			return s, ours, err
		}
		switch {
		case s.Status == stack.ReviewInProgress:
			return nil, false, nil // nothing was made yet: the next change set makes it
		case s.Status == stack.UpdateFailed || s.Status == stack.DeleteFailed && d.file.Protected:
			return nil, false, stuck(s)
		case s.Status != stack.UpdateRollbackFailed && !s.Status.Dead():
			return s, false, nil
		case d.s.Action == ActionPreview:
			return nil, false, exit.Refusedf("stack %s is %s: a deploy would mend that first, and a preview changes nothing", name, s.Status)
		case s.Status.Dead():
			return nil, false, d.removeDead(ctx, s)
		default:
			if err := d.continueRollback(ctx, s); err != nil {
				return nil, false, err
			}
		}
	}
}

// resting waits until nothing happens to a stack; nil: there is none. An operation with
// our own digest is handed back at once.
func (d *deployer) resting(ctx context.Context, name, digest string) (now *stack.Stack, ours bool, err error) {
	for {
		s, err := stack.Describe(ctx, d.cfn, name)
		if err != nil || s == nil {
			return nil, false, err
		}
		if err := d.own(s); err != nil {
			return nil, false, err
		}
		if !s.Status.Busy() {
			return s, false, nil
		}
		if ours, err := d.waitOrFollow(ctx, s, digest); ours || err != nil {
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
func (d *deployer) waitOrFollow(ctx context.Context, s *stack.Stack, digest string) (ours bool, err error) {
	latest, err := stack.Latest(ctx, d.cfn, s.ID)
	if err != nil {
		return false, err
	}
	if digest != "" && strings.HasPrefix(latest.Token, tokenPrefix(digest)) && !strings.Contains(string(s.Status), "ROLLBACK") {
		return true, nil
	}
	d.rt.Console.Info("Stack %s is busy (%s%s): waiting for that to end", s.Name, s.Status, startedBy(latest.Token))
	_, _, err = stack.Follow(ctx, d.cfn, s.ID, latest.ID, d.quietly)
	return false, err
}

// removeDead deletes a stack that can do nothing else any more.
func (d *deployer) removeDead(ctx context.Context, s *stack.Stack) error {
	what := "never came to life"
	if s.Status == stack.DeleteFailed {
		what = "is half deleted"
	}
	d.rt.Console.Warn("Stack %s %s (%s): removing it and starting anew", s.Name, what, s.Status)
	final, _, err := stack.Delete(ctx, d.cfn, s, d.serviceRole(s.Name), d.quietly)
	if err != nil {
		return err
	}
	if final.Status != stack.DeleteComplete {
		return exit.Unablef("stack %s cannot be removed (%s: %s)", s.Name, final.Status, final.Reason)
	}
	return nil
}

// own refuses a stack that this application and environment did not make. One under
// review holds nothing, and no tags either before its first change set is executed; so
// it may be removed, and that may be under way.
func (d *deployer) own(s *stack.Stack) error {
	if len(s.Tags) == 0 && (s.Status == stack.ReviewInProgress || s.Status == stack.DeleteInProgress) {
		return nil
	}
	application, name := s.Tags[environment.TagApplication], s.Tags[environment.TagEnvironment]
	if application == d.s.Application && name == d.s.Environment {
		return nil
	}
	return exit.Refusedf("stack %s was not made by this pipe for %s of %s (its tags say %q of %q)",
		s.Name, d.s.Environment, d.s.Application, name, application).
		Hint("rename the application or the environment, or remove that stack")
}

// ownAll refuses before anything is touched.
func (d *deployer) ownAll(ctx context.Context) error {
	for _, name := range []string{d.file.BaseStack(), d.file.ServersStack()} {
		s, err := stack.Describe(ctx, d.cfn, name)
		if err != nil {
			return err
		}
		if s == nil {
			continue
		}
		if err := d.own(s); err != nil {
			return err
		}
	}
	return nil
}

func (d *deployer) continueRollback(ctx context.Context, s *stack.Stack) error {
	d.rt.Console.Warn("The last rollback of stack %s failed (%s): continuing it", s.Name, s.Reason)
	latest, err := stack.Latest(ctx, d.cfn, s.ID)
	if err != nil {
		return err
	}
	if _, err := d.cfn.ContinueUpdateRollback(ctx, &cloudformation.ContinueUpdateRollbackInput{StackName: &s.ID}); err != nil {
		return contested(fmt.Errorf("the rollback of stack %s cannot be continued: %w", s.Name, err))
	}
	final, events, err := stack.Follow(ctx, d.cfn, s.ID, latest.ID, d.quietly)
	if err != nil {
		return err
	}
	if final.Status == stack.UpdateRollbackFailed {
		return exit.Unablef("the rollback of stack %s fails again: %s", s.Name, outcome(final, events)).
			Hint("mend what it names, then run the pipe again")
	}
	return nil
}

// quietly follows without a line for each event.
func (d *deployer) quietly(_ context.Context, now *stack.Stack, _ []stack.Event) error {
	d.waiting.Update("%s is %s", now.Name, now.Status)
	return nil
}

// tokenPrefix begins the request token of every update to the same target. CloudFormation
// copies the token into each event of the update, where another run finds it.
func tokenPrefix(digest string) string { return "fearless-" + digest + "-" }

// startedBy reads the build number out of a token, for people.
func startedBy(token string) string {
	if _, build, ok := strings.Cut(token, "-build-"); ok {
		number, _, _ := strings.Cut(build, "-")
		return ", started by pipeline " + number
	}
	return ""
}
