package process

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// supervise runs a unit until the server goes off, restarting it as it says.
func (m *powered) supervise(u unit) {
	var starts []time.Time
	for {
		if starts = append(starts, time.Now()); u.tooOften(starts) {
			m.say("%s: start request repeated too quickly", u.name)
			return
		}
		state, err := m.runUnit(u)
		switch {
		case errors.Is(err, errOff):
			return
		case err != nil:
			m.say("%s: %v", u.name, err)
		default:
			m.say("%s: %v", u.name, state)
		}
		if !u.restarts(state) {
			return
		}
		select {
		case <-time.After(u.pause):
		case <-m.quit:
			return
		}
	}
}

// runUnit runs a unit once and ends all that it has started. As on a real
// server an id of the run is in the environment.
func (m *powered) runUnit(u unit) (*os.ProcessState, error) {
	run := &running{marker: "INVOCATION_ID=" + invocation(), mixed: u.mixed}
	state, err := m.run(command{
		path: m.program(u.command[0]), args: u.command[1:], env: slices.Concat(m.env, []string{run.marker}, u.environment),
	}, run)
	if run.main.pid != 0 {
		m.sweep(run)
	}
	return state, err
}

func invocation() string {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

// tooOften applies the start limit to all starts so far, the last one included.
func (u unit) tooOften(starts []time.Time) bool {
	n := len(starts)
	return u.interval > 0 && u.burst > 0 && n > u.burst && starts[n-1].Sub(starts[n-1-u.burst]) < u.interval
}

// program finds a unit's program: on the disk, else on the host, whose system
// programs stand for those of the base image.
func (m *powered) program(path string) string {
	own := filepath.Join(m.disk.path(), path)
	if _, err := os.Stat(own); err == nil {
		return own
	}
	return path
}

// restarts applies Restart=. No state means that the program did not start.
func (u unit) restarts(state *os.ProcessState) bool {
	switch u.restart {
	case "always":
		return true
	case "on-failure":
		return !clean(state)
	}
	return false
}

// clean is what systemd calls a clean exit: code 0, or one of four signals.
func clean(state *os.ProcessState) bool {
	if state == nil {
		return false
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		switch status.Signal() {
		case syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE:
			return true
		}
	}
	return state.Success()
}
