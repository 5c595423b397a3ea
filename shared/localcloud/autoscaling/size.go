package autoscaling

import (
	"slices"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// Size is what a group is set to, not what runs.
func (s *Service) Size(group string) (low, high, desired int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, failure := s.group(group)
	if failure != nil {
		return 0, 0, 0, failure
	}
	return g.low, g.high, g.desired, nil
}

// SetSize changes it and returns at once.
func (s *Service) SetSize(group string, low, high, desired int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, failure := s.group(group)
	if failure == nil {
		failure = g.resize(low, high, desired)
	}
	if failure != nil {
		return failure
	}
	return nil
}

// resize changes the size of a group as UpdateAutoScalingGroup does. The lock
// is held.
func (g *group) resize(low, high, desired int) *wire.Error {
	if failure := checkSize(low, high, desired); failure != nil {
		return failure
	}
	if low != g.low || high != g.high || desired != g.desired {
		g.resized("a user request update of AutoScalingGroup constraints to min: %d, max: %d, desired: %d changing the desired capacity from %d to %d.",
			low, high, desired, g.desired, desired)
	}
	g.low, g.high, g.desired = low, high, desired
	g.wake()
	return nil
}

func checkSize(low, high, desired int) *wire.Error {
	switch {
	case low < 0 || high < low:
		return wire.Errorf("ValidationError", "Max bound, %d, must be greater than or equal to min bound, %d", high, low)
	case desired < low || desired > high:
		return wire.Errorf("ValidationError", "Desired capacity:%d must be between the specified min size:%d and max size:%d", desired, low, high)
	}
	return nil
}

// Members are the servers that the group has not finished terminating.
func (s *Service) Members(group string) []resource.Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[group]
	if g == nil {
		return nil
	}
	var all []resource.Member
	for _, m := range g.members {
		if m.instance != "" {
			all = append(all, resource.Member{Instance: m.instance, Template: m.template.ID, Version: m.template.Version, InService: m.state == stateInService})
		}
	}
	return all
}

// Terminate starts the end of a server and returns at once; the group
// replaces it. One that is on its way out already is no error.
func (s *Service) Terminate(instance string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, m, failure := s.member(instance)
	if failure != nil {
		return failure
	}
	if !m.ending() {
		s.ask(g, m)
	}
	return nil
}

// ask dismisses a member because somebody asked for it. The lock is held.
func (s *Service) ask(g *group, m *member) *activity {
	a := s.dismiss(g, m, at()+"instance "+m.instance+" was taken out of service in response to a user request.")
	g.wake()
	return a
}

// processes are all that can be suspended.
var processes = []string{
	processLaunch, processTerminate, processHealth, processReplace, processBalancer, processAlarm,
	"AZRebalance", "ScheduledActions", "InstanceRefresh",
}

// Suspend stops processes of a group; none named means all.
func (s *Service) Suspend(group string, names []string) error { return s.suspend(group, names, true) }

// Resume starts them again.
func (s *Service) Resume(group string, names []string) error { return s.suspend(group, names, false) }

func (s *Service) suspend(group string, names []string, off bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, failure := s.group(group)
	if failure != nil {
		return failure
	}
	if len(names) == 0 {
		names = processes
	}
	for _, name := range names {
		if !slices.Contains(processes, name) {
			return wire.Errorf("ValidationError", "Process type %s is not a valid process.", name)
		}
	}
	for _, name := range names {
		if off {
			g.suspended[name] = true
		} else {
			delete(g.suspended, name)
		}
	}
	g.wake()
	return nil
}

// Trigger lets a scaling policy ask for another size, as its alarm would. By
// itself no policy ever acts: there is no load here. The size stays within
// the group's bounds.
func (s *Service) Trigger(policyARN string, desired int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.policies[policyARN]
	if p == nil {
		return wire.Errorf("ValidationError", "PolicyARN %s not found", policyARN)
	}
	g, failure := s.group(p.group)
	if failure != nil {
		return failure
	}
	desired = min(max(desired, g.low), g.high)
	if g.suspended[processAlarm] || desired == g.desired {
		return nil
	}
	g.resized("a monitor alarm TargetTracking-%s in state ALARM triggered policy %s changing the desired capacity from %d to %d.",
		g.name, p.name, g.desired, desired)
	g.desired = desired
	g.wake()
	return nil
}

// LifecycleState is what a group has in mind for a server, such as InService
// or Terminating:Wait; "" when it belongs to none.
func (s *Service) LifecycleState(instance string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, m, failure := s.member(instance); failure == nil {
		return m.state
	}
	return ""
}
