package stack

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// mostBlinks is how many looks in a row may fail for passing reasons.
const mostBlinks = 6

// passing reports whether an error may go away by itself.
var passing = retry.NewStandard().IsErrorRetryable

// Watcher is told what is seen while a stack is followed. An error ends the following,
// not the operation.
type Watcher func(ctx context.Context, now *Stack, news []Event) error

// unmoved is how long a stack may rest without its diary saying so. Right after an
// operation was asked for, a stack may still be described as it was before.
const unmoved = 30 * time.Second

// Follow looks at a stack, by its id, until it rests. It returns the stack as it is
// then, and all events after the given one.
func Follow(ctx context.Context, api API, id, after string, watch Watcher) (*Stack, []Event, error) {
	var all []Event
	started, moved, blinks := time.Now(), time.Now(), 0
	for {
		now, news, err := look(ctx, api, id, after)
		switch {
		case err != nil && (ctx.Err() != nil || !passing(err) || blinks >= mostBlinks):
			return nil, all, err
		case err != nil:
			blinks++
		default:
			blinks = 0
			if len(news) > 0 {
				after = news[len(news)-1].ID
			}
			all = append(all, news...)
			if err := watch(ctx, now, news); err != nil {
				return now, all, err
			}
			if rests(now, all) {
				return now, all, nil
			}
			if now.Status.Busy() {
				moved = time.Now()
			} else if time.Since(moved) > unmoved {
				return now, all, nil
			}
		}
		if err := Pause(ctx, pace(time.Since(started))); err != nil {
			return nil, all, err
		}
	}
}

// rests reports whether an operation has come to its end: the stack is in a state in
// which it stays, and the last word about it in the events is the same.
func rests(now *Stack, events []Event) bool {
	if now.Status.Busy() {
		return false
	}
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].Own() {
			return events[i].Status == string(now.Status)
		}
	}
	return false
}

// pace keeps well below the rate at which CloudFormation throttles an account, some
// five calls a second, however many pipes are at work.
func pace(waited time.Duration) time.Duration {
	if waited < time.Minute {
		return 2 * time.Second
	}
	return 5 * time.Second
}

// look reads the state before the events, so that all events of a final state are read.
func look(ctx context.Context, api API, id, after string) (*Stack, []Event, error) {
	now, err := Describe(ctx, api, id)
	if err != nil {
		return nil, nil, err
	}
	if now == nil {
		return nil, nil, fmt.Errorf("stack %s is gone", id)
	}
	news, err := Events(ctx, api, id, after)
	return now, news, err
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
