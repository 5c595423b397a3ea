package agent

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Instances says which other instances have a place in a stack and may still
// run: all that are neither stopped nor terminated, each with its state, such
// as "i-0abc (shutting-down)".
type Instances interface {
	Living(ctx context.Context, stack, resource, except string) ([]string, error)
}

// alonePoll is short, because nobody plays the role meanwhile.
const alonePoll = 2 * time.Second

// alone waits until no other server can be playing the same role. What EC2
// says counts, not Auto Scaling: a server that its group has given up may well
// be running yet.
func (a *agent) alone(ctx context.Context) error {
	for {
		others, err := a.others(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		reason := ""
		switch {
		case err != nil:
			reason = "cannot tell whether another server plays the role: " + cause(err)
		case len(others) == 0:
			a.log.say("no other server plays the role %s", a.userData.Role)
			return nil
		default:
			reason = fmt.Sprintf("only one server may play the role %s; waiting for the end of %s", a.userData.Role, strings.Join(others, ", "))
		}
		a.reports.set(false, reason, nil)
		a.ballot.turn(ctx, false, "")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(alonePoll):
		}
	}
}

func (a *agent) others(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callBound)
	defer cancel()
	return a.cloud.Instances.Living(ctx, a.userData.Stack, a.userData.Resource, a.instance)
}
