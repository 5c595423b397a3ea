package testenv

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/clone"
	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/release"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// mostTurns bounds how often a creation begins anew: when others were a moment earlier,
// with the name or with a place among the rules, or after something half deleted.
const mostTurns = 5

// create brings the environment of a commit to life, or extends the one that there is.
func (r *run) create(ctx context.Context) (pipe.Result, error) {
	end, err := r.s.expiry(time.Now())
	if err != nil {
		return nil, err
	}
	commit, err := r.commit()
	if err != nil {
		return nil, err
	}
	if err := r.checkRoles(); err != nil {
		return nil, err
	}
	r.tell(commit)
	result, err := r.bring(ctx, commit, end)
	r.report(ctx, result, err)
	if result == nil {
		return nil, err
	}
	return result, err
}

// bring does it, from whatever there is of the environment.
func (r *run) bring(ctx context.Context, commit string, end time.Time) (*Result, error) {
	name := StackName(r.s.Application, commit)
	for turn := 1; ; turn++ {
		now, err := stack.Describe(ctx, r.CFN, name)
		if err != nil {
			return nil, unable(err)
		}
		var result *Result
		if now == nil {
			result, err = r.build(ctx, commit, end, turn)
		} else if err = r.own(now, commit); err == nil {
			result, err = r.adopt(ctx, environmentOf(now), end)
		}
		switch {
		case err != nil || result != nil:
			return result, err
		case turn == mostTurns:
			return nil, exit.Unablef("others change %s all the time", name).Hint("run the pipe again in a minute")
		}
	}
}

// commit is the whole hash: the index of images and tags have no other ones.
func (r *run) commit() (string, error) {
	if len(r.s.Commit) == 40 {
		return r.s.Commit, nil
	}
	c, err := clone.Open(r.rt.CloneDir())
	if err != nil {
		return "", err
	}
	full, err := c.Commit(r.s.Commit)
	if err != nil {
		return "", err
	}
	return full.Hash, nil
}

// own refuses a stack of our name that is none of ours, or another commit's.
func (r *run) own(s *stack.Stack, commit string) error {
	if !ours(r.s.Application, s) {
		return exit.Refusedf("stack %s is no test environment of %s: its tags (%s) are not those that this pipe gives", s.Name, r.s.Application, tagsOf(s)).
			Hint("remove that stack, or have somebody remove it; this pipe leaves it alone")
	}
	if has := s.Tags[environment.TagCommit]; has != commit {
		return exit.Refusedf("stack %s shows commit %s, whose hash begins like that of %s", s.Name, has, commit).
			Hint("destroy that one first, with COMMIT: '" + has + "'")
	}
	return nil
}

func tagsOf(s *stack.Stack) string {
	if s.Tags[TagKind] == "" && s.Tags[environment.TagApplication] == "" {
		return "none of them ours"
	}
	return fmt.Sprintf("kind %q, application %q", s.Tags[TagKind], s.Tags[environment.TagApplication])
}

// adopt takes the environment that there is. No result and no error: there is none any
// more, or will be none in a moment, and all begins anew.
func (r *run) adopt(ctx context.Context, e Environment, end time.Time) (*Result, error) {
	status := e.Stack.Status
	switch {
	case status == stack.CreateInProgress:
		return r.join(ctx, e, end)
	case status.Dead() || status == stack.ReviewInProgress:
		r.rt.Console.Warn("Stack %s never came to life or is half deleted (%s): removing it and starting anew", e.Stack.Name, status)
		return nil, r.remove(ctx, e)
	case status.Busy() && !strings.HasPrefix(string(status), "UPDATE"):
		r.rt.Console.Info("Stack %s is %s: waiting for that to end", e.Stack.Name, status)
		_, _, err := stack.Follow(ctx, r.CFN, e.Stack.ID, "", r.quietly)
		return nil, unable(err)
	}
	if err := r.prolong(ctx, &e, end); err != nil {
		return nil, err
	}
	// Its time may have come in between.
	now, err := stack.Describe(ctx, r.CFN, e.Stack.ID)
	if err != nil || now == nil || now.Status.Dead() || now.Status == stack.DeleteInProgress || now.Status == stack.DeleteComplete {
		return nil, unable(err)
	}
	if err := r.visit(ctx, e.URL+e.Stack.Outputs[environment.OutputHealth], e.Stack.Outputs[environment.OutputTargets]); err != nil {
		return r.result(e, OutcomeFailed), err.Hint("destroy it with ACTION: destroy, and create it again")
	}
	r.rt.Console.Success("%s shows commit %.12s %s", e.URL, e.Commit, r.until(e.ends()))
	return r.result(e, OutcomeExtended), nil
}

