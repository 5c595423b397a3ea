package proof_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/demo/proof"
	"bitbucket.org/fearless/pipes/shared/localcloud/stage"
)

// TestCommitsAreShown shows three commits at the same time, each by its own host name
// through one balancer, on a real server with data of its own. The time of one is over:
// it goes, and no request to the others fails meanwhile.
func TestCommitsAreShown(t *testing.T) {
	t.Parallel()
	root, err := stage.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := proof.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := p.Showing(t.Context(), filepath.Join(root, "examples", "web"))
	if err != nil {
		t.Fatal(err)
	}
	versions := []proof.Version{p.One, p.Two, s.Three}
	if err := s.ShowAll(t.Context(), versions...); err != nil {
		t.Fatal(err)
	}
	for n, v := range versions {
		expect(t, s, v, "GET", "/version", http.StatusOK, v.Answer)
		scheduled(t, s, v)
		for job := range n + 1 { // numbered on each server by itself; the first is the scheduler's own
			expect(t, s, v, "POST", "/jobs", http.StatusCreated, fmt.Sprint(job+2))
		}
	}

	stop := watch(t, s, p.Two, s.Three)
	if err := s.Expire(t.Context(), p.One); err != nil {
		t.Error(err)
	}
	code, _, err := s.Ask(t.Context(), p.One, "GET", "/version")
	if err != nil || code != http.StatusNotFound {
		t.Errorf("the one whose time is over answers %d, %v", code, err)
	}
	if asked := stop(); asked < 20 {
		t.Errorf("only %d requests were made meanwhile", asked)
	}

	again, err := s.Show(t.Context(), p.Two, map[string]string{"TTL": "3h"})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("creating again took %s", again.Total)
	expect(t, s, p.Two, "POST", "/jobs", http.StatusCreated, "4") // it is the one from before
	if err := s.End(t.Context(), p.Two, s.Three); err != nil {
		t.Error(err)
	}
}

// expect makes one request.
func expect(t *testing.T, s *proof.Showing, v proof.Version, method, path string, code int, part string) {
	t.Helper()
	got, body, err := s.Ask(t.Context(), v, method, path)
	if err != nil || got != code || !strings.Contains(body, part) {
		t.Errorf("%s %s of version %s: %d %q %v, want %d with %q", method, path, v.Name, got, body, err, code, part)
	}
}

// scheduled waits until the scheduler of a version, which starts beside its web server, has
// queued its job.
func scheduled(t *testing.T, s *proof.Showing, v proof.Version) {
	t.Helper()
	tick, late := time.NewTicker(50*time.Millisecond), time.After(5*time.Minute)
	defer tick.Stop()
	for {
		_, body, err := s.Ask(t.Context(), v, "GET", "/jobs")
		if err != nil || strings.HasPrefix(body, "jobs: 1 queued") {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("the scheduler of version %s has queued nothing: %s", v.Name, body)
		}
	}
}

// watch asks versions for themselves all the time, until it is told to stop; it tells
// how often it did.
func watch(t *testing.T, s *proof.Showing, versions ...proof.Version) (stop func() int64) {
	t.Helper()
	var asked atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			for _, v := range versions {
				code, body, err := s.Ask(context.WithoutCancel(ctx), v, "GET", "/version")
				if asked.Add(1); err != nil || code != http.StatusOK || !strings.Contains(body, v.Answer) {
					t.Errorf("version %s answers %d %q %v while another one goes", v.Name, code, body, err)
				}
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	}()
	return func() int64 { cancel(); <-done; return asked.Load() }
}
