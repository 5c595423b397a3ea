package traffic_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bitbucket.org/fearless/pipes/demo/traffic"
)

// way answers requests within the process.
type way func(*http.Request) (*http.Response, error)

func (w way) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

func says(status int, text string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(strings.NewReader(text))}, nil
}

// play lets time pass under a load, in simulated time.
func play(t *testing.T, w way, story func(*traffic.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := traffic.Start(t.Context(), traffic.Load{URL: "http://here", Quick: 200, Slow: 1, Jobs: 2, Transport: w}, "first", "1 a")
		time.Sleep(10*time.Second - time.Millisecond) //nolint:forbidigo // simulated
		story(c)
		c.Stop()
	})
}

func TestAllIsWell(t *testing.T) {
	t.Parallel()
	var number atomic.Int64
	play(t, func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost {
			return says(201, fmt.Sprintln(number.Add(1)))
		}
		return says(200, "1 a\n")
	}, func(c *traffic.Client) {
		got := c.Of("first")
		if trouble := got.Trouble(); trouble != "" || got.Sent != 2030 || got.Answered != 2030 || got.Seen() != "1 (2010)" || len(c.Jobs()) != 20 {
			t.Errorf("%s\n%+v, %d jobs", trouble, got, len(c.Jobs()))
		}
	})
}

// Everything that can be wrong is counted, with its cause, in the phase in which the
// request was due.
func TestTroubleIsNoticed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer way
		cause  string
	}{
		"a bad gateway":      {func(*http.Request) (*http.Response, error) { return says(502, "no") }, "GET /version answers Bad Gateway"},
		"no connection":      {func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }, "connection refused"},
		"an empty answer":    {func(*http.Request) (*http.Response, error) { return says(200, "") }, "GET /version answers nothing"},
		"a version too many": {func(*http.Request) (*http.Response, error) { return says(200, "2 b") }, "answers of a version that must not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var broken atomic.Bool
			play(t, func(r *http.Request) (*http.Response, error) {
				if broken.Load() {
					return test.answer(r)
				}
				if r.Method == http.MethodPost {
					return says(201, "1")
				}
				return says(200, "1 a")
			}, func(c *traffic.Client) {
				c.Phase("second", "1 a")
				broken.Store(true)
				time.Sleep(time.Second) //nolint:forbidigo // simulated
				broken.Store(false)
				c.Phase("third", "1 a")
				time.Sleep(time.Second) //nolint:forbidigo // simulated
				if got := c.Of("second"); !strings.Contains(got.Trouble(), test.cause) || got.Failed+got.Strange < 200 {
					t.Errorf("%s\n%+v", got.Trouble(), got)
				}
				c.Phase("second", "1 a")
				time.Sleep(time.Second) //nolint:forbidigo // simulated
				if trouble := c.Last("second").Trouble(); trouble != "" {
					t.Errorf("the phase of that name that went well: %s", trouble)
				}
				for _, phase := range []string{"first", "third"} {
					if trouble := c.Of(phase).Trouble(); trouble != "" {
						t.Error(trouble)
					}
				}
			})
		})
	}
}

// A server that hangs does not hold the client up: it goes on sending while there is
// room, says what it did not send, and counts what was not answered in time.
func TestOpenLoop(t *testing.T) {
	t.Parallel()
	play(t, func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(time.Minute):
			return says(200, "1 a")
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}, func(c *traffic.Client) {
		time.Sleep(10 * time.Second) //nolint:forbidigo // simulated
		got := c.Of("first")
		if got.Sent < 400 || got.Failed < 200 || got.Answered != 0 || got.Sent+got.Skipped < 4000 || !strings.Contains(got.Trouble(), "deadline exceeded") {
			t.Errorf("%s\n%+v", got.Trouble(), got)
		}
	})
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	play(t, func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/version" && n.Add(1)%50 == 0 {
			time.Sleep(3 * time.Second) //nolint:forbidigo // simulated
		}
		return says(200, "1 a")
	}, func(c *traffic.Client) {
		c.Phase("end")
		time.Sleep(5 * time.Second) //nolint:forbidigo // simulated
		if got := c.Of("first"); got.Quantile(0.5) != 0 || got.Quantile(0.99) != 3*time.Second {
			t.Errorf("median %s, p99 %s", got.Quantile(0.5), got.Quantile(0.99))
		}
	})
}
