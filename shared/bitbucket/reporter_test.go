package bitbucket_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/bitbucket/fake"
	"bitbucket.org/fearless/pipes/shared/console"
)

var unreachable = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

// reporter tells everything once, and gives what the log says about it.
func reporter(ctx context.Context, s bitbucket.Settings, server *fake.Server, findings int) string {
	var log bytes.Buffer
	r := bitbucket.NewReporter(s, bitbucket.Options{Transport: server.RoundTripper()}, console.New(&log, false))
	r.Begin(ctx, lintReport())
	r.Report(ctx, lintReport(many(findings)...))
	r.Status(ctx, bitbucket.Status{Key: "k", State: bitbucket.Successful})
	r.Comment(ctx, "lint-gate", "text")
	return log.String()
}

func TestReporter(t *testing.T) {
	t.Parallel()
	both := inPipe()
	both.AccessToken, both.PullRequest = "fake-token", 12
	server := fake.New(fake.Options{})
	if log := reporter(t.Context(), both, server, 3); log != "" {
		t.Errorf("the log says %s", log)
	}
	satisfied(t, server)
	if r, _ := server.Report("lint-gate"); r.Result != "FAILED" || len(server.Statuses()) != 1 || len(server.Comments()) != 1 {
		t.Errorf("%q", server.Calls())
	}

	server = fake.New(fake.Options{StatusByProxy: true})
	if log := reporter(t.Context(), inPipe(), server, 1234); !strings.Contains(log, "WARNING") || !strings.Contains(log, "1000 annotations of a report: 234 of the 1234 findings are not among them") || strings.Count(log, "\n") != 1 {
		t.Errorf("the log says %s", log)
	}
	satisfied(t, server)
}

// TestReporterNeverFails: whatever happens, all that comes of it is a line in
// the log.
func TestReporterNeverFails(t *testing.T) {
	t.Parallel()
	pr := inPipe()
	pr.PullRequest = 12
	both := pr
	both.AccessToken = "fake-token"
	for name, c := range map[string]struct {
		settings bitbucket.Settings
		fault    *fake.Fault
		warnings int
		said     string
	}{
		"not in a pipeline": {bitbucket.Settings{}, nil, 0, "nothing is reported to Bitbucket: this is not a pipeline"},
		"no token":          {pr, nil, 1, "no comment on pull request 12: that takes BITBUCKET_ACCESS_TOKEN"}, // and no status
		"refused":           {both, &fake.Fault{Status: 403}, 4, "BITBUCKET_ACCESS_TOKEN lacks the permission pull requests: write"},
		"broken":            {both, &fake.Fault{}, 4, "this changes nothing about the verdict"},
		"hangs":             {both, &fake.Fault{Hang: true}, 4, "deadline exceeded"},
		"answers nonsense":  {both, &fake.Fault{Status: 200, Body: "<html>"}, 1, "the answer cannot be read"},
		"used up":           {both, &fake.Fault{Status: 429, RetryAfter: "3000"}, 4, "requests of this hour"},
		"never up again":    {both, &fake.Fault{Status: 503, RetryAfter: "-5"}, 4, "503"},
	} {
		synctest.Test(t, func(t *testing.T) {
			server := fake.New(fake.Options{Fault: func(fake.Call) *fake.Fault { return c.fault }})
			started := time.Now()
			defer func() {
				if took := time.Since(started); took > 20*time.Second+3*time.Minute {
					t.Errorf("%s: the pipe was kept for %v", name, took)
				}
			}()
			log := reporter(t.Context(), c.settings, server, 3)
			if strings.Count(log, "WARNING") != c.warnings || !strings.Contains(log, c.said) || strings.Contains(log, "fake-token") {
				t.Errorf("%s: the log says %s", name, log)
			}
		})
	}
}

// TestReporterAfterTheEnd: a run that was stopped still says how it ended, in
// bounded time.
func TestReporterAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		server := fake.New(fake.Options{StatusByProxy: true})
		if log := reporter(ctx, inPipe(), server, 3); log != "" {
			t.Errorf("the log says %s", log)
		}
		if r, _ := server.Report("lint-gate"); r.Result != "FAILED" || len(server.Statuses()) != 1 {
			t.Errorf("%q", server.Calls())
		}
		satisfied(t, server)
	})
}
