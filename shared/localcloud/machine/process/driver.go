// Package process plays the servers of the local cloud with real processes on
// this computer: a server's disk is a directory, its address is a loopback
// address of its own, and switching it off ends every process it started.
//
// It separates servers from each other, and keeps this computer's secrets out
// of their environment. It is no prison: a guest can read what its user can.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
)

const (
	defaultMachines = 32
	defaultGrace    = 5 * time.Second
	defaultPath     = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// Options says how servers are played.
type Options struct {
	// Dir is where the directory with all disks is made, and removed by Close.
	// Default: the system's directory for temporary files.
	Dir string

	// Path is the PATH of guests, after the folder with our own shutdown.
	Path string

	// GuestEnv is added to the environment of every guest, as NAME=value. It
	// may not name AWS_ or BITBUCKET_ variables: those of a pipeline must not
	// be what makes a guest work.
	GuestEnv []string

	// MaxMachines bounds how many servers exist at a time (default 32).
	MaxMachines int

	// Grace is what processes have between SIGTERM and SIGKILL (default 5 s).
	Grace time.Duration
}

// ErrFull is returned by Create when MaxMachines servers exist.
var ErrFull = errors.New("the local cloud is full")

// Driver plays servers with processes.
type Driver struct {
	options Options
	root    string // holds everything, a directory of our own
	user    *user  // whom guests run as; nil: as ourselves
	shared  bool   // no loopback addresses but 127.0.0.1 here

	spawner  *spawner
	guardian *guardian

	life   sync.RWMutex // held for writing by Close, for reading by everything else
	closed bool

	mu    sync.Mutex
	disks map[string]*disk
	made  int // disks made ever, for their names
}

var _ machine.Driver = (*Driver)(nil)

// New prepares a place for disks. Close must be called.
func New(options Options) (*Driver, error) {
	if options.MaxMachines == 0 {
		options.MaxMachines = defaultMachines
	}
	if options.Grace == 0 {
		options.Grace = defaultGrace
	}
	if options.Path == "" {
		options.Path = defaultPath
	}
	if err := checkGuestEnv(options.GuestEnv); err != nil {
		return nil, err
	}
	user, err := guestUser(os.Getuid(), inContainer())
	if err != nil {
		return nil, err
	}
	root, err := makeRoot(options.Dir, user)
	if err != nil {
		return nil, fmt.Errorf("make a place for disks: %w", err)
	}
	d := &Driver{
		options: options, root: root, user: user, shared: !ownAddresses(context.Background()),
		spawner: newSpawner(), disks: map[string]*disk{},
	}
	if d.guardian, err = newGuardian(d.spawner, root, user); err != nil {
		d.spawner.close()
		return nil, errors.Join(fmt.Errorf("start the guardian: %w", err), os.RemoveAll(root))
	}
	return d, nil
}

func makeRoot(dir string, user *user) (string, error) {
	root, err := os.MkdirTemp(dir, "localcloud-")
	if err != nil {
		return "", err
	}
	// Resolved, because guests compare paths (/tmp is a link on macOS).
	resolved, err := filepath.EvalSymlinks(root)
	if err == nil {
		root = resolved
		err = errors.Join(os.Chmod(root, 0o711), os.Mkdir(filepath.Join(root, "contents"), 0o700), user.reaches(root))
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(root))
	}
	return root, nil
}

// begin keeps Close away while an operation runs.
func (d *Driver) begin() (end func(), err error) {
	d.life.RLock()
	if d.closed {
		d.life.RUnlock()
		return nil, errors.New("the local cloud is closed")
	}
	return d.life.RUnlock, nil
}

// disk finds the disk of an instance.
func (d *Driver) disk(instance string) (*disk, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found, ok := d.disks[instance]
	if !ok || found == nil { // nil: still being made
		return nil, fmt.Errorf("instance %s has no disk", instance)
	}
	return found, nil
}

// Disk is the directory that is the instance's disk, "" when it has none.
func (d *Driver) Disk(instance string) string {
	found, err := d.disk(instance)
	if err != nil {
		return ""
	}
	return found.path()
}

// digest is the form of content names; anything else could leave our folder.
var digest = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (d *Driver) contentPath(content string) (string, error) {
	if !digest.MatchString(content) {
		return "", fmt.Errorf("there is no content %q", content)
	}
	return filepath.Join(d.root, "contents", content), nil
}

// Forget removes frozen content. Equal images share content, so the caller
// forgets it with the last of them.
func (d *Driver) Forget(content string) error {
	end, err := d.begin()
	if err != nil {
		return err
	}
	defer end()
	path, err := d.contentPath(content)
	if err != nil {
		return nil // never was there
	}
	return removeTree(path)
}

// Close switches everything off and removes all that was made.
func (d *Driver) Close() error {
	d.life.Lock()
	defer d.life.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	d.mu.Lock()
	disks := d.disks
	d.disks = nil
	d.mu.Unlock()
	var group sync.WaitGroup
	problems := make(chan error, len(disks)+1)
	for _, disk := range disks {
		group.Go(func() { problems <- disk.remove() })
	}
	group.Wait()
	d.guardian.close()
	d.spawner.close()
	problems <- removeTree(d.root)
	close(problems)
	var all error
	for problem := range problems {
		all = errors.Join(all, problem)
	}
	return all
}
