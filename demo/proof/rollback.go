package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"bitbucket.org/fearless/pipes/pipes/rollback/recall"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// rollbacks is the story of a night: a release that is bad in a way which no health check
// sees, the way back from it, further back, and back in the middle of the next deploy. It
// ends where it began.
func (p *Proof) rollbacks() Story {
	return Story{Name: "rollbacks", Load: Load(), Steps: []Step{
		{"release", quietly(func(ctx context.Context, e *Environment) error { return e.Release(ctx, p.Two) })},
		{"bad release", quietly(func(ctx context.Context, e *Environment) error { return e.Release(ctx, p.Bad) })},
		{"rollback", func(ctx context.Context, e *Environment) (string, error) {
			return e.Rollback(ctx, "rollback", recall.Previous, p.Two)
		}},
		{"rollback further back", func(ctx context.Context, e *Environment) (string, error) {
			return e.Rollback(ctx, "rollback further back", p.One.Commit[:12], p.One)
		}},
		{"rollback in a deploy", func(ctx context.Context, e *Environment) (string, error) {
			return e.RollbackDuring(ctx, "rollback in a deploy", p.Two, e.launched(p.Two))
		}},
		{"rollback in a soak", func(ctx context.Context, e *Environment) (string, error) {
			const phase = "rollback in a soak"
			note, err := e.RollbackDuring(ctx, phase, p.Two, e.soaked(p.Two, phase))
			if counted := e.Last(phase); err == nil && (counted.Versions[p.Two.Answer] == 0 || counted.Versions[p.One.Answer] == 0) {
				return note, fmt.Errorf("%s: both versions should have answered, seen: %s", phase, counted.Seen())
			}
			return note, err
		}},
	}}
}

// rollback runs the pipe rollback, which has no clone. The note says how long it took.
func (e *Environment) rollback(ctx context.Context, variables map[string]string) (note string, err error) {
	all := map[string]string{
		"APPLICATION": application, "ENVIRONMENT": e.Name, "PROVEN_IN": e.Name, "BITBUCKET_PIPELINE_UUID": "{proof}",
	}
	for name, value := range variables {
		all[name] = value
	}
	dir := filepath.Join(e.proof.stage.Dir, e.Name+"-rollback")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	var log bytes.Buffer
	code := pipe.Pipe[recall.Settings]{Name: recall.Name, Run: recall.Run}.Main(pipe.World{
		Environ: e.proof.stage.Environ(all), Dir: dir, Out: &log, Interrupt: ctx.Done(),
	})
	if code != int(exit.Passed) {
		return "", fmt.Errorf("rollback ended with %d:\n%s", code, log.String())
	}
	var file struct {
		Result struct {
			Outcome string  `json:"outcome"`
			Seconds float64 `json:"seconds"`
			Ours    float64 `json:"ours_seconds"`
		} `json:"result"`
	}
	text, err := os.ReadFile(filepath.Join(dir, ".fearless", "rollback.json"))
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	r := file.Result
	if r.Ours == 0 { // nothing was started: the stack came back by itself
		return fmt.Sprintf("%s after %.1f s", r.Outcome, r.Seconds), err
	}
	return fmt.Sprintf("%s after %.1f s, of which %.1f s are the pipe's own", r.Outcome, r.Seconds, r.Ours), err
}

// Rollback goes back to a version, under load, and makes what was live deployable again.
func (e *Environment) Rollback(ctx context.Context, phase, commit string, to Version) (note string, err error) {
	if err := e.next(ctx, phase, e.Live, to); err != nil {
		return "", err
	}
	bad := e.Live
	if note, err = e.rollback(ctx, map[string]string{"COMMIT": commit, "REASON": "the proof says so"}); err != nil {
		return "", err
	}
	e.Live = to
	after := "after the " + phase
	if err := e.next(ctx, after, to); err != nil {
		return note, err
	}
	if err := e.lift(ctx, bad); err != nil {
		return note, err
	}
	return note, e.well(phase, after)
}

// lift makes sure that a version was held, by letting it go.
func (e *Environment) lift(ctx context.Context, v Version) error {
	note, err := e.rollback(ctx, map[string]string{"ACTION": recall.ActionLiftHold, "COMMIT": v.Commit, "REASON": "the next step of the proof"})
	if err != nil {
		return fmt.Errorf("version %s: %w: %s", v.Name, err, note)
	}
	return nil
}

// RollbackDuring begins to deploy a version and rolls back at a moment of that, to what was
// live before.
func (e *Environment) RollbackDuring(ctx context.Context, phase string, v Version, moment func(events int) bool) (note string, err error) {
	if err := e.next(ctx, phase, e.Live, v); err != nil {
		return "", err
	}
	events := len(e.proof.stage.Cloud.StackEvents(application + "-" + e.Name))
	ended := make(chan deployed, 1)
	over := make(chan struct{})
	go func() {
		ended <- e.deploy(ctx, v, minuteOfSoak)
		close(over)
	}()
	err = until(ctx, "the moment to roll back", func() (bool, error) {
		select {
		case <-over:
			return true, nil // which the pipe will not be told to stop any more: seen below
		default:
			return moment(events), nil
		}
	})
	if err == nil {
		note, err = e.rollback(ctx, map[string]string{"COMMIT": recall.Previous, "REASON": "the proof says so"})
	}
	d := <-ended
	if err != nil {
		return note, fmt.Errorf("%w\nthe deploy:\n%s", err, d.log)
	}
	if err := e.refused(d); err != nil {
		return note, err
	}
	after := "after the " + phase
	if err := e.next(ctx, after, e.Live); err != nil {
		return note, err
	}
	if err := e.lift(ctx, v); err != nil {
		return note, err
	}
	return note, e.well(phase, after)
}
