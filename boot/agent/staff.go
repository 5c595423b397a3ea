package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// Restarts: at once would burn the processor of a server whose database is
// away; half a minute is the longest that anybody should wait for it to notice
// that the database is back. A process that lived for a minute starts afresh.
const (
	minPause = time.Second
	maxPause = 30 * time.Second
	steady   = time.Minute
)

// hopelessAfter is how many lives in a row, each shorter than steady, show that
// the next will be no longer: after six the pauses have added up to 31 s.
const hopelessAfter = 6

// orphanGrace is what the children of a process that ended by itself get to
// end as well before it is started again, so that its port is free.
const orphanGrace = 10 * time.Second

// staff keeps processes running.
type staff struct {
	start   Starter
	log     *journal
	drain   time.Duration
	members []*member
	tried   sync.WaitGroup // done when every process has been started once
}

// member is one process through all its restarts.
type member struct {
	call    Call
	tried   func()
	mu      sync.Mutex
	state   contract.ProcessState
	started time.Time
	short   int // lives in a row that were shorter than steady
}

func newStaff(start Starter, log *journal, drain time.Duration) *staff {
	return &staff{start: start, log: log, drain: drain}
}

// hire adds a process; it starts with work.
func (s *staff) hire(name string, call Call) {
	s.tried.Add(1)
	s.members = append(s.members, &member{
		call: call, tried: sync.OnceFunc(s.tried.Done), state: contract.ProcessState{Type: name},
	})
}

// work runs all processes until the shift ends and all of them have.
func (s *staff) work(shift *shift) {
	var all sync.WaitGroup
	for _, m := range s.members {
		all.Go(func() { s.keep(shift, m) })
	}
	all.Wait()
}

// states is how the processes are now.
func (s *staff) states() []contract.ProcessState {
	states := make([]contract.ProcessState, len(s.members))
	for i, m := range s.members {
		states[i], _ = m.now()
	}
	return states
}

// keep starts a process again and again while the server is on duty. One that ends
// by itself once the group ends the server is let go: nobody needs it any more.
func (s *staff) keep(shift *shift, m *member) {
	defer m.tried()
	pause := minPause
	for shift.duty.Err() == nil {
		how, lived := s.live(shift.work, m)
		switch {
		case shift.work.Err() != nil:
			return
		case m.lived(lived):
			pause = minPause
		}
		again := fmt.Sprintf("starts again in %s", pause)
		if shift.duty.Err() != nil {
			again = dismissal
		}
		s.log.say("%s ended after %s (%s), %s", m.state.Type, lived.Round(time.Second), how, again)
		select {
		case <-shift.duty.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
		m.restarts()
	}
}

// live is one life of a process, and returns how it ended and how long it was.
func (s *staff) live(ctx context.Context, m *member) (how string, lived time.Duration) {
	defer m.tried()
	process, err := s.start(m.call)
	if err != nil {
		m.ended(err.Error())
		return err.Error(), 0
	}
	started := time.Now()
	m.runs()
	m.tried()
	s.log.say("%s started%s", m.state.Type, onPort(m.call.Port))
	life := await(process)
	select {
	case <-life.over:
		lived = time.Since(started)
		process.End(orphanGrace)
		how = "exit code 0"
		if life.how != nil {
			how = life.how.Error()
		}
	case <-ctx.Done():
		process.End(s.drain)
		<-life.over
		how = "told to end"
	}
	flush(m.call.Out)
	m.ended(how)
	return how, lived
}

func (m *member) now() (contract.ProcessState, time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state, m.started
}

func (m *member) runs() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Running, m.started = true, time.Now()
}

func (m *member) ended(how string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Running, m.state.Exit = false, how
}

// lived counts short lives, and reports whether this one was long enough.
func (m *member) lived(d time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.short++
	if d >= steady {
		m.short = 0
	}
	return d >= steady
}

func (m *member) restarts() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Restarts++
}
