package cloudformation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// signals are what a resource that waits for some has received, by unique id:
// only the first of each counts.
type signals struct {
	ids     []string
	success map[string]bool
}

// count tells successes and failures after the first skip signals.
func (g *signals) count(skip int) (successes, failures int) {
	for _, id := range g.ids[min(skip, len(g.ids)):] {
		if g.success[id] {
			successes++
		} else {
			failures++
		}
	}
	return successes, failures
}

// listen lets a resource be signaled.
func (r *run) listen(i *item) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.st.signals[i.logical] = &signals{success: map[string]bool{}}
}

func (r *run) stopListening(i *item) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	delete(r.st.signals, i.logical)
}

// received counts a resource's signals after the first skip.
func (r *run) received(i *item, skip int) (successes, failures int) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.st.signals[i.logical].count(skip)
}

// awaitCreation waits for the signals of a CreationPolicy. It ends as soon as
// so many have failed that the rest would not do.
func (r *run) awaitCreation(i *item, p pause) error {
	policy := i.creation
	end := time.Now().Add(policy.timeout)
	needed := required(policy.count, policy.percent)
	for {
		successes, failures := r.received(i, 0)
		switch {
		case successes+failures >= policy.count && successes >= needed:
			return nil
		case failures > policy.count-needed && i.typeName == instanceType:
			return fmt.Errorf("Received FAILURE signal with UniqueId %s", r.firstFailure(i)) //nolint:staticcheck // AWS's text
		case failures > policy.count-needed:
			return unsatisfied("FAILURE", failures, policy.count, policy.percent)
		case !time.Now().Before(end) && successes >= needed:
			return nil
		case !time.Now().Before(end):
			return fmt.Errorf("Failed to receive %d resource signal(s) within the specified duration", //nolint:staticcheck // AWS's text
				policy.count-successes-failures)
		}
		if err := p(); err != nil {
			return err
		}
	}
}

func unsatisfied(status string, have, count, percent int) error {
	//nolint:staticcheck // AWS's text, two spaces included
	return fmt.Errorf("Received %d %s signal(s) out of %d.  Unable to satisfy %d%% MinSuccessfulInstancesPercent requirement",
		have, status, count, percent)
}

func (r *run) firstFailure(i *item) string {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	g := r.st.signals[i.logical]
	n := slices.IndexFunc(g.ids, func(id string) bool { return !g.success[id] })
	return g.ids[max(n, 0)]
}

type signalInput struct{ stack, logical, id, status string }

func decodeSignal(p *wire.Params) signalInput {
	return signalInput{
		stack: p.Need("StackName"), logical: p.Need("LogicalResourceId"), id: p.Need("UniqueId"),
		status: p.OneOf("Status", "SUCCESS", "FAILURE"),
	}
}

// signalResource takes a vote; whoever may call it may vote.
func (s *Service) signalResource(_ context.Context, _ *wire.Call, in signalInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.need(in.stack)
	if err != nil {
		return nil, err
	}
	w := st.rows[in.logical]
	if w == nil {
		return nil, invalid("Resource %s does not exist for stack %s", in.logical, st.name)
	}
	g := st.signals[in.logical]
	if g == nil {
		return nil, invalid("Resource %s is in %s state and cannot be signaled", in.logical, w.status)
	}
	if _, again := g.success[in.id]; again {
		return done{}, nil
	}
	g.ids = append(g.ids, in.id)
	g.success[in.id] = in.status == "SUCCESS"
	heard := *w
	heard.reason = fmt.Sprintf("Received %s signal with UniqueId %s", in.status, in.id)
	token := ""
	if st.current != nil {
		token = st.current.token
	}
	s.record(st, heard, token)
	st.nudge()
	return done{}, nil
}
