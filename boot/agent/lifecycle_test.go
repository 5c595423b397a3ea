package agent_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/boot/agent"
)

const hook = "CompleteLifecycleAction CONTINUE group-new drain i-0abc"

// dismissable is a server of a group with a hook, whose processes take five
// seconds to end and say so in the order of things.
func dismissable(h *host, p *troupe) {
	h.enroll("WebGroup")
	h.userData.Hook = "drain"
	h.Start = func(call agent.Call) (agent.Process, error) {
		process, err := p.start(call)
		return slow{process, h}, err
	}
}

type slow struct {
	agent.Process
	h *host
}

func (s slow) End(grace time.Duration) {
	s.h.note("told to end")
	<-time.After(5 * time.Second)
	s.Process.End(grace)
	s.h.note("has ended")
}

func TestDrainThenHook(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, p *troupe) {
		dismissable(h, p)
		h.delay = time.Second
		h.lifecycle = "InService"
		stop := h.play(t)
		pass(time.Minute)
		if got := h.events("told", "has", "Complete"); got != nil {
			t.Fatalf("%q although it is in service", got)
		}
		h.with(func() { h.lifecycle = "Terminated" })
		begun := time.Now()
		pass(14 * time.Second)
		if log := h.object("web/i-0abc.log"); !strings.Contains(log, "everything has ended") {
			t.Errorf("when the hook was completed, the log was\n%s", log)
		}
		got := slices.Compact(after("has ended", h.events("has", "put web/i-0abc.log", "Complete")))
		if len(got) < 3 || got[0] != "has ended" || !strings.HasPrefix(got[1], "put") || got[2] != hook {
			t.Errorf("%q\n%s", got, h.said())
		}
		if state := h.state(t); state.Ready || state.Reason != "the group ends this server" {
			t.Errorf("%+v", state)
		}
		pass(time.Hour - time.Since(begun))
		if n := len(p.started("exec bin/web")); n != 1 {
			t.Errorf("started %d times", n)
		}
		if n := h.calls("CompleteLifecycleAction"); n != 1 {
			t.Errorf("the hook was completed %d times", n)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// after is a list from one of its items on.
func after(item string, list []string) []string {
	for i := range list {
		if list[i] == item {
			return list[i:]
		}
	}
	return nil
}

// Requests that still come are answered.
func TestBalancerLetsGoFirst(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		unused time.Duration // after which the balancer has let go; 0: never
		refuse string
		hook   time.Duration // at which the hook is completed
	}{
		"in time":                  {40 * time.Second, "", 50 * time.Second},
		"never":                    {0, "", 4*time.Minute + 5*time.Second},
		"its target group is gone": {0, "TargetGroupNotFound", 12 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, "web: bin/web\n", func(t *testing.T, h *host, p *troupe) {
				dismissable(h, p)
				h.userData.TargetGroups = []string{webTargets}
				health := "healthy"
				h.target = func(string) string { return health }
				stop := h.play(t)
				pass(time.Minute)
				h.with(func() {
					h.lifecycle, health = "Terminated", "draining|Target.DeregistrationInProgress"
					h.refuse = func(action string) string {
						if action == "DescribeTargetHealth" {
							return test.refuse
						}
						return ""
					}
				})
				begun := time.Now()
				if test.unused > 0 {
					pass(test.unused)
					if got := h.events("told"); got != nil {
						t.Errorf("%q while requests come", got)
					}
					h.with(func() { health = "unused|Target.NotRegistered" })
				}
				for h.events("Complete") == nil && time.Since(begun) < 10*time.Minute {
					pass(time.Second)
				}
				if took := time.Since(begun); took > test.hook+5*time.Second || took < test.hook-40*time.Second {
					t.Errorf("completed after %s, expected about %s\n%s", took, test.hook, h.said())
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestHookThatCannotBeCompleted(t *testing.T) {
	t.Parallel()
	for code, tries := range map[string]int{"ValidationError": 1, "AccessDenied": 12} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			simulate(t, "web: bin/web\n", func(t *testing.T, h *host, p *troupe) {
				dismissable(h, p)
				h.lifecycle = "Terminated"
				h.refuse = func(action string) string {
					if action == "CompleteLifecycleAction" {
						return code
					}
					return ""
				}
				stop := h.play(t)
				pass(65 * time.Second)
				if n := h.calls("CompleteLifecycleAction"); n < tries-2 || n > tries+2 {
					t.Errorf("tried %d times in a minute, expected about %d", n, tries)
				}
				pass(time.Hour)
				if n := h.calls("CompleteLifecycleAction"); n > 65 {
					t.Errorf("tried %d times", n)
				}
				if err := stop(); err != nil || !strings.Contains(h.said(), "cannot complete the lifecycle hook drain: "+code+": not now") {
					t.Errorf("%v\n%s", err, h.said())
				}
			})
		})
	}
}

// SIGTERM drains as well; whose server it is then is not our business.
func TestToldToStop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lifecycle string
		want      []string
	}{
		"in service":      {"InService", []string{"told to end", "has ended"}},
		"while it leaves": {"Terminated", []string{"told to end", "has ended", hook}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, "web: bin/web\n", func(t *testing.T, h *host, p *troupe) {
				dismissable(h, p)
				stop := h.play(t)
				pass(time.Minute)
				h.with(func() { h.lifecycle = test.lifecycle })
				pass(6 * time.Second)
				if err := stop(); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(test.want, h.events("told", "has", "Complete")); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// Without a hook nobody waits, and the metadata service is left alone.
func TestNoHook(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, _ *troupe) {
		h.lifecycle = "Terminated"
		stop := h.play(t)
		pass(time.Minute)
		if n := h.calls("lifecycle"); n != 0 || !h.state(t).Ready {
			t.Errorf("asked %d times; %+v", n, h.state(t))
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A server can be let go before it has begun.
func TestDismissedWhileItWaits(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, p *troupe) {
		dismissable(h, p)
		h.userData.Singleton = true
		h.living = func() ([]string, error) { return []string{"i-1 (running)"}, nil }
		stop := h.play(t)
		pass(time.Minute)
		h.with(func() { h.lifecycle = "Terminated" })
		pass(10 * time.Second)
		if diff := cmp.Diff([]string{hook}, h.events("told", "has", "Complete", "Signal")); diff != "" || p.started("exec bin/web") != nil {
			t.Error(diff)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// Real processes: the job under way is finished before the hook is completed.
func TestRealProcessDrainsThenHook(t *testing.T) {
	t.Parallel()
	h := newHost(t, "worker: sh worker.sh\n")
	h.enroll("WorkerGroup")
	h.userData.Role, h.userData.Hook, h.userData.Signal = "worker", "drain", false
	h.file(t, "opt/app/worker.sh", `trap 'sleep 0.3; echo the last job is done; exit 0' TERM
echo at work
while :; do sleep 0.02; done
`)
	stop := h.play(t)
	h.eventually(t, "at work", h.says("worker: at work\n"))
	h.with(func() { h.lifecycle = "Terminated" })
	h.eventually(t, "the hook", func() bool { return h.events("Complete") != nil })
	if log := h.object("worker/i-0abc.log"); !strings.Contains(log, "worker: the last job is done\n") || !strings.Contains(log, "boot: everything has ended\n") {
		t.Errorf("when the hook was completed, the log was\n%s", log)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(h.said(), "worker: at work\n"); n != 1 {
		t.Errorf("started %d times", n)
	}
}

// Nor does it vote on the deploy any more, although it is well.
func TestDismissedBeforeItIsReady(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, p *troupe) {
		dismissable(h, p)
		h.userData.TargetGroups = []string{webTargets}
		health := "initial|Elb.InitialHealthChecking"
		h.target = func(string) string { return health }
		stop := h.play(t)
		pass(10 * time.Second)
		h.with(func() { h.lifecycle = "Terminated" })
		pass(6 * time.Second)
		h.with(func() { health = "healthy" })
		pass(time.Minute)
		if got := h.events("Signal", "told"); got != nil {
			t.Errorf("%q\n%s", got, h.said())
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// What ends by itself, or has ended and waits for its next start, when the group ends
// the server is not started again: the server only waits for the balancer.
func TestNoNewStartAfterTheEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lives  time.Duration // of a process; the group ends the server after a minute
		starts int
	}{
		"ends afterwards":     {70 * time.Second, 1},
		"waits for its start": {12 * time.Second, 4}, // at 0, 13, 27 and 43 s; the fifth would be at 63 s
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, "web: bin/web\n", func(t *testing.T, h *host, p *troupe) {
				dismissable(h, p)
				h.Start = p.start
				h.userData.TargetGroups = []string{webTargets}
				health := "healthy"
				h.target = func(string) string { return health }
				p.life = func(string, int) (time.Duration, error) { return test.lives, errors.New("exit code 1") }
				stop := h.play(t)
				pass(time.Minute - 5*time.Second) // boot looks every 5 s
				h.with(func() { h.lifecycle, health = "Terminated", "draining|Target.DeregistrationInProgress" })
				pass(time.Minute)
				if n := len(p.started("exec bin/web")); n != test.starts {
					t.Errorf("started %d times\n%s", n, h.said())
				}
				h.with(func() { health = "unused|Target.NotRegistered" })
				pass(20 * time.Second)
				if diff := cmp.Diff([]string{hook}, h.events("Complete")); diff != "" {
					t.Errorf("%s\n%s", diff, h.said())
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
