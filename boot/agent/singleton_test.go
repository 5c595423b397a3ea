package agent_test

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestSingletonWaits(t *testing.T) {
	t.Parallel()
	simulate(t, "release: bin/migrate\nscheduler: bin/scheduler\n", func(t *testing.T, h *host, p *troupe) {
		h.enroll("SchedulerGroup")
		h.userData.Role, h.userData.Singleton, h.userData.Processes = "scheduler", true, []string{"release", "scheduler"}
		p.life = func(shell string, _ int) (time.Duration, error) {
			if shell == "exec bin/migrate" {
				return time.Second, nil
			}
			return 0, nil
		}
		others, problem := []string{"i-1 (running)", "i-2 (stopping)"}, error(nil)
		h.living = func() ([]string, error) { return others, problem }
		stop := h.play(t)
		waits := func(reason string) {
			t.Helper()
			pass(3 * time.Second)
			if state := h.state(t); state.Ready || !strings.Contains(state.Reason, reason) {
				t.Errorf("%+v", state)
			}
			if p.started("exec bin/scheduler") != nil || p.started("exec bin/migrate") != nil {
				t.Fatalf("did not wait; log:\n%s", h.said())
			}
		}
		waits("only one server may play the role scheduler; waiting for the end of i-1 (running), i-2 (stopping)")
		h.with(func() { others = []string{"i-1 (shutting-down)"} })
		waits("waiting for the end of i-1 (shutting-down)")
		h.with(func() { others, problem = nil, errors.New("EC2 is away") })
		waits("cannot tell whether another server plays the role: EC2 is away")
		h.with(func() { problem = nil })
		pass(4 * time.Second)
		if p.started("exec bin/migrate") == nil || p.started("exec bin/scheduler") == nil {
			t.Errorf("waits for nobody; log:\n%s", h.said())
		}
		if n := h.calls("Living shop-staging SchedulerGroup i-0abc"); n < 4 {
			t.Errorf("asked %d times for what counts", n)
		}
		pass(30 * time.Second)
		if got := h.events("SignalResource"); len(got) != 1 || got[0] != "SignalResource SUCCESS shop-staging SchedulerGroup i-0abc" {
			t.Errorf("%q", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// Two schedulers are worse than none: it does not start when time runs out,
// it says so.
func TestSingletonThatWaitsTooLong(t *testing.T) {
	t.Parallel()
	simulate(t, "scheduler: bin/scheduler\n", func(t *testing.T, h *host, p *troupe) {
		h.enroll("SchedulerGroup")
		h.userData.Role, h.userData.Singleton = "scheduler", true
		h.living = func() ([]string, error) { return []string{"i-1 (running)"}, nil }
		stop := h.play(t)
		pass(10 * time.Minute)
		if got := h.events("SignalResource"); len(got) != 1 || got[0] != "SignalResource FAILURE shop-staging SchedulerGroup i-0abc" {
			t.Errorf("%q", got)
		}
		if err := stop(); err != nil || p.started("exec bin/scheduler") != nil {
			t.Errorf("error %v, started %v", err, p.started("exec bin/scheduler"))
		}
		if state := h.state(t); state.Reason != "the server was told to stop" {
			t.Errorf("%+v", state)
		}
	})
}
