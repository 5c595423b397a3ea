package elb_test

import (
	"io"
	"net/http"
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
	failed []time.Time
	seen   map[string]int // answers by body
}

// begin sends 200 requests a second, every second one a POST, and every tenth
// of a second one that takes 0.3 seconds, with connections that are kept and
// without.
func begin(url string) *traffic {
	c := &traffic{url: url, stop: make(chan struct{}), seen: map[string]int{}}
	for _, keep := range []bool{true, false} {
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: !keep, MaxIdleConnsPerHost: 50}}
		c.every(10*time.Millisecond, func() { c.send(client, http.MethodGet, "/") })
		c.every(20*time.Millisecond, func() { c.send(client, http.MethodPost, "/") })
		c.every(100*time.Millisecond, func() { c.send(client, http.MethodGet, "/slow") })
	}
	return c
}

func (c *traffic) every(d time.Duration, do func()) {
	c.loop.Go(func() {
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.loop.Go(do)
			case <-c.stop:
				return
			}
		}
	})
}

func (c *traffic) send(client *http.Client, method, path string) {
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader("some form")
	}
	text, ok := "", false
	r, err := http.NewRequest(method, c.url+path, body)
	if err == nil {
		var answer *http.Response
		if answer, err = client.Do(r); err == nil {
			all, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			text, ok = string(all), err == nil && answer.StatusCode == http.StatusOK
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent++
	if !ok {
		c.failed = append(c.failed, time.Now())
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
	b.served(client, "one", 50)
	return b, group, client
}

func TestServersComeAndGoWithoutAFailedRequest(t *testing.T) {
	t.Parallel()
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
	if len(client.failed) > 0 || client.sent < 300 {
		t.Errorf("%d of %d requests failed", len(client.failed), client.sent)
	}
	t.Logf("%d requests, %v", client.sent, client.seen)
}

// The controls break one rule each: a client that counts nothing then would
// prove nothing above.
func TestKillWithoutDrainingFailsRequests(t *testing.T) {
	t.Parallel()
	b, group, client := behindTraffic(t)
	killed := time.Now()
	b.kill("i-one")
	b.awaitHealth(group, "i-one", "unhealthy")
	noticed := time.Now()
	b.served(client, "two", 200)
	client.end()
	if len(client.failed) == 0 {
		t.Fatalf("none of %d requests failed although a server was killed", client.sent)
	}
	// A request that was routed before the health checks noticed may end
	// later: 50 ms for that.
	last := client.failed[len(client.failed)-1]
	if last.After(noticed.Add(50 * time.Millisecond)) {
		t.Errorf("a request failed %s after the health checks had noticed", last.Sub(noticed))
	}
	t.Logf("%d of %d requests failed within %s, noticed after %s", len(client.failed), client.sent, last.Sub(killed), noticed.Sub(killed))
}

func TestKillWhileDrainingFailsRequests(t *testing.T) {
	t.Parallel()
	b, group, client := behindTraffic(t)
	drained := b.deregister(group, "i-one")
	select {
	case <-drained:
		t.Fatal("nothing is in flight, although a request of 0.3 s starts ten times a second")
	default:
	}
	b.kill("i-one")
	b.served(client, "two", 100)
	client.end()
	if len(client.failed) == 0 {
		t.Errorf("none of %d requests failed although a server did not wait for what was in flight", client.sent)
	}
	t.Logf("%d of %d requests failed", len(client.failed), client.sent)
}
