package elb

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// group is a target group. Its fields are guarded by the service's lock.
type group struct {
	named
	vpc  string
	port int

	healthPath         string
	healthPort         string // a number, or traffic-port
	interval, timeout  time.Duration
	healthy, unhealthy int // thresholds
	matcher            string

	delay     time.Duration // of deregistration, at most
	algorithm string

	targets []*target // in the order of registration, draining ones too
	next    int       // round robin
	uses    int       // rules and listeners that forward to it
	user    *balancer // the one load balancer that they belong to
}

// The algorithms.
const (
	roundRobin       = "round_robin"
	leastOutstanding = "least_outstanding_requests"
)

// pick chooses the target of a request: a healthy one, or any when none is
// healthy (fail open). It is nil when there is nobody at all. The lock is held.
func (g *group) pick() *target {
	able := g.those(func(t *target) bool { return t.state == stateHealthy })
	if len(able) == 0 {
		able = g.those(func(t *target) bool { return t.state == stateUnhealthy || t.state == stateInitial })
	}
	if len(able) == 0 {
		return nil
	}
	if g.algorithm == leastOutstanding {
		return slices.MinFunc(able, func(a, b *target) int { return cmp.Compare(a.inflight, b.inflight) })
	}
	g.next++
	return able[g.next%len(able)]
}

func (g *group) those(are func(*target) bool) []*target {
	var found []*target
	for _, t := range g.targets {
		if are(t) {
			found = append(found, t)
		}
	}
	return found
}

// find is the target that an instance is registered as on a port, draining or
// not; port 0 is the group's own. The lock is held.
func (g *group) find(instance string, port int) *target {
	if port == 0 {
		port = g.port
	}
	for _, t := range g.targets {
		if t.instance == instance && t.port == port {
			return t
		}
	}
	return nil
}

// remove forgets a target. The lock is held.
func (g *group) remove(t *target) {
	g.targets = slices.DeleteFunc(g.targets, func(other *target) bool { return other == t })
}

// checkedPort is the port that health checks of a target go to.
func (g *group) checkedPort(t *target) int {
	if n, err := strconv.Atoi(g.healthPort); err == nil {
		return n
	}
	return t.port
}

// matches tells whether a status passes the health check: the matcher lists
// numbers and ranges, such as 200,301-303.
func matches(matcher string, status int) bool {
	for part := range strings.SplitSeq(matcher, ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err1 == nil && err2 == nil && from <= status && status <= to {
			return true
		}
	}
	return false
}

// validMatcher tells whether a matcher lists statuses that AWS accepts.
func validMatcher(matcher string) bool {
	for part := range strings.SplitSeq(matcher, ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err1 != nil || err2 != nil || from < http.StatusOK || to > 499 || from > to {
			return false
		}
	}
	return true
}
