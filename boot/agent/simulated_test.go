package agent_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/boot/agent"
	"bitbucket.org/fearless/pipes/shared/contract"
)

// troupe plays processes in simulated time.
type troupe struct {
	mu     sync.Mutex
	starts map[string][]time.Duration // by shell text: when it was started
	ends   map[string]int
	begun  time.Time
	// life is how long the nth life of a process lasts and how it ends;
	// 0 lasts until it is told to end.
	life func(shell string, n int) (time.Duration, error)
}

type actor struct {
	ended chan struct{}
	how   error
	end   func()
}

func newTroupe() *troupe {
	return &troupe{starts: map[string][]time.Duration{}, ends: map[string]int{}, begun: time.Now(),
		life: func(string, int) (time.Duration, error) { return 0, nil }}
}

func (p *troupe) start(call agent.Call) (agent.Process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starts[call.Shell] = append(p.starts[call.Shell], time.Since(p.begun))
	_, _ = io.WriteString(call.Out, "hello from "+call.Shell+"\n")
	lasts, how := p.life(call.Shell, len(p.starts[call.Shell]))
	a := &actor{ended: make(chan struct{}), how: how}
	over := sync.OnceFunc(func() { close(a.ended) })
	a.end = func() {
		over()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ends[call.Shell]++
	}
	if lasts > 0 {
		time.AfterFunc(lasts, over)
	}
	return a, nil
}

func (a *actor) Wait() error       { <-a.ended; return a.how }
func (a *actor) End(time.Duration) { a.end() }

func (p *troupe) started(shell string) []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.starts[shell]
}

// simulate runs a test in simulated time with played processes.
func simulate(t *testing.T, procfile string, test func(t *testing.T, h *host, p *troupe)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h, p := newHost(t, procfile), newTroupe()
		h.Start = p.start
		test(t, h, p)
	})
}

// pass lets simulated time pass, and everything due in it happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestReadyWhenAliveLongEnough(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\nworker: bin/worker\nrelease: bin/migrate\n", func(t *testing.T, h *host, p *troupe) {
		h.userData.Role = "all"
		stop := h.play(t)
		pass(19500 * time.Millisecond)
		state := h.state(t)
		if state.Ready || state.Reason != "web has been running for less than 20s" {
			t.Errorf("too early: %+v", state)
		}
		pass(time.Second)
		if state = h.state(t); !state.Ready || state.Reason != "" || time.Since(state.Since) > time.Second {
			t.Errorf("late: %+v", state)
		}
		want := []contract.ProcessState{{Type: "web", Running: true}, {Type: "worker", Running: true}}
		if diff := cmp.Diff(want, state.Processes); diff != "" {
			t.Error(diff)
		}
		pass(time.Hour)
		if n := strings.Count(h.said(), "boot: ready\n"); n != 1 {
			t.Errorf("said %d times that it is ready", n)
		}
		if p.started("exec bin/migrate") != nil {
			t.Error("the release process was started")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if state = h.state(t); state.Ready || state.Reason != "the server was told to stop" {
			t.Errorf("after the end: %+v", state)
		}
	})
}

func TestBackOff(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, p *troupe) {
		p.life = func(_ string, n int) (time.Duration, error) {
			if n == 8 {
				return time.Minute, errors.New("exit code 1") // long enough to start afresh
			}
			return 100 * time.Millisecond, errors.New("exit code 1")
		}
		stop := h.play(t)
		pass(4 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		starts := p.started("exec bin/web")
		if len(starts) < 11 {
			t.Fatalf("started at %v", starts)
		}
		var pauses []time.Duration
		for i := range 10 {
			pauses = append(pauses, (starts[i+1] - starts[i]).Truncate(time.Second))
		}
		s := time.Second
		if diff := cmp.Diff([]time.Duration{1 * s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s, 61 * s, 2 * s, 4 * s}, pauses); diff != "" {
			t.Error(diff)
		}
		if !strings.Contains(h.said(), "boot: web ended after 0s (exit code 1), starts again in 1s\n") ||
			!strings.Contains(h.said(), "boot: not ready: web ended: exit code 1\n") {
			t.Errorf("log:\n%s", h.said())
		}
		if state := h.state(t); len(state.Processes) != 1 || state.Processes[0].Restarts < 10 || state.Processes[0].Exit == "" {
			t.Errorf("state: %+v", state)
		}
	})
}

// answers is a web application that behaves as the test says.
type answers struct {
	mu  sync.Mutex
	now func(*http.Request) (*http.Response, error)
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now(r)
}

func (a *answers) status(code int, location string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: http.Header{"Location": {location}}, Body: http.NoBody, Request: r}, nil
	}
}

