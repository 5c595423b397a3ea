package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// skeleton are the folders of an empty disk: what scripts may expect on any
// Linux server. Programs are the host's.
var skeleton = []string{"etc/systemd/system", "home", "opt", "root", "run", "srv", "tmp", "usr/local/bin", "var/lib", "var/log", "var/tmp"}

// volatile are the folders that a server loses when it is switched off.
var volatile = []string{"run", "tmp"}

// disk is what exists of a server while it is off.
type disk struct {
	instance string
	dir      string // holds disk/, bin/, the control pipe and the user data
	place    *place
	user     *user

	mu   sync.Mutex
	on   *powered // nil before the first start
	gone bool
}

func (d *disk) path() string { return filepath.Join(d.dir, "disk") }

// Create makes a disk. Its directory has a short name of constant length, so
// that paths written into files can be exchanged (see replacer), and so that
// sockets on it stay below the limit of about 100 bytes.
func (d *Driver) Create(instance, content string) (address string, err error) {
	end, err := d.begin()
	if err != nil {
		return "", err
	}
	defer end()
	dir, err := d.reserve(instance)
	if err != nil {
		return "", err
	}
	made, err := d.build(instance, dir, content)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		delete(d.disks, instance)
		return "", fmt.Errorf("make the disk of %s: %w", instance, err)
	}
	d.disks[instance] = made
	return made.place.address, nil
}

// reserve takes one of MaxMachines places and a directory name.
func (d *Driver) reserve(instance string) (dir string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, exists := d.disks[instance]; exists {
		return "", fmt.Errorf("instance %s has a disk already", instance)
	}
	if len(d.disks) >= d.options.MaxMachines {
		return "", fmt.Errorf("%w: %d servers exist", ErrFull, len(d.disks))
	}
	d.disks[instance] = nil
	d.made++
	return d.machineDir(d.made), nil
}

// machineDir names the nth machine's directory; none is number 0.
func (d *Driver) machineDir(n int) string {
	return filepath.Join(d.root, fmt.Sprintf("m%05d", n))
}

// frozenPath stands in frozen content for the disk's path, whichever it was.
func (d *Driver) frozenPath() string { return filepath.Join(d.machineDir(0), "disk") }

func (d *Driver) build(instance, dir, content string) (*disk, error) {
	made := &disk{instance: instance, dir: dir, user: d.user}
	if err := os.Mkdir(dir, 0o711); err != nil {
		return nil, err
	}
	err := d.fill(made, content)
	if err == nil {
		err = writeShims(made)
	}
	if err == nil {
		made.place, err = claim(context.Background(), d.shared)
	}
	if err != nil {
		return nil, errors.Join(err, removeTree(dir))
	}
	return made, nil
}

func (d *Driver) fill(made *disk, content string) error {
	if content != "" {
		from, err := d.contentPath(content)
		if err != nil {
			return err
		}
		job := copying{from: from, to: made.path(), old: d.frozenPath(), new: made.path(), owner: d.user}
		return job.run()
	}
	for _, folder := range skeleton {
		if err := os.MkdirAll(filepath.Join(made.path(), folder), 0o755); err != nil {
			return err
		}
	}
	return d.user.ownTree(made.path())
}

// Destroy switches an instance off and removes its disk.
func (d *Driver) Destroy(instance string) error {
	end, err := d.begin()
	if err != nil {
		return nil // Close has removed it
	}
	defer end()
	found, err := d.disk(instance)
	if err != nil {
		return nil // never was there, or gone
	}
	err = found.remove()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.disks[instance] == found {
		delete(d.disks, instance)
	}
	return err
}

func (d *disk) remove() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = true
	if d.on != nil {
		d.on.Stop()
	}
	d.place.release()
	if err := removeTree(d.dir); err != nil {
		return fmt.Errorf("remove the disk of %s: %w", d.instance, err)
	}
	return nil
}

// off returns an error unless the server exists and is switched off; d.mu is
// held.
func (d *disk) off() error {
	if d.gone {
		return fmt.Errorf("instance %s has no disk", d.instance)
	}
	if d.on == nil {
		return nil
	}
	select {
	case <-d.on.Done():
		return nil
	default:
		return fmt.Errorf("instance %s is on", d.instance)
	}
}

// emptyVolatile is what a server's tmpfs folders do by themselves.
func (d *disk) emptyVolatile() error {
	var problems error
	for _, folder := range volatile {
		path := filepath.Join(d.path(), folder)
		info, err := os.Lstat(path)
		if err != nil || !info.IsDir() {
			continue // the guest's business
		}
		entries, err := os.ReadDir(path)
		problems = errors.Join(problems, err)
		for _, entry := range entries {
			problems = errors.Join(problems, removeTree(filepath.Join(path, entry.Name())))
		}
	}
	return problems
}
