// Package simulated plays the servers of the local cloud with Go functions.
// Nothing leaves the process and the clock is only read through package time,
// so whole releases fit into a testing/synctest bubble.
package simulated

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"

	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
)

// Guest is what a server does from power-on: its return is the power-off, and
// ctx ends when somebody presses the power button.
type Guest func(ctx context.Context, b machine.Boot)

// Idle is a guest that runs until it is switched off.
func Idle(ctx context.Context, _ machine.Boot) { <-ctx.Done() }

// Driver is a machine.Driver for simulated guests.
type Driver struct {
	guest Guest

	mu     sync.Mutex
	made   int
	closed bool
	disks  map[string]*disk
	frozen map[string]bool
	on     map[string]*server
}

// disk stands for what is written on a disk: what was there, and the scripts
// that ran on it. Equal histories make equal content.
type disk struct {
	parent string
	ran    [][]byte
}

// New makes a driver whose servers all run guest.
func New(guest Guest) *Driver {
	return &Driver{guest: guest, disks: map[string]*disk{}, frozen: map[string]bool{}, on: map[string]*server{}}
}

// Create makes a disk; addresses are counted up from 10.77.0.10.
func (d *Driver) Create(instance, content string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return "", fmt.Errorf("create %s: the driver is closed", instance)
	}
	if content != "" && !d.frozen[content] {
		return "", fmt.Errorf("create %s: no content %s", instance, content)
	}
	n := 10 + d.made
	d.made++
	d.disks[instance] = &disk{parent: content}
	return fmt.Sprintf("10.77.%d.%d", n/250, n%250+1), nil
}

// Start runs the guest in a goroutine of its own.
func (d *Driver) Start(b machine.Boot) (machine.Machine, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	disk := d.disks[b.Instance]
	switch {
	case d.closed:
		return nil, fmt.Errorf("start %s: the driver is closed", b.Instance)
	case disk == nil:
		return nil, fmt.Errorf("start %s: it has no disk", b.Instance)
	case d.on[b.Instance] != nil:
		return nil, fmt.Errorf("start %s: it is on already", b.Instance)
	}
	if b.FirstBoot {
		disk.ran = append(disk.ran, b.UserData)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{cancel: cancel, done: make(chan struct{})}
	d.on[b.Instance] = s
	go func() {
		d.guest(ctx, b)
		cancel()
		d.mu.Lock()
		delete(d.on, b.Instance)
		d.mu.Unlock()
		close(s.done)
	}()
	return s, nil
}

// Freeze names the disk by its history.
func (d *Driver) Freeze(instance string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	disk := d.disks[instance]
	switch {
	case disk == nil:
		return "", fmt.Errorf("freeze %s: it has no disk", instance)
	case d.on[instance] != nil:
		return "", fmt.Errorf("freeze %s: it is on", instance)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q", disk.parent)
	for _, script := range disk.ran {
		fmt.Fprintf(h, " %q", script)
	}
	content := hex.EncodeToString(h.Sum(nil))
	d.frozen[content] = true
	return content, nil
}

// Destroy removes the disk; a server that is on is switched off first.
func (d *Driver) Destroy(instance string) error {
	d.mu.Lock()
	s := d.on[instance]
	delete(d.disks, instance)
	d.mu.Unlock()
	if s != nil {
		s.Stop()
	}
	return nil
}

// Forget removes frozen content.
func (d *Driver) Forget(content string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.frozen, content)
	return nil
}

// Frozen counts the contents that are kept.
func (d *Driver) Frozen() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.frozen)
}

// Disks counts the disks that exist.
func (d *Driver) Disks() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.disks)
}

// Close switches every server off and waits until all guests have returned.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.closed = true
	var on []*server
	for _, s := range d.on {
		on = append(on, s)
	}
	d.mu.Unlock()
	for _, s := range on {
		s.Stop()
	}
	return nil
}

// server is a guest that runs.
type server struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// Stop ends the guest's context and waits for the guest to return.
func (s *server) Stop() {
	s.cancel()
	<-s.done
}

// Done is closed when the guest has returned.
func (s *server) Done() <-chan struct{} { return s.done }
