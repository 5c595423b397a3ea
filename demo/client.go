package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// rate is how many requests a client starts a second, whether or not the ones
	// before were answered: a client that waits would hide a server that hangs.
	rate = 40

	// impatience is when a request counts as failed.
	impatience = 5 * time.Second
)

// tally is what became of requests.
type tally struct {
	sent, failed int
	seen         map[string]int // answers
	firstFailure string
}

// since is what happened after an earlier count.
func (t tally) since(before tally) tally {
	seen := map[string]int{}
	for answer, n := range t.seen {
		if n > before.seen[answer] {
			seen[answer] = n - before.seen[answer]
		}
	}
	return tally{sent: t.sent - before.sent, failed: t.failed - before.failed, seen: seen, firstFailure: t.firstFailure}
}

// versions are the answers with their numbers.
func (t tally) versions() string {
	var parts []string
	for _, answer := range slices.Sorted(maps.Keys(t.seen)) {
		version, _, _ := strings.Cut(answer, " ")
		parts = append(parts, fmt.Sprintf("%s (%d)", version, t.seen[answer]))
	}
	return strings.Join(parts, ", ")
}

// client sends requests at a steady rate until it is stopped.
type client struct {
	cancel context.CancelFunc
	under  sync.WaitGroup

	mu    sync.Mutex
	count tally
}

func newClient(ctx context.Context, url string) *client {
	ctx, cancel := context.WithCancel(ctx)
	c := &client{cancel: cancel, count: tally{seen: map[string]int{}}}
	c.under.Go(func() {
		ticker := time.NewTicker(time.Second / rate)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				c.under.Go(func() { c.send(ctx, url) })
			}
		}
	})
	return c
}

func (c *client) send(ctx context.Context, url string) {
	request, cancel := context.WithTimeout(context.WithoutCancel(ctx), impatience)
	defer cancel()
	answer, err := get(request, url)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count.sent++
	if err != nil {
		c.count.failed++
		if c.count.firstFailure == "" {
			c.count.firstFailure = err.Error()
		}
		return
	}
	c.count.seen[answer]++
}

// stop ends the client when its last request has been answered.
func (c *client) stop() {
	c.cancel()
	c.under.Wait()
	http.DefaultClient.CloseIdleConnections()
}

// counted is what happened so far; a client that does not exist has sent nothing.
func (c *client) counted() tally {
	if c == nil {
		return tally{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return tally{sent: c.count.sent, failed: c.count.failed, seen: maps.Clone(c.count.seen), firstFailure: c.count.firstFailure}
}