func TestReadyWhenHealthy(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\nworker: bin/worker\n", func(t *testing.T, h *host, _ *troupe) {
		h.userData.HealthPath = "/health"
		var asked atomic.Value
		web := &answers{now: func(r *http.Request) (*http.Response, error) {
			asked.Store(r.URL.String())
			return nil, syscall.ECONNREFUSED
		}}
		h.HTTP = web
		stop := h.play(t)
		pass(30 * time.Second)
		if asked.Load() != "http://127.0.0.1:8000/health" {
			t.Errorf("asked %v", asked.Load())
		}
		web.status(301, "https://shop.example.com/health")
		pass(10 * time.Second)
		web.status(200, "")
		pass(2 * time.Second)
		if state := h.state(t); !state.Ready {
			t.Errorf("not ready: %+v", state)
		}
		web.status(500, "")
		pass(10 * time.Second)
		if state := h.state(t); state.Ready || !strings.HasPrefix(state.Reason, "/health answers 500") {
			t.Errorf("ready in spite of it: %+v", state)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		for _, line := range []string{"not ready: connection refused", "not ready: /health answers 301, a redirect to https", "not ready: /health answers 500", "boot: ready\n"} {
			if n := strings.Count(h.said(), line); n != 1 {
				t.Errorf("%q was said %d times:\n%s", line, n, h.said())
			}
		}
	})
}

func TestReadyCommand(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, p *troupe) {
		h.userData.Ready = "bin/ready"
		p.life = func(shell string, n int) (time.Duration, error) {
			switch {
			case shell == "exec bin/web" && n == 1:
				return time.Minute, errors.New("exit code 1")
			case shell == "bin/ready" && n == 1:
				return 0, nil // hangs
			case shell == "bin/ready" && n == 2:
				return time.Millisecond, errors.New("exit code 1")
			case shell == "bin/ready":
				return time.Millisecond, nil
			}
			return 0, nil
		}
		stop := h.play(t)
		pass(10500 * time.Millisecond)
		if state := h.state(t); state.Reason != "the ready command did not end within 10s" {
			t.Errorf("%+v", state)
		}
		pass(time.Second)
		if state := h.state(t); state.Reason != "the ready command fails: exit code 1: hello from bin/ready" {
			t.Errorf("%+v", state)
		}
		pass(time.Second)
		if state := h.state(t); !state.Ready {
			t.Errorf("%+v", state)
		}
		pass(30 * time.Second)
		if n := len(p.started("bin/ready")); n != 3 {
			t.Errorf("asked %d times, expected no more once it succeeded", n)
		}
		pass(time.Minute) // the process was restarted meanwhile
		if n := len(p.started("bin/ready")); n != 4 || !h.state(t).Ready {
			t.Errorf("asked %d times; %+v", n, h.state(t))
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestUploads(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, p *troupe) {
		h.settings["/shop"] = [][2]string{{"!token", "correct horse"}}
		h.userData.SettingsPaths = []string{"/shop"}
		h.failures = 3
		var out io.Writer
		h.Start = func(call agent.Call) (agent.Process, error) { out = call.Out; return p.start(call) }
		stop := h.play(t)
		pass(time.Minute)
		if n := strings.Count(h.said(), "cannot upload to s3://bucket/logs"); n != 1 {
			t.Errorf("said %d times that it cannot upload:\n%s", n, h.said())
		}
		uploads := h.uploads("web/i-0abc.log")
		_, _ = io.WriteString(out, "token is correct horse\n")
		for range 5000 {
			_, _ = io.WriteString(out, strings.Repeat("x", 99)+"\n")
		}
		_, _ = io.WriteString(out, "no end of line")
		pass(6 * time.Second)
		if n := h.uploads("web/i-0abc.log"); n != uploads+1 {
			t.Errorf("%d uploads of the log within 6 s", n-uploads)
		}
		if log := h.object("web/i-0abc.log"); len(log) > 256<<10 || len(log) < 255<<10 || !strings.HasSuffix(log, " web: "+strings.Repeat("x", 99)+"\n") {
			t.Errorf("the tail has %d bytes", len(log))
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if log := h.object("web/i-0abc.log"); !strings.Contains(log, " web: no end of line\n") || !strings.HasSuffix(log, " boot: everything has ended\n") {
			t.Errorf("the log ends with %q", log[len(log)-200:])
		}
	})
}

func TestSecretsStayOnTheServer(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, p *troupe) {
		h.settings["/shop"] = [][2]string{{"!token", "correct horse"}, {"mode", "production"}}
		h.userData.SettingsPaths = []string{"/shop"}
		h.Start = func(call agent.Call) (agent.Process, error) {
			_, _ = io.WriteString(call.Out, "token is correct horse in production\n")
			return p.start(call)
		}
		stop := h.play(t)
		pass(10 * time.Second)
		if log := h.object("web/i-0abc.log"); !strings.Contains(log, "web: token is *** in production\n") {
			t.Errorf("uploaded:\n%s", log)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
