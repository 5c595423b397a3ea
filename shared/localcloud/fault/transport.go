package fault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
)

// Transport is an http.RoundTripper with faults.
type Transport struct {
	Next http.RoundTripper

	// Plan decides; nil lets everything pass. It is never called twice at the
	// same time.
	Plan Plan

	mu    sync.Mutex
	calls []Call
	dead  bool
}

// ErrKilled is what a program gets that is dead: no client retries it.
var ErrKilled error = killed{}

type killed struct{}

func (killed) Error() string { return "the program was killed" }

// RetryableError tells the AWS SDK not to try again.
func (killed) RetryableError() bool { return false }

// Calls counts the calls that were attempted, until the death of the program.
func (t *Transport) Calls() int { return len(t.Log()) }

// Log are those calls in order.
func (t *Transport) Log() []Call {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.calls)
}

// Killed reports whether a plan has killed the program.
func (t *Transport) Killed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dead
}

// RoundTrip makes the call, or lets it go wrong.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	r, o, err := identify(r)
	if err != nil {
		return nil, err
	}
	fault, dead := t.decide(o)
	if dead {
		closeBody(r)
		return nil, ErrKilled
	}
	switch fault.kind {
	case refuse:
		closeBody(r)
		return answer(r, o.Protocol, fault.status, fault.code), nil
	case throttle:
		closeBody(r)
		status, code := throttling(o)
		return answer(r, o.Protocol, status, code), nil
	case drop:
		closeBody(r)
		return nil, reset("write")
	case stall:
		if err := wait(r, fault.delay); err != nil {
			closeBody(r)
			return nil, err
		}
	case lose, killAfter:
		return nil, t.lose(r, fault)
	}
	return t.Next.RoundTrip(r)
}

// decide numbers the call and asks the plan. Nothing is counted after death.
func (t *Transport) decide(o operation.Operation) (f Fault, dead bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dead {
		return None, true
	}
	call := Call{N: len(t.calls) + 1, Service: o.Service, Action: o.Action}
	t.calls = append(t.calls, call)
	if t.Plan != nil {
		f = t.Plan(call)
	}
	t.dead = f.kind == killBefore || f.kind == killAfter
	return f, f.kind == killBefore
}

// lose performs the call and throws the reply away.
func (t *Transport) lose(r *http.Request, f Fault) error {
	response, err := t.Next.RoundTrip(r)
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		err = errors.Join(err, response.Body.Close())
	}
	if f.kind == killAfter {
		return ErrKilled
	}
	if err != nil {
		return fmt.Errorf("lose the reply: %w", err)
	}
	return reset("read")
}

// identify names the operation. A query's body is read for that, so what goes
// on is a copy of the request with the body put back.
func identify(r *http.Request) (*http.Request, operation.Operation, error) {
	if r.Body == nil || !operation.NeedsBody(r) {
		return r, operation.Of(r, nil), nil
	}
	body, err := io.ReadAll(r.Body)
	if err = errors.Join(err, r.Body.Close()); err != nil {
		return nil, operation.Operation{}, fmt.Errorf("read the request: %w", err)
	}
	copied := r.Clone(r.Context())
	copied.Body = io.NopCloser(bytes.NewReader(body))
	return copied, operation.Of(r, body), nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // the request goes nowhere
	}
}

// wait honours the caller's patience.
func wait(r *http.Request, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.Context().Done():
		return r.Context().Err()
	}
}

// reset is the error of a connection that the other side has cut.
func reset(op string) error {
	return &net.OpError{Op: op, Net: "tcp", Err: syscall.ECONNRESET}
}