// prolong gives an environment more time. It never takes any away.
func (r *run) prolong(ctx context.Context, e *Environment, end time.Time) error {
	var err error
	if e.Armed, err = r.armed(ctx, e.Stack.Name); err != nil {
		return err
	}
	if !e.Armed.IsZero() && !e.Armed.Before(end) {
		return nil
	}
	if err := r.arm(ctx, e.Stack.Name, end); err != nil {
		return err
	}
	e.Armed = end
	return nil
}

// join follows a creation that another run has begun.
func (r *run) join(ctx context.Context, e Environment, end time.Time) (*Result, error) {
	if err := r.prolong(ctx, &e, end); err != nil {
		return nil, err
	}
	r.rt.Console.Info("Another run creates the environment at this moment: following it")
	return r.follow(ctx, e)
}

// build makes the environment. What may speak against it is asked before anything is
// made.
func (r *run) build(ctx context.Context, commit string, end time.Time, turn int) (*Result, error) {
	p, err := r.plan(ctx, commit, turn)
	if err != nil {
		return nil, err
	}
	name := p.values.Stack
	body, err := p.template.JSON()
	if err != nil {
		return nil, exit.Unablef("%w", err)
	}
	r.rt.Console.Heading("Test environment %s", name)
	r.rt.Console.Info("Image %s of commit %.12s on one %s: %s", p.values.Image, commit, p.values.Instance, estimate(p.values.Instance, time.Until(end)))
	if end, err = r.armFirst(ctx, name, end); err != nil {
		return nil, err
	}
	r.rt.Console.Info("It is deleted %s", r.at(end))
	r.begin(ctx)
	forget := r.rt.Undo.OnFailure("the schedule of "+name, func(ctx context.Context) error { return r.disarmAlone(ctx, name) })
	id, err := stack.Create(ctx, r.CFN, stack.Creation{
		Stack: name, Body: string(body), Parameters: p.template.Values(), Tags: r.tags(commit, end),
		Role: r.serviceRole, Keep: r.s.KeepFailed, Token: token(name),
	})
	switch {
	case stack.Taken(err):
		forget()
		return nil, nil
	case err != nil:
		return nil, release.RoleProblem(err, r.serviceRole, "TEST_SERVICE_ROLE", Name)
	}
	forget()
	now, err := stack.Describe(ctx, r.CFN, id)
	if err != nil || now == nil {
		return nil, exit.Unablef("stack %s was made and is not shown: %w", name, err).Hint("run the pipe again to follow it")
	}
	e := environmentOf(now)
	e.Commit, e.Armed, e.URL = commit, end, p.values.URL // one that has failed at once shows no tags any more
	return r.follow(ctx, e)
}

// armFirst arms the schedule of an environment that is going to be made, and says when it
// ends. A run that creates the same one at this moment may have asked for more time; a
// schedule that is older belonged to one that is gone.
func (r *run) armFirst(ctx context.Context, name string, end time.Time) (time.Time, error) {
	at, changed, err := r.schedule(ctx, name)
	if err != nil {
		return end, err
	}
	if at.After(end) && time.Since(changed) < youngSchedule {
		return at, nil
	}
	return end, r.arm(ctx, name, end)
}

// disarmAlone takes back the schedule of a stack that was not made. One that may have
// been made keeps it.
func (r *run) disarmAlone(ctx context.Context, name string) error {
	now, err := stack.Describe(ctx, r.CFN, name)
	if err != nil || now != nil {
		return err
	}
	return r.disarm(ctx, name)
}

// token names one creation, so that a call which is repeated makes no second stack.
func token(name string) string { return name + "-" + strings.ToLower(rand.Text()[:8]) }

// until and at are moments for people, in their own time zone.
func (r *run) until(t time.Time) string { return "until " + r.clock(t) }
func (r *run) at(t time.Time) string    { return "on " + r.clock(t) }
func (r *run) clock(t time.Time) string {
	return t.In(r.s.zone()).Format("Mon 2 Jan 15:04 MST") + " (in " + console.Duration(time.Until(t).Round(time.Minute)) + ")"
}
