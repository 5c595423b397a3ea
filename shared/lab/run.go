package lab

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// Outcome is one run of a pipe.
type Outcome struct {
	Code  exit.Code
	Log   string
	Calls []fault.Call
}

// Expect holds a run against the exit code that it should end with, and what it should say.
func (o Outcome) Expect(t testing.TB, code exit.Code, parts ...string) Outcome {
	t.Helper()
	if o.Code != code {
		t.Errorf("exit code %d, want %d; the log:\n%s", o.Code, code, o.Log)
	}
	for _, part := range parts {
		if !strings.Contains(o.Log, part) {
			t.Errorf("%q is not in the log:\n%s", part, o.Log)
		}
	}
	return o
}

// Run runs a whole pipe (main is Pipe.Main) with these variables beside those that every
// run in the lab has. The plan, which may be nil, puts faults on its calls; whatever is
// sent on interrupt stops it as a signal would.
func (l *Lab) Run(main func(pipe.World) int, interrupt <-chan struct{}, plan fault.Plan, variables ...string) Outcome {
	transport := &fault.Transport{Next: l.Cloud.Transport(), Plan: plan}
	if l.Wire != nil {
		transport.Next = l.Wire(transport.Next)
	}
	var log safeBuffer
	code := main(pipe.World{
		Environ: append([]string{
			"APPLICATION=" + Application, "TIMEOUT=2h", "AWS_ENDPOINT_URL=" + endpoint, "AWS_DEFAULT_REGION=" + region,
			"AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=" + secret,
		}, variables...),
		Dir: l.Clone, Out: &log, Interrupt: interrupt, Transport: beside{transport, l},
	})
	return Outcome{Code: exit.Code(code), Log: log.String(), Calls: transport.Log()}
}

// beside sends calls of Bitbucket's API and of git there, and others to AWS.
type beside struct {
	aws http.RoundTripper
	lab *Lab
}

// RoundTrip is one call.
func (b beside) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.lab.Bitbucket != nil && r.URL.Host == "api.bitbucket.org" {
		return b.lab.Bitbucket.RoundTripper().RoundTrip(r)
	}
	if b.lab.Beside != nil {
		if other := b.lab.Beside(r); other != nil {
			return other.RoundTrip(r)
		}
	}
	if b.lab.Git != nil && r.URL.Host == "git.local" {
		answer := httptest.NewRecorder()
		in := r.Clone(r.Context())
		in.RequestURI = r.URL.RequestURI()
		b.lab.Git.ServeHTTP(answer, in)
		return answer.Result(), nil
	}
	return b.aws.RoundTrip(r)
}

// safeBuffer takes lines from a pipe and its signal handler.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
