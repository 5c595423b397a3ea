package autoscaling

import (
	"time"
)

// The processes of a group that can be suspended and that do anything here.
const (
	processLaunch    = "Launch"
	processTerminate = "Terminate"
	processHealth    = "HealthCheck"
	processReplace   = "ReplaceUnhealthy"
	processBalancer  = "AddToLoadBalancer"
	processAlarm     = "AlarmNotification"
)

// tend looks after a group until it is gone.
func (s *Service) tend(g *group) {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for s.look(g) {
		select {
		case <-tick.C:
		case <-g.kick:
		case <-s.life.Done():
			return
		}
	}
}

// look does what is due: servers that came up go into service, dead ones go,
// and then there are too few or too many. False: the group is gone.
func (s *Service) look(g *group) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	for _, m := range g.alive() {
		s.observe(g, m)
	}
	if g.deleting {
		g.desired = 0
		if len(g.members) == 0 {
			delete(s.groups, g.name)
			s.deleted = append(s.deleted, g)
			return false
		}
	}
	switch more := g.desired - len(g.alive()); {
	case more > 0 && !g.suspended[processLaunch] && !g.deleting:
		s.grow(g, more)
	case more < 0 && (g.deleting || !g.suspended[processTerminate]):
		s.shrink(g, -more)
	}
	if len(g.alive()) == g.desired {
		g.why = ""
	}
	return true
}

// observe moves one member on. The lock is held.
func (s *Service) observe(g *group, m *member) {
	if m.instance == "" {
		return // EC2 is still being asked
	}
	state, reason := s.servers.State(m.instance)
	off := state != "pending" && state != "running"
	switch {
	case m.state == statePending && off:
		m.launch.finish(cancelled, "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "+reason)
		s.bury(g, m, "an EC2 health check indicating it has been terminated or stopped.")
	case m.state == statePending && state == "running":
		s.welcome(g, m)
	case g.suspended[processHealth]:
	case off:
		s.bury(g, m, "an EC2 health check indicating it has been terminated or stopped.")
	case m.state == stateInService && g.balancerHealth && time.Since(m.inService) >= g.grace && s.sick(g, m):
		s.bury(g, m, "an ELB system health check failure.")
	case !m.healthy && m.state == stateInService:
		s.bury(g, m, "an ELB system health check failure.") // found before, but not allowed to act
	}
}

// sick tells whether a load balancer calls a member unhealthy.
func (s *Service) sick(g *group, m *member) bool {
	for _, targets := range g.targetGroups {
		if state, _ := s.balancer.Health(targets, m.instance); state == "unhealthy" {
			return true
		}
	}
	return false
}

// welcome brings a server that is up into service. The lock is held.
func (s *Service) welcome(g *group, m *member) {
	if !g.suspended[processBalancer] {
		for _, targets := range g.targetGroups {
			if err := s.balancer.Register(targets, m.instance); err != nil {
				m.launch.message = err.Error() // and try again at the next look
				return
			}
		}
	}
	m.state, m.inService = stateInService, time.Now()
	s.servers.SetLifecycleState(m.instance, stateInService)
	m.launch.finish(successful, "")
}

// bury takes an unhealthy member out of the group. The lock is held.
func (s *Service) bury(g *group, m *member, why string) {
	m.healthy = false
	if g.suspended[processReplace] || g.suspended[processTerminate] {
		return
	}
	g.replacing++
	s.dismiss(g, m, at()+"an instance was taken out of service in response to "+why)
}

// grow launches servers, unless the last launch was refused a moment ago. The
// lock is held.
func (s *Service) grow(g *group, more int) {
	if time.Now().Before(g.retry) {
		return
	}
	template, err := s.servers.Template(g.template, g.version)
	var fresh []*member
	for range more {
		subnet := g.nextSubnet()
		s.ordinal++
		m := &member{ordinal: s.ordinal, subnet: subnet, zone: s.servers.Zone(subnet), template: template, state: statePending, launched: time.Now(), healthy: true}
		m.launch = s.begin(g, "Launching a new EC2 instance", g.grows(len(g.alive())), subnet)
		if err != nil {
			s.refuse(g, m, err)
			return
		}
		g.members = append(g.members, m)
		fresh = append(fresh, m)
	}
	tags := g.tagsOfServers()
	s.spawn(func() {
		for _, m := range fresh { // one after the other, so that ids come in the order of the activities
			s.launch(g, m, Launch{Group: g.name, Template: template.ID, Version: template.Version, Subnet: m.subnet, Tags: tags})
		}
	})
}

// launch asks EC2 for a server, without the lock: a real disk is copied.
func (s *Service) launch(g *group, m *member, from Launch) {
	instance, err := s.servers.Launch(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	defer g.wake()
	if err != nil {
		g.remove(m)
		s.refuse(g, m, err)
		return
	}
	m.instance = instance
	m.launch.description += ": " + instance
	g.refused, g.retry, g.failures = 0, time.Time{}, map[string]int{}
}

// longestRetry is how many looks pass at most between two launches that are
// refused; the first wait is of four.
const longestRetry = 64

// refuse notes a launch that EC2 refused. The lock is held.
func (s *Service) refuse(g *group, m *member, err error) {
	text := reasonOf(err) + " Launching EC2 instance failed."
	m.launch.description += ".  Status Reason: " + text
	m.launch.finish(failed, text)
	g.refused++
	g.failures[m.subnet]++
	g.retry = time.Now().Add(s.every * time.Duration(min(2<<g.refused, longestRetry)))
}

// shrink dismisses members that are too many. The lock is held.
func (s *Service) shrink(g *group, less int) {
	current := ""
	if template, err := s.servers.Template(g.template, g.version); err == nil {
		current = template.Version
	}
	for range less {
		m := g.victim(current)
		if m.instance == "" {
			return // being launched: it can go when it is there
		}
		s.dismiss(g, m, g.shrinks(len(g.alive()), m.instance))
	}
}
