package agent_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/boot/agent"
)

const (
	success = "SignalResource SUCCESS shop-staging WebGroup i-0abc"
	failure = "SignalResource FAILURE shop-staging WebGroup i-0abc"
)

func TestReadyServerVotesOnce(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, _ *troupe) {
		h.enroll("WebGroup")
		for range 2 { // systemd may start boot again
			stop := h.play(t)
			pass(19 * time.Second)
			if got := h.events("SignalResource"); len(got) > 1 {
				t.Errorf("too early, or twice: %q", got)
			}
			pass(2 * time.Minute)
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff([]string{success}, h.events("SignalResource")); diff != "" {
			t.Errorf("%s\n%s", diff, h.said())
		}
		if !strings.Contains(h.said(), "boot: signalled SUCCESS to WebGroup of the stack shop-staging\n") {
			t.Errorf("log:\n%s", h.said())
		}
	})
}

// CloudFormation counts by logical id, which old group and new group share.
func TestOldServersNeverVote(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(h *host)
		later  func(h *host) // after the server has started, before it is ready
		votes  bool
		said   string
	}{
		"a young group": {votes: true},
		"an old group, which has started a new server": {
			change: func(h *host) { h.groups[0].created = time.Now().Add(-5 * time.Minute) }, said: "nobody waits for this server any more"},
		"a group that becomes too old before the server is ready": {
			change: func(h *host) { h.groups[0].created = time.Now().Add(-5*time.Minute + 15*time.Second) }, said: "nobody waits for this server any more"},
		"a young group that is being replaced": {
			change: func(h *host) {
				h.groups[0].created = time.Now().Add(-time.Minute)
				h.groups = append(h.groups, scalingGroup{name: "group-newest", created: time.Now()})
			}, said: "this server belongs to the old group group-new, the new one is group-newest"},
		"a group whose successor comes while the server starts": {
			later: func(h *host) {
				h.groups = append(h.groups, scalingGroup{name: "group-newest", created: time.Now()})
			}, said: "this server belongs to the old group group-new, the new one is group-newest"},
		"a young group of another role": {
			change: func(h *host) {
				h.groups[0].created = time.Now().Add(-time.Minute)
				h.groups = append(h.groups, scalingGroup{name: "workers", created: time.Now(), resource: "WorkerGroup"})
			}, votes: true},
		"a singleton of an old group": {
			change: func(h *host) { h.userData.Singleton = true; h.groups[0].created = time.Now().AddDate(0, -1, 0) }, votes: true},
		"a singleton that is about to be replaced": {
			change: func(h *host) { h.userData.Singleton = true; h.groups[0].version = "8" },
			said:   "this server was started from version 7 of the launch template, its group starts version 8 now"},
		"a singleton that is as old as its group": {
			change: func(h *host) {
				h.userData.Singleton = true
				h.mark("i-0abc", time.Now().Add(-time.Hour), "")
			}, said: "nobody waits for this server any more"},
		"a server that has voted": {change: func(h *host) { h.mark("i-0abc", time.Now(), "FAILURE") }},
		"a server of an image that was made of one that had voted": {
			change: func(h *host) { h.mark("i-other", time.Now().Add(-time.Hour), "SUCCESS") }, votes: true},
		"a server whose template asks for no signal": {change: func(h *host) { h.userData.Signal = false }},
		"a server that stands alone": {
			change: func(h *host) { h.groups = nil }, said: "no signal yet: no group WebGroup of the stack shop-staging holds this server"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, "web: bin/web\n", func(t *testing.T, h *host, _ *troupe) {
				h.enroll("WebGroup")
				h.file(t, "var/lib/fearless/.keep", "")
				if test.change != nil {
					test.change(h)
				}
				stop := h.play(t)
				pass(10 * time.Second)
				if test.later != nil {
					h.with(func() { test.later(h) })
				}
				pass(10 * time.Minute)
				asked := h.calls("Describe")
				pass(time.Hour)
				if more := h.calls("Describe"); more != asked {
					t.Errorf("asks AWS %d times an hour for nothing", more-asked)
				}
				var want []string
				if test.votes {
					want = []string{success}
				}
				if diff := cmp.Diff(want, h.events("SignalResource")); diff != "" || !strings.Contains(h.said(), test.said) {
					t.Errorf("%s\nwant %q in\n%s", diff, test.said, h.said())
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// mark is what an earlier start of boot has noted.
func (h *host) mark(instance string, first time.Time, signal string) {
	text := fmt.Sprintf(`{"instance":%q,"first":%q,"signal":%q}`, instance, first.UTC().Format(time.RFC3339), signal)
	if err := writeFile(h.Root, "var/lib/fearless/signal.json", text); err != nil {
		panic(err)
	}
}

// Whoever reads that the deploy failed must find why: first the log, then the
// state, then the signal.
func TestFailureIsExplainedFirst(t *testing.T) {
	t.Parallel()
	const crash = "web ends again and again: exit code 1"
	tests := map[string]struct {
		procfile string
		change   func(h *host, p *troupe)
		from, to time.Duration // when the signal is to be sent
		reason   string
		log      string
	}{
		"the process ends again and again": {
			change: func(_ *host, p *troupe) {
				p.life = func(string, int) (time.Duration, error) { return time.Second, errors.New("exit code 1") }
			}, from: 36 * time.Second, to: 40 * time.Second, reason: crash, log: "web: hello from exec bin/web\n"},
		"the health path fails": {
			change: func(h *host, _ *troupe) {
				web := &answers{}
				web.status(500, "")
				h.HTTP, h.userData.HealthPath = web, "/health"
				h.groups[0].created = time.Now().Add(-time.Minute) // four minutes are left, less half a minute
			}, from: 209 * time.Second, to: 216 * time.Second, reason: "/health answers 500: the application fails, its log says why", log: "not ready in time: CloudFormation waits for 5m0s\n"},
		"the image does not fit": {
			change: func(h *host, _ *troupe) { h.userData.Application = "blog" },
			to:     time.Second, reason: "the image is of the application shop, the server should run blog", log: "cannot start: the image is of the application shop"},
		"a release on a server that has other work": {
			procfile: withRelease,
			change: func(h *host, p *troupe) {
				h.userData.Processes = []string{"release", "web"}
				p.life = func(string, int) (time.Duration, error) { return 3 * time.Second, errors.New("exit code 3") }
			}, from: 3 * time.Second, to: 5 * time.Second, reason: "the release process failed: exit code 3", log: "release: hello from exec bin/migrate\n"},
		"a release server": {
			procfile: withRelease,
			change: func(h *host, p *troupe) {
				h.userData.Release, h.groups = true, nil
				p.life = func(string, int) (time.Duration, error) { return 3 * time.Second, errors.New("exit code 3") }
			}, from: 3 * time.Second, to: 5 * time.Second, reason: "the release process failed: exit code 3", log: "release: hello from exec bin/migrate\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, or(test.procfile, "web: bin/web\n"), func(t *testing.T, h *host, p *troupe) {
				h.enroll("WebGroup")
				test.change(h, p)
				var log, state string
				var at time.Duration
				begun := time.Now()
				h.refuse = func(action string) string { // called with the lock held, before the signal counts
					if action == "SignalResource" {
						log, state, at = h.objects["/bucket/logs/web/i-0abc.log"], h.objects["/bucket/logs/web/i-0abc.json"], time.Since(begun)
					}
					return ""
				}
				stop := h.play(t)
				pass(6 * time.Minute)
				if diff := cmp.Diff([]string{failure}, h.events("SignalResource")); diff != "" {
					t.Errorf("%s\n%s", diff, h.said())
				}
				if at < test.from || at > test.to {
					t.Errorf("signalled after %s, expected %s to %s", at, test.from, test.to)
				}
				if !strings.Contains(state, `"reason":"`+test.reason+`"`) || !strings.Contains(log, test.log) {
					t.Errorf("when it signalled, the state was %s and the log\n%s", state, log)
				}
				_ = stop()
			})
		})
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Rights that are on their way are waited for; those that never come are not.
func TestSettingsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, _ *troupe) {
		h.enroll("WebGroup")
		h.userData.SettingsPaths = []string{"/other"}
		for start := time.Now(); time.Since(start) < 3*time.Minute; pass(5 * time.Second) {
			if err := agent.Run(t.Context(), h.Server); err == nil {
				t.Fatal("started")
			}
			if got := h.events("SignalResource"); time.Since(start) < 2*time.Minute && got != nil {
				t.Fatalf("%q after %s", got, time.Since(start))
			}
		}
		if diff := cmp.Diff([]string{failure}, h.events("SignalResource")); diff != "" {
			t.Errorf("%s\n%s", diff, h.said())
		}
	})
}

