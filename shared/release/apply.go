package release

import (
	"context"
	"strconv"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// Ending is how an update ended.
type Ending struct {
	Stack  *stack.Stack
	Events []stack.Event // of the update, the oldest first
	story  *story
}

// Good reports whether the update came through.
func (e *Ending) Good() bool { return e.Stack.Status.Good() }

// Outcome is what became of the release.
func (e *Ending) Outcome() ledger.Outcome {
	switch back := e.Stack.Status == stack.UpdateRollbackComplete; {
	case e.Good():
		return ledger.Live
	case back && cancelled(e.Events):
		return ledger.Cancelled
	case back:
		return ledger.RolledBack
	}
	return ledger.Failed
}

// Why is the first cause of a failure, in one sentence.
func (e *Ending) Why() string {
	why, _ := e.story.failure(e.Stack, e.Events)
	return why
}

// Apply executes a change set that leads to a target, and follows it to its end. The stack
// is nil where the change set makes it; soak is the time that CloudFormation keeps the old
// servers for.
func (o *Operator) Apply(ctx context.Context, now *stack.Stack, changed *stack.ChangeSet, target string, soak time.Duration, r Release) (*Ending, error) {
	after := ""
	if now != nil {
		latest, err := stack.Latest(ctx, o.CFN, now.ID)
		if err != nil {
			return nil, unable(err)
		}
		after = latest.ID
	}
	story := newStory(o.Console, o.Roles, o.wanted(r.Sizes), soak)
	if err := stack.Execute(ctx, o.CFN, changed, o.token(target)); err != nil {
		return nil, contested(err)
	}
	final, events, err := stack.Follow(ctx, o.CFN, changed.Stack, after, o.listening(story))
	if err != nil {
		return nil, leftRunning(err)
	}
	return &Ending{Stack: final, Events: events, story: story}, nil
}

// Follow goes along with an update that is under way already, from its beginning: what has
// happened before counts.
func (o *Operator) Follow(ctx context.Context, now *stack.Stack) (*Ending, error) {
	earlier, err := stack.Operation(ctx, o.CFN, now.ID)
	if err != nil {
		return nil, unable(err)
	}
	after, by := "", ""
	if len(earlier) > 0 {
		after, by = earlier[len(earlier)-1].ID, startedBy(earlier[0].Token)
	}
	o.Console.Info("An update to the same image is under way already%s: following it", by)
	wanted := map[string]int{}
	for _, role := range o.Roles {
		wanted[role.Group], _ = strconv.Atoi(now.Parameters[role.Capacity]) // without one none is known
	}
	story := newStory(o.Console, o.Roles, wanted, now.Monitoring)
	story.catchUp(earlier)
	final, events, err := stack.Follow(ctx, o.CFN, now.ID, after, o.listening(story))
	if err != nil {
		return nil, leftRunning(err)
	}
	return &Ending{Stack: final, Events: append(earlier, events...), story: story}, nil
}

// wanted are sizes by the group of a role.
func (o *Operator) wanted(sizes map[string]int) map[string]int {
	wanted := map[string]int{}
	for _, role := range o.Roles {
		wanted[role.Group] = sizes[role.Name]
	}
	return wanted
}

// leftRunning says that the update goes on without us. It is not cancelled: half of it
// may be live, and CloudFormation ends it well or takes it back with or without us.
func leftRunning(err error) error {
	return exit.Unablef("%w; the update goes on in CloudFormation", err).
		Hint("run the pipe again to follow it")
}

// Conclude says what became of a release, and why, here and in the ledger. When it came
// through it asks the balancer who answers; an error beside ledger.Live says that the image
// is live, but not all is as it should be.
func (o *Operator) Conclude(ctx context.Context, e *Ending, r Release) (ledger.Outcome, error) {
	if !e.Good() {
		return o.concludeFailure(ctx, e, r)
	}
	if err := o.succeeded(ctx, durations(e.Events)); err != nil {
		return e.Outcome(), err
	}
	return e.Outcome(), o.endCheck(ctx, e.Stack, r.Image)
}

func (o *Operator) concludeFailure(ctx context.Context, e *Ending, r Release) (ledger.Outcome, error) {
	why, launch := e.story.failure(e.Stack, e.Events)
	o.failed(ctx, ledger.Record{Outcome: e.Outcome(), Failure: why, Durations: durations(e.Events)})
	failed := exit.Refusedf("%s failed: %s", r.What, why)
	if launch != nil {
		failed = exit.Unablef("%w", failed.Err).Hint(launch.hints()...)
	}
	if e.Stack.Status == stack.UpdateRollbackComplete {
		return e.Outcome(), failed.Hint("the release from before goes on: " + e.story.kept())
	}
	return e.Outcome(), failed.Hint("stack " + e.Stack.Name + " is " + string(e.Stack.Status))
}
