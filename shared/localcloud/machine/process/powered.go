package process

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// draining bounds the wait for the last console output.
const draining = time.Second

// errOff is why a process of a server that is going off was not started.
var errOff = errors.New("the server is switched off")

// powered is a server that is switched on.
type powered struct {
	disk     *disk
	spawner  *spawner
	guardian *guardian
	grace    time.Duration
	env      []string

	input, output, outlet *os.File // /dev/null, and both ends of the console pipe
	control               *os.File

	writing sync.Mutex // one writer at a time on the console
	console io.Writer

	services  sync.WaitGroup // one per unit, one for the user data
	listening sync.WaitGroup // the readers of console and control pipe

	mu       sync.Mutex
	stopping bool
	sessions []identity // that we started and that may have members
	units    map[string]*running

	press sync.Once
	quit  chan struct{} // closed when going off begins
	done  chan struct{} // closed when it is off
}

// Stop presses the power button and waits until the server is off.
func (m *powered) Stop() {
	m.press.Do(m.powerOff)
	<-m.done
}

// Done is closed when the server is off.
func (m *powered) Done() <-chan struct{} { return m.done }

// say writes a line of ours on the console.
func (m *powered) say(format string, args ...any) {
	m.write([]byte("[localcloud] " + fmt.Sprintf(format, args...) + "\n"))
}

func (m *powered) write(p []byte) {
	m.writing.Lock()
	defer m.writing.Unlock()
	_, _ = m.console.Write(p) // a console that cannot be written is the reader's loss
}

// pump carries the guests' output to the console until the pipe is closed.
func (m *powered) pump() {
	buffer := make([]byte, 32<<10)
	for {
		n, err := m.output.Read(buffer)
		if n > 0 {
			m.write(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

// listen obeys the shims in the server's own bin folder.
func (m *powered) listen() {
	lines := bufio.NewScanner(m.control)
	for lines.Scan() {
		switch line := lines.Text(); line {
		case "off":
			go m.Stop()
		case "done": // from powerOff: closing the pipe does not end a read everywhere
			return
		case "":
		default:
			m.say("control pipe: unknown word %q", line)
		}
	}
}

// run starts a process of the server and waits for it. A unit is registered
// while its process runs.
func (m *powered) run(c command, u *running) (*os.ProcessState, error) {
	c.dir, c.input, c.output, c.user = m.disk.path(), m.input, m.outlet, m.disk.user
	process, err := m.start(c, u)
	if err != nil {
		return nil, err
	}
	state, err := process.Wait()
	m.prune()
	return state, err
}

// start holds the lock so that no process escapes a power-off that begins.
func (m *powered) start(c command, u *running) (*os.Process, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopping {
		return nil, errOff
	}
	process, err := m.spawner.start(c)
	if err != nil {
		return nil, err
	}
	// Not waited for yet, so it is there even if it has ended.
	if t, ok := look(process.Pid); ok {
		m.sessions = append(m.sessions, t.identity)
		if u != nil {
			u.main = t.identity
			m.units[u.marker] = u
		}
	}
	m.guardian.knows(process.Pid)
	return process, nil
}

// prune forgets sessions that have ended, before the system gives their
// numbers to somebody else.
func (m *powered) prune() {
	m.mu.Lock()
	defer m.mu.Unlock()
	all, err := tasks()
	if err != nil {
		return // a forgotten session would be worse than a remembered one
	}
	ours := living(all, m.sessions)
	var left []identity
	for _, session := range m.sessions {
		if ours[session.pid] {
			left = append(left, session)
		} else {
			m.guardian.forgets(session.pid)
		}
	}
	m.sessions = left
}

// powerOff ends everything: SIGTERM, the grace time, SIGKILL.
func (m *powered) powerOff() {
	m.mu.Lock()
	m.stopping = true
	m.mu.Unlock()
	close(m.quit)
	if m.end(m.everything, m.grace) || m.end(killed(m.everything), killing) {
		m.services.Wait()
	} else {
		m.say("some processes could not be killed")
	}
	m.prune()
	m.disk.place.handler.Store(nil)
	if err := m.disk.emptyVolatile(); err != nil {
		m.say("empty /run and /tmp: %v", err)
	}
	_ = m.outlet.Close() // the guests' copies are closed, so the reader comes to its end
	_ = m.output.SetReadDeadline(time.Now().Add(draining))
	_, _ = io.WriteString(m.control, "\ndone\n")
	m.listening.Wait()
	m.shut()
	close(m.done)
}
