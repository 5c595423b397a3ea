package elb

import (
	"maps"
	"slices"
)

// Target is a target as a test sees it.
type Target struct {
	Instance      string
	Port          int
	State, Reason string
	InFlight      int
}

// Targets are the targets of a group in the order of their registration,
// draining ones too.
func (s *Service) Targets(group string) []Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[group]
	if g == nil {
		return nil
	}
	var all []Target
	for _, t := range g.targets {
		shown := t.shown()
		all = append(all, Target{t.instance, t.port, shown.state, shown.reason, t.inflight})
	}
	return all
}

// Balancers are the ARNs of all load balancers in the order of the alphabet.
func (s *Service) Balancers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.balancers))
}
