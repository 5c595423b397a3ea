package testenv

import (
	"context"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// extend gives the environment of a commit more time.
func (r *run) extend(ctx context.Context) (pipe.Result, error) {
	end, err := r.s.expiry(time.Now())
	if err != nil {
		return nil, err
	}
	if err := r.checkRoles(); err != nil {
		return nil, err
	}
	e, err := r.find(ctx)
	if err != nil {
		return nil, err
	}
	if e == nil || e.Stack.Status.Dead() && !e.kept() || e.Stack.Status == stack.DeleteInProgress {
		return nil, exit.Refusedf("there is no test environment of commit %.12s to extend", r.s.Commit).
			Hint("ACTION: create makes one; ACTION: list shows those that there are")
	}
	if err := r.prolong(ctx, e, end); err != nil {
		return nil, err
	}
	r.rt.Console.Success("%s shows commit %.12s %s", e.URL, e.Commit, r.until(e.ends()))
	r.tell(e.Commit)
	result := r.result(*e, OutcomeExtended)
	r.report(ctx, result, nil)
	return result, nil
}

// destroy ends the environment of a commit before its time.
func (r *run) destroy(ctx context.Context) (pipe.Result, error) {
	e, err := r.find(ctx)
	if err != nil {
		return nil, err
	}
	if e == nil {
		if name := StackName(r.s.Application, r.s.Commit); len(r.s.Commit) >= digits {
			other, err := stack.Describe(ctx, r.CFN, name)
			if err != nil {
				return nil, unable(err)
			}
			if other != nil {
				return nil, exit.Refusedf("stack %s is no test environment of commit %s: this pipe leaves it alone", name, r.s.Commit)
			}
			if err := r.disarm(ctx, name); err != nil {
				return nil, exit.Unablef("%w", err)
			}
		}
		r.rt.Console.Success("There is no test environment of commit %.12s", r.s.Commit)
		return &Result{Application: r.s.Application, Commit: r.s.Commit, Outcome: OutcomeDestroyed}, nil
	}
	if err := r.remove(ctx, *e); err != nil {
		return nil, err
	}
	r.rt.Console.Success("The test environment of commit %.12s is gone", e.Commit)
	r.tell(e.Commit)
	result := r.result(*e, OutcomeDestroyed)
	r.report(ctx, result, nil)
	return result, nil
}

// find is the environment of the commit; nil: there is none.
func (r *run) find(ctx context.Context) (*Environment, error) {
	found, err := r.environments(ctx)
	if err != nil {
		return nil, err
	}
	return of(found, r.s.Commit)
}

// attempts are how often a delete is tried: much of what resists lets go a moment later,
// such as the network interface of a server that ends.
const attempts = 3

// remove deletes an environment with everything in it, and its schedule when nothing is
// left to be deleted by that.
func (r *run) remove(ctx context.Context, e Environment) error {
	if !ours(r.s.Application, e.Stack) {
		return exit.Refusedf("stack %s is no test environment of %s", e.Stack.Name, r.s.Application)
	}
	_, armed, err := r.schedule(ctx, e.Stack.Name)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		final, events, err := stack.Delete(ctx, r.CFN, e.Stack, r.serviceRole, r.quietly)
		switch {
		case err != nil && !gone(err):
			return unable(err)
		case err != nil || final.Status == stack.DeleteComplete:
			r.done(ctx, e.Stack.Name, armed)
			return nil
		case n == attempts:
			why := final.Reason
			if cause := stack.Cause(events); cause != nil {
				why = cause.LogicalID + ": " + cause.Reason
			}
			return exit.Unablef("stack %s cannot be deleted (%s): %s", e.Stack.Name, final.Status, why)
		}
		r.rt.Console.Info("Stack %s is %s, trying again: %s", e.Stack.Name, final.Status, final.Reason)
	}
}

// done takes away the schedule of an environment that is gone, unless it was armed anew
// since: then another run creates the environment again. One that stays harms nobody, for
// there is nothing to delete when its time comes.
func (r *run) done(ctx context.Context, name string, armed time.Time) {
	_, now, err := r.schedule(ctx, name)
	if err == nil && now.Equal(armed) {
		err = r.disarm(ctx, name)
	}
	if err != nil {
		r.rt.Console.Warn("%v; it ends by itself", err)
	}
}
