package proof

import (
	"context"
	"fmt"
	"time"

	"bitbucket.org/fearless/pipes/demo/traffic"
	"bitbucket.org/fearless/pipes/shared/localcloud"
)

// Story is what happens in one environment, step after step. It can be told again: at
// its end the environment is as it was at its beginning, or runs the other version.
type Story struct {
	Name     string
	Load     traffic.Load
	Settings map[string]string // of the application, beside those that all have
	Steps    []Step
}

// Step is one thing that happens, and what must hold about it. The note is for people.
type Step struct {
	Name string
	Run  func(ctx context.Context, e *Environment) (note string, err error)
}

// Stories are all there are; each needs an environment of its own, so they can be told
// at the same time.
func (p *Proof) Stories() []Story {
	heavy := Load()
	heavy.Slow = 10 // so that something is in flight at any moment
	return []Story{
		{Name: "releases", Load: Load(), Steps: []Step{
			{"release", quietly(func(ctx context.Context, e *Environment) error { return e.Release(ctx, p.other(e)) })},
			{"cancelled in the soak", quietly(func(ctx context.Context, e *Environment) error { return e.CancelSoak(ctx, p.other(e)) })},
		}},
		{Name: "failures", Load: Load(), Steps: []Step{
			{"failed deploy", quietly(func(ctx context.Context, e *Environment) error { return e.ReleaseBroken(ctx) })},
			{"death of a worker", quietly(func(ctx context.Context, e *Environment) error { return e.KillWorker(ctx) })},
		}},
		// The application dies on SIGTERM, as many do. Where servers are ended in order
		// that does not matter.
		{Name: "servers", Load: heavy, Settings: map[string]string{"SHUTDOWN": "at-once"}, Steps: []Step{
			{"ended in order", replace("ended in order", localcloud.EndInOrder)},
			{"not drained", replace("not drained", localcloud.EndUndrained)},
			{"not deregistered", replace("not deregistered", localcloud.EndRegistered)},
			{"death of a server", func(ctx context.Context, e *Environment) (string, error) {
				bound, took, err := e.Kill(ctx)
				return fmt.Sprintf("requests failed for %s, and health checks must notice within %s", took.Round(time.Millisecond), bound), err
			}},
			{"cancelled early", quietly(func(ctx context.Context, e *Environment) error { return e.CancelEarly(ctx, p.other(e)) })},
		}},
		p.rollbacks(),
	}
}

// other is the version that is not live.
func (p *Proof) other(e *Environment) Version {
	if e.Live == p.One {
		return p.Two
	}
	return p.One
}

func quietly(run func(context.Context, *Environment) error) func(context.Context, *Environment) (string, error) {
	return func(ctx context.Context, e *Environment) (string, error) { return "", run(ctx, e) }
}

func replace(phase string, how localcloud.Ending) func(context.Context, *Environment) (string, error) {
	return func(ctx context.Context, e *Environment) (string, error) {
		err := e.Replace(ctx, phase, how)
		counted := e.Last(phase)
		return fmt.Sprintf("%d of %d requests failed", counted.Failed, counted.Sent), err
	}
}
