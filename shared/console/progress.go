package console

import (
	"fmt"
	"sync"
	"time"
)

// heartbeat is how long nothing may be said while something is waited for:
// often enough that a log never looks hung, seldom enough to keep it short.
const heartbeat = time.Minute

// Progress tells of one thing that takes its time: when something changes,
// and once a minute when nothing does.
type Progress struct {
	console *Console
	subject string

	mu      sync.Mutex
	started time.Time
	said    time.Time
	text    string
	step    int64 // tenths already told
}

// Progress starts to tell about a subject; nothing is printed yet.
func (c *Console) Progress(subject string) *Progress {
	now := time.Now()
	return &Progress{console: c, subject: subject, started: now, said: now}
}

// Update prints the state when it differs from the last one. An unchanged
// state is repeated as a heartbeat when a minute has passed in silence.
func (p *Progress) Update(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	switch {
	case text != p.text:
		p.console.Info("%s: %s", p.subject, text)
	case now.Sub(p.said) >= heartbeat:
		p.console.Info("%s: still %s, %s", p.subject, text, Duration(now.Sub(p.started)))
	default:
		return
	}
	p.text, p.said = text, now
}

// Percent prints how far it is, at each step of ten per cent at most. A total
// that is not known (0 or less) prints nothing.
func (p *Progress) Percent(done, total int64) {
	if total <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	step := int64(float64(done) / float64(total) * 10)
	if step <= p.step {
		return
	}
	p.step, p.said = step, time.Now()
	p.console.Info("%s: %d %%", p.subject, min(step*10, 100))
}

// Done prints the end of it and how long it took.
func (p *Progress) Done(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.console.Info("%s: %s (%s)", p.subject, fmt.Sprintf(format, args...), Duration(time.Since(p.started)))
}
