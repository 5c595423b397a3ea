package ec2

import (
	"context"
	"encoding/base64"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// consoleSize is how much console output is kept: its end.
const consoleSize = 64 << 10

// console collects what a machine prints. Callers see what was posted at the
// last change of state, or the latest where the type can do that.
type console struct {
	mu     sync.Mutex
	output []byte
	posted []byte
	at     time.Time
}

// Write adds output.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.output = append(c.output, p...)
	if len(c.output) > 2*consoleSize { // not at every line: a chatty guest would only copy
		c.output = append(c.output[:0], c.tail()...)
	}
	return len(p), nil
}

func (c *console) tail() []byte {
	return c.output[max(0, len(c.output)-consoleSize):]
}

// post makes what there is visible to callers who do not ask for the latest.
func (c *console) post() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posted, c.at = append(c.posted[:0], c.tail()...), time.Now()
}

// read gives a copy and the time it is of.
func (c *console) read(latest bool) ([]byte, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if latest {
		return append([]byte{}, c.tail()...), time.Now()
	}
	return append([]byte{}, c.posted...), c.at
}

type consoleInput struct {
	id     string
	latest bool
}

func decodeConsole(p *wire.Params) consoleInput {
	return consoleInput{id: p.Need("InstanceId"), latest: p.Bool("Latest", false)}
}

type consoleAnswer struct {
	InstanceID string `xml:"instanceId"`
	Timestamp  string `xml:"timestamp"`
	Output     string `xml:"output"`
}

// getConsoleOutput works for a terminated instance too, as long as it can be
// described: that is when people look.
func (s *Service) getConsoleOutput(_ context.Context, _ *wire.Call, in consoleInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, failure := s.existing([]string{in.id})
	if failure != nil {
		return nil, failure
	}
	i := found[0]
	if in.latest && !i.kind.nitro {
		return nil, wire.Errorf("UnsupportedOperation", "This instance type does not support retrieving the latest console logs. Instance type: %s", i.launch.Type)
	}
	output, at := i.console.read(in.latest)
	if at.IsZero() { // nothing was posted yet, but the element needs a time
		at = i.born
	}
	return consoleAnswer{i.id, wire.Time(at), base64.StdEncoding.EncodeToString(output)}, nil
}
