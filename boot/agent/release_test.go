package agent_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/boot/agent"
)

const withRelease = "release: bin/migrate\nweb: bin/web\n"

func TestReleaseServer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		procfile string
		how      error
		ready    bool
		reason   string
	}{
		"good":       {withRelease, nil, true, ""},
		"bad":        {withRelease, errors.New("exit code 3"), false, "the release process failed: exit code 3"},
		"no release": {"web: bin/web\n", nil, true, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, test.procfile, func(t *testing.T, h *host, p *troupe) {
				h.userData.Role, h.userData.Release = "release", true
				p.life = func(string, int) (time.Duration, error) { return 90 * time.Second, test.how }
				stop := h.play(t)
				pass(10 * time.Second)
				if test.procfile == withRelease {
					if state := h.state(t); state.Ready || state.Reason != "the release process is running" {
						t.Errorf("%+v", state)
					}
					if log := h.object("release/i-0abc.log"); !strings.Contains(log, "release: hello from exec bin/migrate\n") {
						t.Errorf("uploaded while it runs:\n%s", log)
					}
					pass(90 * time.Second)
				}
				if state := h.state(t); state.Ready != test.ready || state.Reason != test.reason {
					t.Errorf("%+v", state)
				}
				if h.offs() != 0 {
					t.Error("switched off at once")
				}
				pass(time.Minute)
				if h.offs() != 1 {
					t.Errorf("switched off %d times", h.offs())
				}
				if p.started("exec bin/web") != nil {
					t.Error("web was started")
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// systemd starts boot again; the migrations must not run again.
func TestReleaseRunsOnce(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]error{"after success": nil, "after failure": errors.New("exit code 3")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, withRelease, func(t *testing.T, h *host, p *troupe) {
				h.userData.Role, h.userData.Release = "release", true
				p.life = func(string, int) (time.Duration, error) { return time.Second, how }
				for range 2 {
					stop := h.play(t)
					pass(10 * time.Second)
					if state := h.state(t); state.Ready != (how == nil) {
						t.Errorf("%+v", state)
					}
					if err := stop(); err != nil {
						t.Error(err)
					}
				}
				if n := len(p.started("exec bin/migrate")); n != 1 {
					t.Errorf("ran %d times", n)
				}
			})
		})
	}
}

func TestReleaseWasCutOff(t *testing.T) {
	t.Parallel()
	simulate(t, withRelease, func(t *testing.T, h *host, p *troupe) {
		h.userData.Role, h.userData.Release = "release", true
		h.file(t, "var/lib/fearless/release.json", `{"instance":"i-0abc","ended":false}`)
		stop := h.play(t)
		pass(10 * time.Second)
		if state := h.state(t); state.Ready || !strings.Contains(state.Reason, "was cut off when the server went down") {
			t.Errorf("%+v", state)
		}
		if err := stop(); err != nil || p.started("exec bin/migrate") != nil {
			t.Errorf("error %v, started %v", err, p.started("exec bin/migrate"))
		}
	})
}

// An image of a server that ran it is another server's disk.
func TestReleaseOfAnotherServer(t *testing.T) {
	t.Parallel()
	simulate(t, withRelease, func(t *testing.T, h *host, p *troupe) {
		h.userData.Role, h.userData.Release = "release", true
		h.file(t, "var/lib/fearless/release.json", `{"instance":"i-other","ended":true}`)
		p.life = func(string, int) (time.Duration, error) { return time.Second, nil }
		stop := h.play(t)
		pass(10 * time.Second)
		if state := h.state(t); !state.Ready || len(p.started("exec bin/migrate")) != 1 {
			t.Errorf("%+v", state)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A test environment has one server for everything.
func TestReleaseFirst(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]error{"good": nil, "bad": errors.New("exit code 3")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, withRelease, func(t *testing.T, h *host, p *troupe) {
				h.userData.Role, h.userData.Processes = "all", []string{"release", "web"}
				p.life = func(shell string, _ int) (time.Duration, error) {
					if shell == "exec bin/migrate" {
						return 5 * time.Second, how
					}
					return 0, nil
				}
				stop := h.play(t)
				pass(4 * time.Second)
				if p.started("exec bin/web") != nil {
					t.Error("web did not wait for the release process")
				}
				pass(40 * time.Second)
				if state := h.state(t); state.Ready != (how == nil) || (p.started("exec bin/web") != nil) != (how == nil) {
					t.Errorf("%+v, web started at %v", state, p.started("exec bin/web"))
				}
				if err := stop(); err != nil || h.offs() != 0 {
					t.Errorf("error %v, switched off %d times", err, h.offs())
				}
			})
		})
	}
}

func TestReleaseIsInterrupted(t *testing.T) {
	t.Parallel()
	simulate(t, withRelease, func(t *testing.T, h *host, p *troupe) {
		h.userData.Role, h.userData.Release = "release", true
		stop := h.play(t)
		pass(10 * time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if state := h.state(t); !strings.Contains(state.Reason, "ended because the server was told to stop") || h.offs() != 0 {
			t.Errorf("%+v", state)
		}
	})
}

func TestProcessThatCannotStart(t *testing.T) {
	t.Parallel()
	simulate(t, withRelease, func(t *testing.T, h *host, _ *troupe) {
		h.Start = func(agent.Call) (agent.Process, error) { return nil, errors.New("fork: out of memory") }
		stop := h.play(t)
		pass(3 * time.Second)
		if state := h.state(t); state.Reason != "web ended: fork: out of memory" {
			t.Errorf("%+v", state)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
