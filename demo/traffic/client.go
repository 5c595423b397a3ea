// Package traffic is a client that notices: it sends requests at a steady rate, whatever
// becomes of those before, and counts what came back. The demo and the proof that
// releases fail no request look through the same eyes.
package traffic

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// impatience is when a request counts as failed. It is long: a computer that is busy
// with other things makes answers slow, and only what is wrong shall count here.
const impatience = 10 * time.Second

// Load is what a client sends, in requests a second, in the words of the sample
// application.
type Load struct {
	URL string // of the balancer, without a path

	Quick int // GET /version, every other one on a connection of its own
	Slow  int // GET /slow, which takes a second
	Jobs  int // POST /jobs, which must not be done twice and so is never sent again

	Transport http.RoundTripper // the way to the balancer; nil: sockets
}

// Client sends a load until it is stopped. It is an open loop: a request is sent when its
// time has come, and its latency is counted from then, not from when the client got
// round to it. A client that waits for answers would hide a server that hangs.
type Client struct {
	load   Load
	cancel context.CancelFunc
	under  sync.WaitGroup

	kept, fresh *http.Client // with and without keep-alive

	mu     sync.Mutex
	phases []*Count
	jobs   []string // numbers of the jobs that were accepted
}

// Start begins the first phase of that name.
func Start(ctx context.Context, load Load, phase string, allowed ...string) *Client {
	ctx, cancel := context.WithCancel(ctx)
	c := &Client{load: load, cancel: cancel, kept: load.client(true), fresh: load.client(false)}
	c.Phase(phase, allowed...)
	for _, f := range []flow{
		{load.Quick, load.Quick * patience, c.quick},
		{load.Slow, load.Slow * (patience + 2), c.slow},
		{load.Jobs, load.Jobs * patience, c.job},
	} {
		if f.rate > 0 {
			c.under.Go(func() { c.pace(ctx, f) })
		}
	}
	return c
}

// flow is requests of one kind.
type flow struct {
	rate int // a second
	most int // under way at a time
	send func(ctx context.Context, n int) outcome
}

// patience is how many seconds' worth of requests may be under way. What comes beyond
// is not sent, and that is counted: a computer that cannot keep up would only get
// slower. A server that hangs is noticed all the same, by those that it holds.
const patience = 1

func (l Load) client(keep bool) *http.Client {
	c := &http.Client{
		Transport:     l.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if c.Transport == nil {
		// Shorter than the idle time of a balancer (60 s), as browsers keep to: a request
		// on a connection that is being closed would fail for no fault of the release.
		c.Transport = &http.Transport{DisableKeepAlives: !keep, DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}
	}
	return c
}

// pace starts requests at their times. When this computer was busy, those that are due
// are all started at once, as far as there is room.
func (c *Client) pace(ctx context.Context, f flow) {
	began, room := time.Now(), make(chan struct{}, f.most)
	for n := 0; ; n++ {
		due := began.Add(time.Duration(n) * time.Second / time.Duration(f.rate))
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(due)):
		}
		select {
		case room <- struct{}{}:
		default:
			c.skipped()
			continue
		}
		phase := c.sent(due)
		c.under.Go(func() {
			defer func() { <-room }()
			// A request that was sent is waited for, also when the client is stopped.
			request, cancel := context.WithTimeout(context.WithoutCancel(ctx), impatience)
			defer cancel()
			c.note(phase, due, f.send(request, n))
		})
	}
}

// outcome is what became of a request.
type outcome struct {
	version string // who answered, where the answer says so
	quick   bool   // its latency tells something
	err     error
}

func (c *Client) quick(ctx context.Context, n int) outcome {
	client := c.kept
	if n%2 == 1 {
		client = c.fresh
	}
	answer, err := call(ctx, client, http.MethodGet, c.load.URL+"/version", http.StatusOK)
	return outcome{version: answer, quick: true, err: err}
}

func (c *Client) slow(ctx context.Context, _ int) outcome {
	answer, err := call(ctx, c.kept, http.MethodGet, c.load.URL+"/slow", http.StatusOK)
	return outcome{version: answer, err: err}
}

func (c *Client) job(ctx context.Context, _ int) outcome {
	number, err := call(ctx, c.kept, http.MethodPost, c.load.URL+"/jobs", http.StatusCreated)
	if err == nil {
		c.mu.Lock()
		c.jobs = append(c.jobs, number)
		c.mu.Unlock()
	}
	return outcome{err: err}
}

// call sends one request and reads its whole answer, which is one line.
func call(ctx context.Context, client *http.Client, method, url string, wanted int) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return "", fmt.Errorf("the answer broke off: %w", err)
	}
	if response.StatusCode != wanted {
		return "", fmt.Errorf("%s %s answers %s", method, request.URL.Path, response.Status)
	}
	answer := strings.TrimSpace(string(body))
	if answer == "" {
		return "", fmt.Errorf("%s %s answers nothing", method, request.URL.Path)
	}
	return answer, nil
}

// Stop ends the client when its last request has been answered.
func (c *Client) Stop() {
	c.cancel()
	c.under.Wait()
	c.kept.CloseIdleConnections()
	c.fresh.CloseIdleConnections()
}

// Jobs are the numbers of the jobs that were accepted.
func (c *Client) Jobs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.jobs...)
}
