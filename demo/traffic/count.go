package traffic

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// late is by how much the client itself may miss the time of a request before it says so.
const late = 500 * time.Millisecond

// Count is what became of the requests whose time came in one phase, whenever they were
// answered.
type Count struct {
	Phase   string
	Allowed []string // the versions that may answer; none: every one

	Sent, Answered, Failed int
	Strange                int // answered by a version that may not answer any more, or not yet
	Late                   int // sent too late by the client itself; they count like others
	Skipped                int // not sent, because this computer cannot keep the rate

	Causes      map[string]int // of failures
	Versions    map[string]int
	LastFailure time.Time // when the time of the last one that failed had come

	latencies []time.Duration
}

// Phase ends a phase and begins the next: requests whose time comes from now on may be
// answered by these versions, as GET /version says them. It returns the moment.
func (c *Client) Phase(name string, allowed ...string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phases = append(c.phases, &Count{Phase: name, Allowed: allowed, Causes: map[string]int{}, Versions: map[string]int{}})
	return time.Now()
}

// sent counts a request whose time has come, and says in which phase that is.
func (c *Client) sent(due time.Time) *Count {
	c.mu.Lock()
	defer c.mu.Unlock()
	phase := c.phases[len(c.phases)-1]
	phase.Sent++
	if time.Since(due) > late {
		phase.Late++
	}
	return phase
}

func (c *Client) skipped() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phases[len(c.phases)-1].Skipped++
}

func (c *Client) note(phase *Count, due time.Time, o outcome) {
	took := time.Since(due)
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.err != nil {
		phase.Failed++
		phase.Causes[o.err.Error()]++
		if due.After(phase.LastFailure) {
			phase.LastFailure = due
		}
		return
	}
	phase.Answered++
	if o.quick {
		phase.latencies = append(phase.latencies, took)
	}
	if o.version == "" {
		return
	}
	phase.Versions[o.version]++
	if len(phase.Allowed) > 0 && !slices.Contains(phase.Allowed, o.version) {
		phase.Strange++
	}
}

// Counts are all phases so far, the one under way included.
func (c *Client) Counts() []Count {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Count, 0, len(c.phases))
	for _, p := range c.phases {
		one := *p
		one.Causes, one.Versions, one.latencies = maps.Clone(p.Causes), maps.Clone(p.Versions), slices.Clone(p.latencies)
		all = append(all, one)
	}
	return all
}

// Of is the sum of all phases of that name.
func (c *Client) Of(name string) Count {
	sum := Count{Phase: name, Causes: map[string]int{}, Versions: map[string]int{}}
	for _, p := range c.Counts() {
		if p.Phase == name {
			sum.add(p)
		}
	}
	return sum
}

// Last is the latest phase of that name.
func (c *Client) Last(name string) Count {
	all := c.Counts()
	for _, p := range slices.Backward(all) {
		if p.Phase == name {
			return p
		}
	}
	return Count{Phase: name}
}

func (c *Count) add(other Count) {
	c.Sent, c.Answered, c.Failed = c.Sent+other.Sent, c.Answered+other.Answered, c.Failed+other.Failed
	c.Strange, c.Late, c.Skipped = c.Strange+other.Strange, c.Late+other.Late, c.Skipped+other.Skipped
	c.latencies = append(c.latencies, other.latencies...)
	for cause, n := range other.Causes {
		c.Causes[cause] += n
	}
	for version, n := range other.Versions {
		c.Versions[version] += n
	}
	if other.LastFailure.After(c.LastFailure) {
		c.LastFailure = other.LastFailure
	}
}

// Quantile is the latency that this share of the quick requests did not exceed.
func (c Count) Quantile(share float64) time.Duration {
	if len(c.latencies) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(c.latencies))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// Seen are the versions with the numbers of their answers.
func (c Count) Seen() string {
	var parts []string
	for _, answer := range slices.Sorted(maps.Keys(c.Versions)) {
		version, _, _ := strings.Cut(answer, " ")
		parts = append(parts, fmt.Sprintf("%s (%d)", version, c.Versions[answer]))
	}
	return strings.Join(parts, ", ")
}

// Trouble says what was wrong in a phase, "" when nothing was.
func (c Count) Trouble() string {
	var parts []string
	if c.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d requests failed, the last was due at %s", c.Failed, c.Sent, c.LastFailure.Format("15:04:05.000")))
	}
	for _, cause := range slices.Sorted(maps.Keys(c.Causes)) {
		parts = append(parts, fmt.Sprintf("%d times: %s", c.Causes[cause], cause))
	}
	if c.Strange > 0 {
		parts = append(parts, fmt.Sprintf("%d answers of a version that must not answer: allowed %s, seen %s",
			c.Strange, strings.Join(c.Allowed, ", "), c.Seen()))
	}
	if c.Sent == 0 {
		parts = append(parts, "no request was sent")
	}
	if len(parts) == 0 {
		return ""
	}
	return c.Phase + ": " + strings.Join(parts, "\n\t")
}