// A vote that does not arrive is cast again, and complained about once.
func TestVoteThatDoesNotArrive(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"SignalResource", "DescribeAutoScalingGroups"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			simulate(t, "web: bin/web\n", func(t *testing.T, h *host, _ *troupe) {
				h.enroll("WebGroup")
				left := 20
				h.refuse = func(asked string) string {
					if left--; asked == action && left > 0 {
						return "ValidationError"
					}
					return ""
				}
				stop := h.play(t)
				pass(4 * time.Minute)
				if diff := cmp.Diff([]string{success}, h.events("SignalResource")); diff != "" || strings.Count(h.said(), "ValidationError: not now") != 1 {
					t.Errorf("%s\n%s", diff, h.said())
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Without its bucket a server cannot explain itself, but it can still say no.
func TestFailureWithoutTheBucket(t *testing.T) {
	t.Parallel()
	simulate(t, withRelease, func(t *testing.T, h *host, p *troupe) {
		h.enroll("WebGroup")
		h.userData.Release, h.failures = true, 1<<30
		p.life = func(string, int) (time.Duration, error) { return time.Second, errors.New("exit code 3") }
		stop := h.play(t)
		pass(70 * time.Second)
		if diff := cmp.Diff([]string{failure}, h.events("SignalResource")); diff != "" || h.offs() != 1 {
			t.Errorf("%s, switched off %d times\n%s", diff, h.offs(), h.said())
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A release server that was stopped in the middle says so before it goes, and
// does not stay for it.
func TestReleaseServerIsStopped(t *testing.T) {
	t.Parallel()
	for name, stall := range map[string]string{"AWS answers": "", "AWS is silent": "SignalResource"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, withRelease, func(t *testing.T, h *host, _ *troupe) {
				h.enroll("WebGroup")
				h.userData.Release = true
				h.stall = stall
				stop := h.play(t)
				pass(10 * time.Second)
				begun := time.Now()
				if err := stop(); err != nil {
					t.Error(err)
				}
				if took := time.Since(begun); took > 15*time.Second {
					t.Errorf("went after %s", took)
				}
				if got := h.events("SignalResource"); (len(got) == 1 && got[0] == failure) != (stall == "") {
					t.Errorf("%q\n%s", got, h.said())
				}
			})
		})
	}
}

func TestSignalNeedsItsAddressee(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, _ *troupe) {
		h.userData.Hook = "drain"
		h.HTTP = http.DefaultTransport
		if err := agent.Run(t.Context(), h.Server); err == nil || !strings.Contains(err.Error(), "signal, singleton and hook need stack and resource") {
			t.Errorf("error %v", err)
		}
	})
}

// Who fails six times is given up, but not for ever.
func TestProcessThatRecovers(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, p *troupe) {
		p.life = func(_ string, n int) (time.Duration, error) {
			if n > 6 {
				return 0, nil
			}
			return time.Second, errors.New("exit code 1")
		}
		stop := h.play(t)
		pass(70*time.Second + 55*time.Second) // 6 lives, 61 s of pauses, most of a minute
		if state := h.state(t); state.Ready || state.Reason != "web ends again and again: exit code 1" {
			t.Errorf("%+v", state)
		}
		pass(15 * time.Second)
		if state := h.state(t); !state.Ready || state.Reason != "" {
			t.Errorf("%+v", state)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
