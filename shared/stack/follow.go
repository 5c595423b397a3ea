package stack

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// Passing reports whether an error may go away by itself.
var Passing = retry.NewStandard().IsErrorRetryable

// Watcher is told what is seen while a stack is followed. An error ends the following,
// not the operation.
type Watcher func(ctx context.Context, now *Stack, news []Event) error

const (
	// pace is the time between two looks. A look is one call, so that a pipe stays below
	// 60 calls a minute with everything else that it asks, and far below the five a second
	// at which CloudFormation throttles an account.
	pace = 2 * time.Second

	// unmoved is how long a stack may rest without its diary saying so. Right after an
	// operation was asked for, a stack may still be described as it was before.
	unmoved = 30 * time.Second

	// longestBlink is how long looks may fail for passing reasons: the operation goes on
	// meanwhile, and only the log stands still.
	longestBlink = 5 * time.Minute

	// sure is how long the diary is believed without a look at the stack itself.
	sure = time.Minute
)

// Follow looks at a stack, by its id, until it rests. It returns the stack as it is
// then, and all events after the given one.
func Follow(ctx context.Context, api API, id, after string, watch Watcher) (*Stack, []Event, error) {
	f := &follower{api: api, id: id, after: after, moved: time.Now()}
	for seen := time.Now(); ; {
		err := f.look(ctx)
		switch {
		case err != nil && (ctx.Err() != nil || !Passing(err) || time.Since(seen) > longestBlink):
			return nil, f.all, err
		case err == nil:
			seen = time.Now()
			news := f.all[f.shown:]
			f.shown = len(f.all)
			if err := watch(ctx, f.now, news); err != nil {
				return f.now, f.all, err
			}
			if f.rests() {
				return f.now, f.all, nil
			}
		}
		if err := Pause(ctx, pace); err != nil {
			return nil, f.all, err
		}
	}
}

// follower is one Follow. The diary of a stack also tells the stack's own state, so the
// stack itself is asked only when it seems to rest.
type follower struct {
	api       API
	id, after string

	now   *Stack
	asked time.Time // when now was described
	moved time.Time // when the stack was last seen at work
	all   []Event
	shown int    // of them, to the watcher
	own   Status // the last one that the diary tells
	end   *Event // that of the operation, after which others may have begun
}

// look reads what is new. What it has read is not lost when a later call fails.
func (f *follower) look(ctx context.Context) error {
	if f.now == nil {
		if err := f.describe(ctx); err != nil {
			return err
		}
	}
	if f.end == nil {
		if err := f.read(ctx); err != nil {
			return err
		}
	}
	if f.end != nil || !f.now.Status.Busy() || time.Since(f.asked) >= sure {
		if err := f.describe(ctx); err != nil {
			return err
		}
	}
	if f.now.Status.Busy() {
		f.moved = time.Now()
	}
	return nil
}

// read goes on in the diary, up to the end of the operation.
func (f *follower) read(ctx context.Context) error {
	news, err := Events(ctx, f.api, f.id, f.after)
	if err != nil {
		return err
	}
	for _, e := range news {
		f.after = e.ID
		f.all = append(f.all, e)
		if !e.Own() {
			continue
		}
		f.own = Status(e.Status)
		f.now.Status, f.now.Reason = f.own, e.Reason
		if f.own.Good() || f.own == UpdateRollbackComplete || f.own == UpdateRollbackFailed {
			f.end = &e
			return nil
		}
	}
	return nil
}

func (f *follower) describe(ctx context.Context) error {
	now, err := Describe(ctx, f.api, f.id)
	if err != nil {
		return err
	}
	if now == nil {
		return fmt.Errorf("stack %s is gone", f.id)
	}
	if f.end != nil && !now.Changed.Before(f.end.Time) {
		// The next operation has begun already, somebody else's. Ours ended as it did.
		now.Status, now.Reason = f.own, f.end.Reason
		now.Changed = f.end.Time.Add(-time.Second)
	}
	f.now, f.asked = now, time.Now()
	return nil
}

// rests reports whether the operation has come to its end: the stack is in a state in
// which it stays, and the last word about it in the diary is the same, or there has been
// none for long. A review is no end: it comes before the operation.
func (f *follower) rests() bool {
	said := f.own == f.now.Status && f.own != ReviewInProgress
	return !f.now.Status.Busy() && (said || time.Since(f.moved) > unmoved)
}

// Delete deletes a stack and follows that to its end.
func Delete(ctx context.Context, api API, s *Stack, role string, watch Watcher) (*Stack, []Event, error) {
	latest, err := Latest(ctx, api, s.ID)
	if err != nil {
		return nil, nil, err
	}
	in := &cloudformation.DeleteStackInput{StackName: &s.ID}
	if role != "" {
		in.RoleARN = &role
	}
	if _, err := api.DeleteStack(ctx, in); err != nil {
		return nil, nil, fmt.Errorf("stack %s cannot be deleted: %w", s.Name, err)
	}
	return Follow(ctx, api, s.ID, latest.ID, watch)
}
