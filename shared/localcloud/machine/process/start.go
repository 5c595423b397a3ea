package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
)

// Start switches an instance on: its metadata service answers, the units that
// are enabled on its disk are started, and at its first boot the script in its
// user data runs beside them.
func (d *Driver) Start(b machine.Boot) (machine.Machine, error) {
	end, err := d.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	found, err := d.disk(b.Instance)
	if err != nil {
		return nil, err
	}
	found.mu.Lock()
	defer found.mu.Unlock()
	if err := found.off(); err != nil {
		return nil, fmt.Errorf("switch on: %w", err)
	}
	m, err := d.power(found, b)
	if err != nil {
		return nil, fmt.Errorf("switch %s on: %w", b.Instance, err)
	}
	found.on = m
	return m, nil
}

// power opens what a running server needs, and then starts its programs.
func (d *Driver) power(found *disk, b machine.Boot) (*powered, error) {
	m := &powered{
		disk: found, spawner: d.spawner, guardian: d.guardian, grace: d.options.Grace,
		env: d.environ(found, b), console: b.Console,
		units: map[string]*running{}, quit: make(chan struct{}), done: make(chan struct{}),
	}
	if m.console == nil {
		m.console = io.Discard
	}
	if err := m.open(); err != nil {
		m.shut()
		return nil, err
	}
	var script string
	if b.FirstBoot && bytes.HasPrefix(b.UserData, []byte("#!")) {
		script = filepath.Join(found.dir, "user-data")
		if err := writeScript(script, b.UserData, d.user); err != nil {
			m.shut()
			return nil, err
		}
	}
	m.remark(b)
	if b.Metadata != nil {
		found.place.handler.Store(&b.Metadata)
	}
	m.listening.Go(m.pump)
	m.boot(script)
	m.listening.Go(m.listen) // last: from here on the server may go off
	return m, nil
}

// remark says what cloud-init would do and nobody does here. User data in any
// other form is for the server's own programs to read.
func (m *powered) remark(b machine.Boot) {
	for _, form := range []string{"#cloud-config", "#include", "#cloud-boothook", "Content-Type:", "MIME-Version:", "\x1f\x8b"} {
		if b.FirstBoot && bytes.HasPrefix(b.UserData, []byte(form)) {
			m.say("user data: only scripts (#!) are run in the local cloud, not %q", form)
		}
	}
}

// writeScript keeps the script outside of the disk, so that an image never
// holds the user data of the server it was made on.
func writeScript(path string, script []byte, owner *user) error {
	// Removed first: it may belong to an earlier guest.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return errors.Join(writeFile(path, script, 0o700), owner.own(path))
}

func (m *powered) open() error {
	var err error
	if m.input, err = os.Open(os.DevNull); err != nil {
		return err
	}
	if m.output, m.outlet, err = os.Pipe(); err != nil {
		return err
	}
	path := m.disk.control()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// Written to by guests, read by us.
	err = errors.Join(unix.Mkfifo(path, 0o600), os.Chmod(path, 0o622))
	if err != nil {
		return fmt.Errorf("make the control pipe: %w", err)
	}
	// For reading and writing: it then never ends while guests come and go.
	m.control, err = os.OpenFile(path, os.O_RDWR, 0)
	return err
}

// shut closes what open opened; what is nil was not.
func (m *powered) shut() {
	for _, file := range []*os.File{m.input, m.output, m.outlet, m.control} {
		if file != nil {
			_ = file.Close() // pipes: nothing can be lost
		}
	}
}

// boot starts the programs of the server. The list of units is taken before
// the script runs, which may enable more: those start at the next boot.
func (m *powered) boot(script string) {
	units, problems := enabledUnits(m.disk.path())
	for _, problem := range problems {
		m.say("%s", problem)
	}
	for _, u := range units {
		m.services.Go(func() { m.supervise(u) })
	}
	if script != "" {
		m.services.Go(func() { m.provision(script) })
	}
}

// provision runs the user data once. A failure is only logged, as cloud-init
// does: the server stays on.
func (m *powered) provision(script string) {
	state, err := m.run(command{path: script, env: m.env}, nil)
	switch {
	case errors.Is(err, errOff):
	case err != nil:
		m.say("user data: %v", err)
	default:
		m.say("user data: %v", state)
	}
}
