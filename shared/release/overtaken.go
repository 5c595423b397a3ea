package release

import (
	"context"
	"errors"
	"time"

	"bitbucket.org/fearless/pipes/shared/stack"
)

// Overtaken is a change that was not started, because somebody else's came first.
type Overtaken struct{ error }

// Unwrap is what AWS said.
func (o Overtaken) Unwrap() error { return o.error }

// contested finds out whether that is why a change could not be made or started.
func contested(err error) error {
	if stack.Overtaken(err) {
		return Overtaken{unable(err)}
	}
	return unable(err)
}

// mostOvertaken is how often a run gives way to others. There are rarely two of them.
const mostOvertaken = 5

// GivingWay looks at a stack again when somebody else has changed it between our look and
// our change: then there may be something to wait for, or nothing left to do.
func GivingWay[T any](ctx context.Context, o *Operator, change func() (T, error)) (T, error) {
	for n := 1; ; n++ {
		result, err := change()
		var late Overtaken
		if !errors.As(err, &late) || n == mostOvertaken {
			return result, err
		}
		o.Console.Info("Somebody else changes %s at this moment: looking again", o.Environment)
		o.Console.Debug("%v", late.error)
		if err := stack.Pause(ctx, 5*time.Second); err != nil {
			return result, err
		}
	}
}
