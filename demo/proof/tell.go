package proof

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Prove tells all stories at the same time, each in an environment of its own, again
// and again until the time is over; each is told once at least. It writes a line for
// every step, then what the clients saw and what became of the jobs. The error says how
// many steps have failed. With a name, it tells that story alone.
func (p *Proof) Prove(ctx context.Context, out io.Writer, length time.Duration, only string) error {
	r := &report{out: out, began: time.Now()}
	stories := slices.DeleteFunc(p.Stories(), func(s Story) bool { return only != "" && s.Name != only })
	if len(stories) == 0 {
		return fmt.Errorf("there is no story %s", only)
	}
	told := make([]*Environment, len(stories))
	jobs := make([]Jobs, len(stories))
	var all sync.WaitGroup
	for i, s := range stories {
		all.Go(func() { told[i], jobs[i] = p.tell(ctx, r, s, length) })
	}
	all.Wait()
	fmt.Fprintf(out, "\n%s\n", Table(told...))
	for i, s := range stories {
		fmt.Fprintf(out, "%s: %s\n", s.Name, jobs[i])
	}
	if r.failed > 0 {
		return fmt.Errorf("%d of %d steps failed", r.failed, r.steps)
	}
	return ctx.Err()
}

// tell tells one story until the time is over or a step has failed: what comes after
// would only be its consequence.
func (p *Proof) tell(ctx context.Context, r *report, s Story, length time.Duration) (e *Environment, jobs Jobs) {
	up := Step{"environment", func(ctx context.Context, _ *Environment) (_ string, err error) {
		e, err = p.Environment(ctx, s.Name, s.Load, s.Settings)
		return "", err
	}}
	if !r.step(ctx, s.Name, up, nil) {
		return nil, jobs
	}
	for well := true; well; well = well && ctx.Err() == nil && time.Since(r.began) < length {
		for _, step := range s.Steps {
			if well = well && r.step(ctx, s.Name, step, e); !well {
				break
			}
		}
	}
	r.step(ctx, s.Name, Step{"jobs", func(ctx context.Context, e *Environment) (_ string, err error) {
		jobs, err = e.Settle(ctx)
		return jobs.String(), err
	}}, e)
	return e, jobs
}

// report writes the outcome of steps.
type report struct {
	began time.Time

	mu            sync.Mutex
	out           io.Writer
	steps, failed int
}

// step runs a step and says how it ended: "ok" or "FAILED", story/step, and what there
// is to say about it, on lines that begin with a tab if it is long.
func (r *report) step(ctx context.Context, story string, s Step, e *Environment) bool {
	began := time.Now()
	note, err := s.Run(ctx, e)
	took := time.Since(began).Seconds()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps++
	if err != nil {
		r.failed++
		fmt.Fprintf(r.out, "FAILED %s/%s after %.1f s: %s\n\t%s\n", story, s.Name, took, note, strings.ReplaceAll(err.Error(), "\n", "\n\t"))
		return false
	}
	fmt.Fprintf(r.out, "ok     %s/%s after %.1f s: %s\n", story, s.Name, took, note)
	return true
}
