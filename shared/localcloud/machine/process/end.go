package process

import (
	"fmt"
	"syscall"
	"time"
)

const (
	// poll is how often it is looked whether all processes have ended.
	poll = 50 * time.Millisecond
	// killing bounds the wait for killed processes; one that hangs in the
	// kernel does not die.
	killing = 5 * time.Second
)

// running is one run of a unit.
type running struct {
	marker string // in the environment of its processes
	main   identity
	mixed  bool // KillMode=mixed: only the main process is asked to end
}

// ending is a process that shall end, and how it is told.
type ending struct {
	task
	signal syscall.Signal // 0: it is waited for, and not told
}

// end tells every process once, also those that were forked while the others
// were looked for, and reports whether all ended in time.
func (m *powered) end(list func([]task) []ending, within time.Duration) bool {
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	told := map[identity]bool{}
	for late := false; ; {
		all, err := tasks()
		if err != nil {
			m.say("look for processes: %v", err)
		}
		left := list(all)
		if err == nil && len(left) == 0 {
			return true
		}
		if late {
			return false
		}
		for _, e := range left {
			if e.signal != 0 && !told[e.identity] {
				e.task.signal(e.signal)
				told[e.identity] = true
			}
		}
		select {
		case <-ticker.C:
		case <-timeout.C:
			late = true
		}
	}
}

// everything is asked to end with the server, except what a unit with
// KillMode=mixed has started: its main process decides when that ends.
func (m *powered) everything(all []task) []ending {
	m.mu.Lock()
	defer m.mu.Unlock()
	spared := map[identity]bool{}
	for _, u := range m.units {
		for _, t := range members(all, u.marker, []identity{u.main}) {
			spared[t.identity] = u.mixed && t.identity != u.main
		}
	}
	var list []ending
	for _, t := range members(all, marker(m.disk.path()), m.sessions) {
		e := ending{task: t, signal: syscall.SIGTERM}
		if spared[t.identity] {
			e.signal = 0
		}
		list = append(list, e)
	}
	return list
}

// killed is the same list with another signal for all.
func killed(list func([]task) []ending) func([]task) []ending {
	return func(all []task) []ending {
		endings := list(all)
		for i := range endings {
			endings[i].signal = syscall.SIGKILL
		}
		return endings
	}
}

// sweep ends what a unit's main process has left behind when it ended, as
// systemd does before it starts the unit again.
func (m *powered) sweep(u *running) {
	rest := func(all []task) []ending {
		var list []ending
		for _, t := range members(all, u.marker, []identity{u.main}) {
			list = append(list, ending{t, syscall.SIGTERM})
		}
		return list
	}
	if u.mixed || !m.end(rest, m.grace) {
		m.end(killed(rest), killing)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.units, u.marker)
}

// Kill ends every process of a server with SIGKILL, all at once, and lets no
// other start. Nobody is told: for the cloud the server is still switched on,
// as one is whose kernel hangs.
func (d *Driver) Kill(instance string) error {
	end, err := d.begin()
	if err != nil {
		return err
	}
	defer end()
	found, err := d.disk(instance)
	if err != nil {
		return err
	}
	found.mu.Lock()
	m := found.on
	found.mu.Unlock()
	if m == nil {
		return fmt.Errorf("instance %s was never switched on", instance)
	}
	m.mu.Lock()
	m.stopping = true
	m.mu.Unlock()
	if !m.end(killed(m.everything), killing) {
		return fmt.Errorf("some processes of %s could not be killed", instance)
	}
	return nil
}
