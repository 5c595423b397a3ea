package elb_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/elb"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

// traffic is an open-loop client: requests start by the clock, whatever
// became of those before.
type traffic struct {
	url string

	stop chan struct{}
	loop sync.WaitGroup

	mu     sync.Mutex
	sent   int
	failed []time.Time    // when they were sent
	kinds  map[string]int // of failures
	seen   map[string]int // answers by body
}

// begin sends 140 requests a second, every third one a POST, every seventh one
// that takes 0.3 seconds, half of them over connections that are kept. What a
// busy computer cannot send in time is left out, or the test would measure
// the computer.
func begin(url string) *traffic {
	c := &traffic{url: url, stop: make(chan struct{}), kinds: map[string]int{}, seen: map[string]int{}}
	for _, keep := range []bool{true, false} {
		client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: !keep, MaxIdleConnsPerHost: 50}}
		c.every(25*time.Millisecond, func() { c.send(client, http.MethodGet, "/") })
		c.every(50*time.Millisecond, func() { c.send(client, http.MethodPost, "/") })
		c.every(100*time.Millisecond, func() { c.send(client, http.MethodGet, "/slow") })
	}
	return c
}

func (c *traffic) every(d time.Duration, do func()) {
	c.loop.Go(func() {
		tick := time.NewTicker(d)
		defer tick.Stop()
		busy := make(chan struct{}, 20)
		for {
			select {
			case <-tick.C:
			case <-c.stop:
				return
			}
			select {
			case busy <- struct{}{}:
				c.loop.Go(func() { do(); <-busy })
			default:
			}
		}
	})
}

func (c *traffic) send(client *http.Client, method, path string) {
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader("some form")
	}
	text, problem, at := "", "", time.Now()
	r, err := http.NewRequest(method, c.url+path, body)
	if err == nil {
		var answer *http.Response
		if answer, err = client.Do(r); err == nil {
			var all []byte
			all, err = io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if text = string(all); answer.StatusCode != http.StatusOK {
				problem = answer.Status
			}
		}
	}
	if err != nil {
		problem = err.Error()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent++
	if problem != "" {
		c.failed = append(c.failed, at)
		c.kinds[problem]++
		return
	}
	c.seen[text]++
}

// end stops sending and waits for the last answer.
func (c *traffic) end() {
	close(c.stop)
	c.loop.Wait()
}

// count is how often an application has answered.
func (c *traffic) count(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[name]
}

// served waits until an application has answered some more requests.
func (b *bench) served(c *traffic, name string, more int) {
	b.Helper()
	from := c.count(name)
	b.eventually(name+" answers", func() bool { return c.count(name) >= from+more })
}

// behindTraffic is a listener with two servers and a client in front.
func behindTraffic(t *testing.T) (b *bench, group string, client *traffic) {
	t.Helper()
	b = setup(t, timing, elb.Options{Sockets: true})
	group = b.group("RWebTargets", resource.Properties{"UnhealthyThresholdCount": 3})
	b.rule(1, paths("/*"), forward(group))
	for _, name := range []string{"one", "two"} {
		b.serve("i-"+name, named(name))
		b.register(group, "i-"+name)
		b.awaitHealth(group, "i-"+name, "healthy")
	}
	client = begin(b.service.URL(b.listener))
	b.served(client, "one", 30)
	return b, group, client
}

func TestServersComeAndGoWithoutAFailedRequest(t *testing.T) {
	b, group, client := behindTraffic(t)
	for _, change := range []struct{ old, next string }{{"one", "three"}, {"two", "four"}, {"three", "five"}} {
		b.serve("i-"+change.next, named(change.next))
		b.register(group, "i-"+change.next)
		b.awaitHealth(group, "i-"+change.next, "healthy")
		b.served(client, change.next, 20)
		<-b.deregister(group, "i-"+change.old)
		b.kill("i-" + change.old) // this application dies on SIGTERM
		b.served(client, change.next, 20)
	}
	client.end()
	if len(client.failed) > 0 || client.sent < 100 {
		t.Errorf("%d of %d requests failed: %v", len(client.failed), client.sent, client.kinds)
	}
	t.Logf("%d requests, %v", client.sent, client.seen)
}

// The controls break one rule each: a client that counts nothing then would
// prove nothing above.
func TestKillWithoutDrainingFailsRequests(t *testing.T) {
	b, group, client := behindTraffic(t)
	killed := time.Now()
	b.kill("i-one")
	b.awaitHealth(group, "i-one", "unhealthy")
	noticed := time.Now()
	b.served(client, "two", 50)
	client.end()
	if len(client.failed) == 0 {
		t.Fatalf("none of %d requests failed although a server was killed", client.sent)
	}
	last := slices.MaxFunc(client.failed, time.Time.Compare)
	if last.After(noticed) {
		t.Errorf("a request failed that was sent %s after the health checks had noticed", last.Sub(noticed))
	}
	t.Logf("%d of %d requests failed within %s, noticed after %s", len(client.failed), client.sent, last.Sub(killed), noticed.Sub(killed))
}

func TestKillWhileDrainingFailsRequests(t *testing.T) {
	b, group, client := behindTraffic(t)
	drained := b.deregister(group, "i-one")
	select {
	case <-drained:
		t.Fatal("nothing is in flight, although a request of 0.3 s starts ten times a second")
	default:
	}
	b.kill("i-one")
	b.served(client, "two", 50)
	client.end()
	if len(client.failed) == 0 {
		t.Errorf("none of %d requests failed although a server did not wait for what was in flight", client.sent)
	}
	t.Logf("%d of %d requests failed", len(client.failed), client.sent)
}
