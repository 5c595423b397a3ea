// Package machine is the seam between the local cloud and whatever plays its
// servers: real processes in a directory of their own, or Go functions when
// time is simulated.
package machine

import (
	"io"
	"net/http"
)

// Driver owns disks and runs machines. Its methods may be called from several
// goroutines.
type Driver interface {
	// Create makes the disk of an instance from an image's content ("" is an
	// empty base) and picks the instance's private address.
	Create(instance, content string) (address string, err error)

	// Start powers an instance on and returns at once.
	Start(b Boot) (Machine, error)

	// Freeze keeps the disk as it is now and names it by its content: equal
	// paths, modes and bytes give an equal name. The instance must be off.
	Freeze(instance string) (content string, err error)

	// Destroy removes the disk of an instance. It is idempotent.
	Destroy(instance string) error

	// Forget removes frozen content. It is idempotent.
	Forget(content string) error

	// Close ends everything; nothing is left on this computer.
	Close() error
}

// Boot says how one power-on of an instance goes.
type Boot struct {
	Instance  string
	Address   string
	FirstBoot bool
	UserData  []byte

	// Metadata is the instance metadata service of this instance.
	Metadata http.Handler

	// Endpoint is the cloud's URL as guests see it, "" when guests are
	// simulated and use Transport instead.
	Endpoint string

	// Transport is the way to the cloud for guests in the same process.
	Transport http.RoundTripper

	Region string

	// Console receives the console output.
	Console io.Writer
}

// Machine is an instance that is switched on.
type Machine interface {
	// Stop presses the power button (SIGTERM, a grace time, SIGKILL) and
	// returns when the machine is off.
	Stop()

	// Done is closed when the machine is off, whoever switched it off.
	Done() <-chan struct{}
}
