package elb

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// errIdle ends a request on which no byte has moved for the idle time.
var errIdle = errors.New("nothing was sent for the idle timeout")

// limits are those of a load balancer for one request.
type limits struct{ idle time.Duration }

// around gives up a request when neither side sends anything for too long.
func (l limits) around(next http.RoundTripper, cancel context.CancelCauseFunc) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		w := &watchdog{idle: l.idle}
		w.timer = time.AfterFunc(l.idle, func() { cancel(errIdle) })
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &watched{r.Body, w, false}
		}
		answer, err := next.RoundTrip(r)
		w.touch()
		switch {
		case err != nil:
			w.stop()
			return nil, err
		case answer.StatusCode == http.StatusSwitchingProtocols:
			// The connection is handed over as it is, and must not be wrapped.
			w.stop()
		default:
			answer.Body = &watched{answer.Body, w, true}
		}
		return answer, nil
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// watchdog fires when nobody has touched it for a while.
type watchdog struct {
	idle  time.Duration
	timer *time.Timer

	mu   sync.Mutex
	over bool
}

func (w *watchdog) touch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.timer.Reset(w.idle)
	}
}

func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
}

// watched is a body that touches the watchdog with everything that is read.
type watched struct {
	io.ReadCloser
	dog  *watchdog
	last bool // its end is the end of the request
}

func (b *watched) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.dog.touch()
	return n, err
}

// Close stops the watchdog with the end of the request.
func (b *watched) Close() error {
	if b.last {
		b.dog.stop()
	}
	return b.ReadCloser.Close()
}

// oneTry keeps http.Transport from sending a request twice. It repeats one
// that has no body when a connection from its pool turns out to be dead, and
// would hide just the failures that we want to see; a body that cannot be
// rewound forbids it. GET and HEAD without a length are sent as before,
// because the transport finds the body empty in time.
func oneTry(r *http.Request) {
	if r.Body == nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		r.Body, r.ContentLength, r.GetBody = empty{}, 0, nil
	}
}

type empty struct{}

func (empty) Read([]byte) (int, error) { return 0, io.EOF }

// Close has nothing to close.
func (empty) Close() error { return nil }
