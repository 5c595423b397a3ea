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
	if extra := len(c.output) - consoleSize; extra > 0 {
		c.output = append(c.output[:0], c.output[extra:]...)
	}
	return len(p), nil
}

func (c *console) post() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posted, c.at = append(c.posted[:0], c.output...), time.Now()
}

func (c *console) read(latest bool) ([]byte, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if latest {
		return append([]byte{}, c.output...), time.Now()
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
	if at.IsZero() {
		at = i.born
	}
	return consoleAnswer{i.id, wire.Time(at), base64.StdEncoding.EncodeToString(output)}, nil
}
