package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestPages(t *testing.T) {
	spool := Spool{Dir: t.TempDir()}
	server := httptest.NewServer(handler("1.2.3 0123abcd", spool))
	defer server.Close()
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/":        {200, "release <strong>1.2.3 0123abcd</strong>"},
		"/version": {200, "1.2.3 0123abcd\n"},
		"/health":  {200, "ok\n"},
		"/slow":    {200, "1.2.3 0123abcd\n"},
		"/nowhere": {404, ""},
	} {
		response, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != want.status || !strings.Contains(string(body), want.text) {
			t.Errorf("%s: %d %q, %v", path, response.StatusCode, body, err)
		}
	}
}

func TestJobsOfVisitors(t *testing.T) {
	spool := newSpool(t)
	server := httptest.NewServer(handler("1.2.3", spool))
	defer server.Close()
	for _, test := range []struct {
		method, path string
		status       int
		text         string
	}{
		{"POST", "/jobs", 201, "1\n"},
		{"POST", "/jobs", 201, "2\n"},
		{"GET", "/jobs", 200, "jobs: 2 queued, 2 waiting, 0 under way, 0 done, 0 lost, 0 done twice\n"},
		{"GET", "/", 200, "Jobs: 2 so far, 2 waiting."},
	} {
		request, err := http.NewRequest(test.method, server.URL+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != test.status || !strings.Contains(string(body), test.text) {
			t.Errorf("%s %s: %d %q, %v", test.method, test.path, response.StatusCode, body, err)
		}
	}
}

func TestRelease(t *testing.T) {
	number := strings.TrimSpace(version)
	if got := release("0123456789abcdef"); got != number+" 0123456789ab" {
		t.Errorf("got %q", got)
	}
	if got := release(""); got != number || number == "" {
		t.Errorf("got %q", got)
	}
}

// A request that was accepted is answered, although the server was told to stop.
func TestRequestsAreFinished(t *testing.T) {
	arrived, goOn := make(chan struct{}), make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-goOn
		_, _ = io.WriteString(w, "finished")
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- serveOn(ctx, listener, slow) }()
	answer := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + listener.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		answer <- string(body)
	}()
	<-arrived
	stop()
	eventually(t, "the port is closed", func() bool {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(goOn)
	if got := <-answer; got != "finished" {
		t.Errorf("got %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// eventually waits as long as that takes, but not for ever.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for late := time.Now().Add(5 * time.Minute); !holds(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("never happened: %s", what)
		}
	}
}
