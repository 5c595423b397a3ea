package rollout

import (
	"context"
	"errors"
	"time"

	"bitbucket.org/fearless/pipes/shared/stack"
)

// overtaken is a change that was not started, because somebody else's came first.
type overtaken struct{ error }

func (o overtaken) Unwrap() error { return o.error }

// contested finds out whether that is why a change could not be made or started.
func contested(err error) error {
	if stack.Overtaken(err) {
		return overtaken{unable(err)}
	}
	return unable(err)
}

// mostOvertaken is how often a run gives way to others. There are rarely two of them.
const mostOvertaken = 5

// givingWay looks at a stack again when somebody else has changed it between our look and
// our change: then there may be something to wait for, or nothing left to do.
func givingWay[T any](ctx context.Context, d *deployer, change func() (T, error)) (T, error) {
	for n := 1; ; n++ {
		result, err := change()
		var late overtaken
		if !errors.As(err, &late) || n == mostOvertaken {
			return result, err
		}
		d.rt.Console.Info("Somebody else changes %s at this moment: looking again", d.s.Environment)
		d.rt.Console.Debug("%v", late.error)
		if err := stack.Pause(ctx, 5*time.Second); err != nil {
			return result, err
		}
	}
}
