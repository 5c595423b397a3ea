package autoscaling

import (
	"errors"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// longestHook is how often the heartbeat timeout a hook lasts at most, and
// longestWait how long it does.
const (
	longestHook = 100
	longestWait = 48 * time.Hour
)

// Ending is how a group ends its servers.
type Ending int

// Auto Scaling ends servers in order. The other two are what it does not do:
// with them a test finds out whether it would notice.
const (
	EndInOrder    Ending = iota // out of the target groups, drained, then the lifecycle hooks, then off
	EndUndrained                // out of the target groups, and off at once
	EndRegistered               // off at once, and out of the target groups when it is
)

// SetEnding changes how a group ends servers from now on.
func (s *Service) SetEnding(group string, e Ending) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, failure := s.group(group)
	if failure != nil {
		return failure
	}
	g.ending = e
	return nil
}

// dismiss begins the end of a member: out of the target groups, then the
// lifecycle hook, then the power button. The lock is held.
func (s *Service) dismiss(g *group, m *member, cause string) *activity {
	if m.launch != nil {
		m.launch.finish(cancelled, "")
	}
	m.state = stateEnding
	a := s.begin(g, "Terminating EC2 instance: "+m.instance, cause, m.subnet)
	a.status = inProgress
	ending := g.ending
	s.spawn(func() {
		switch ending {
		case EndUndrained:
			s.deregister(g, m)
			s.terminate(g, m, a)
		case EndRegistered:
			s.terminate(g, m, a)
			s.deregister(g, m)
		default:
			if s.drain(g, m, a) && s.callHooks(g, m, a) {
				s.terminate(g, m, a)
			}
		}
	})
	return a
}

// deregister takes a server out of its target groups, and lets it drain.
func (s *Service) deregister(g *group, m *member) []<-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []<-chan struct{}
	for _, targets := range g.targetGroups {
		// An error says that the target group is gone, and its targets with it.
		if drained, err := s.balancer.Deregister(targets, m.instance); err == nil {
			all = append(all, drained)
		}
	}
	return all
}

// drain waits until no load balancer has requests at the server. False: the
// cloud is being closed; so for the others.
func (s *Service) drain(g *group, m *member, a *activity) bool {
	all := s.deregister(g, m)
	if len(all) > 0 {
		s.mu.Lock()
		a.status, a.progress = waitDraining, 40
		s.mu.Unlock()
	}
	for _, drained := range all {
		select {
		case <-drained:
		case <-s.life.Done():
			return false
		}
	}
	return true
}

// callHooks hands the server to one hook after the other, unless it is off
// already: then there is nobody who could answer.
func (s *Service) callHooks(g *group, m *member, a *activity) bool {
	s.mu.Lock()
	hooks := g.hooks
	if len(hooks) == 0 {
		s.servers.SetLifecycleState(m.instance, "Terminated")
	}
	s.mu.Unlock()
	for _, h := range hooks {
		if !s.call(m, h, a) {
			return false
		}
		if m.abandoned {
			break
		}
	}
	return true
}

// call waits for the answer of one hook, for the heartbeat timeout counted
// from the last heartbeat, and for an end of the server by itself.
func (s *Service) call(m *member, h hook, a *activity) bool {
	s.mu.Lock()
	if state, _ := s.servers.State(m.instance); state != "running" {
		s.mu.Unlock()
		return true
	}
	m.state, m.hook, m.token = stateEndingWait, h.name, s.world.UUID("lifecycle action")
	m.answered = make(chan struct{})
	m.deadline = time.Now().Add(h.heartbeat)
	a.status, a.progress = midHook, 60
	s.servers.SetLifecycleState(m.instance, "Terminated")
	over := time.Now().Add(min(longestHook*h.heartbeat, longestWait))
	s.mu.Unlock()

	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for waiting := true; waiting; {
		select {
		case <-m.answered:
			waiting = false
		case <-s.life.Done():
			return false
		case <-tick.C:
			s.mu.Lock()
			state, _ := s.servers.State(m.instance)
			now := time.Now()
			waiting = state == "running" && now.Before(m.deadline) && now.Before(over)
			s.mu.Unlock()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.hook != "" { // nobody has answered
		m.hook, m.token, m.abandoned = "", "", h.result == "ABANDON"
	}
	return true
}

// terminate switches the server off and waits until it is.
func (s *Service) terminate(g *group, m *member, a *activity) {
	s.mu.Lock()
	m.state, a.status, a.progress = stateEndingGo, inProgress, 80
	s.mu.Unlock()
	_ = s.servers.Terminate(m.instance) // an error says that it is gone already
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for !s.ended(g, m, a) {
		select {
		case <-tick.C:
		case <-s.life.Done():
			return
		}
	}
}

// ended forgets a server that EC2 calls terminated, or does not know.
func (s *Service) ended(g *group, m *member, a *activity) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state, _ := s.servers.State(m.instance); state != "terminated" && state != "" {
		return false
	}
	g.remove(m)
	a.finish(successful, "")
	g.wake()
	return true
}

// reasonOf is EC2's message without its code, which activities leave out.
func reasonOf(err error) string {
	var failure *wire.Error
	if errors.As(err, &failure) {
		return failure.Message
	}
	return err.Error()
}
