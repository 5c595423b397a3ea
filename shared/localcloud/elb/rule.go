package elb

import (
	"cmp"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// balancer is an application load balancer. Its fields, and those of the
// other types of this file, are guarded by the service's lock.
type balancer struct {
	named
	id             string
	scheme         string
	subnets        []string
	securityGroups []string
	idle           time.Duration
	dropInvalid    bool // header fields
	protected      bool // from deletion
	active         time.Time

	address string
	claim   *socket // keeps the address ours, nil without sockets
}

// fullName is the last part of the ARN, as metrics have it.
func (b *balancer) fullName() string { return "app/" + b.name + "/" + b.id }

// listener takes requests on one port of a load balancer.
type listener struct {
	named
	id           string
	balancer     *balancer
	port         int
	secure       bool // HTTPS
	certificates []string
	policy       string
	action       action
	rules        []*rule // by priority
	socket       *socket
}

// rule sends some requests of a listener elsewhere.
type rule struct {
	named
	listener   *listener
	priority   int
	conditions []condition
	action     action
}

// condition holds when one of the values fits.
type condition struct {
	field  string // host-header or path-pattern
	values []string
}

// The fields of conditions.
const (
	hostHeader  = "host-header"
	pathPattern = "path-pattern"
)

// route finds what is to be done with a request. The lock is held.
func (l *listener) route(r *http.Request) action {
	for _, rule := range l.rules {
		if !slices.ContainsFunc(rule.conditions, func(c condition) bool { return !c.holds(r) }) {
			return rule.action
		}
	}
	return l.action
}

// holds compares: hosts without regard to case and port, paths with.
func (c condition) holds(r *http.Request) bool {
	text := r.URL.Path
	if c.field == hostHeader {
		text = strings.ToLower(hostOf(r))
	}
	return slices.ContainsFunc(c.values, func(pattern string) bool {
		if c.field == hostHeader {
			pattern = strings.ToLower(pattern)
		}
		return fits(pattern, text)
	})
}

// hostOf is the Host header without the port.
func hostOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return r.Host
}

// fits compares text with a pattern in which * is any number of characters
// and ? is one.
func fits(pattern, text string) bool {
	for pattern != "" {
		switch {
		case pattern[0] == '*':
			for n := range len(text) + 1 {
				if fits(pattern[1:], text[n:]) {
					return true
				}
			}
			return false
		case text == "" || pattern[0] != '?' && pattern[0] != text[0]:
			return false
		}
		pattern, text = pattern[1:], text[1:]
	}
	return text == ""
}

// order sorts the rules after one has come or changed. The lock is held.
func (l *listener) order() {
	slices.SortFunc(l.rules, func(a, b *rule) int { return cmp.Compare(a.priority, b.priority) })
}
