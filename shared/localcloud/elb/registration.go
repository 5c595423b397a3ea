package elb

import (
	"context"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// atOnce is what there is to wait for when there is nothing to wait for.
var atOnce = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

// Register adds an instance to a target group on the group's port. An
// instance that drains comes back as a new target; one that is registered
// stays as it is.
func (s *Service) Register(group, instance string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, failure := s.group(group)
	if failure != nil {
		return failure
	}
	if failure := s.refuse(instance); failure != nil {
		return failure
	}
	s.add(g, instance, 0)
	return nil
}

// Deregister takes an instance out of a target group. No request goes to it
// from now on; what is in flight ends by itself, or with the deregistration
// delay: then drained is closed.
func (s *Service) Deregister(group, instance string) (drained <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, failure := s.group(group)
	if failure != nil {
		return nil, failure
	}
	return s.drain(g, instance, 0), nil
}

// Exists tells whether there is a target group.
func (s *Service) Exists(group string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groups[group] != nil
}

// Health is what DescribeTargetHealth says of an instance.
func (s *Service) Health(group, instance string) (state, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := notRegistered
	if g := s.groups[group]; g != nil {
		if t := g.find(instance, 0); t != nil {
			shown = t.shown()
		}
	}
	return shown.state, shown.reason
}

// group finds a target group. The lock is held.
func (s *Service) group(arn string) (*group, *wire.Error) {
	if g := s.groups[arn]; g != nil {
		return g, nil
	}
	return nil, wire.Errorf("TargetGroupNotFound", "One or more target groups not found")
}

// refuse says why an instance cannot be registered.
func (s *Service) refuse(instance string) *wire.Error {
	if s.servers.State(instance) == running {
		return nil
	}
	return wire.Errorf("InvalidTarget", "The following targets are not in a running state and cannot be registered: '%s'", instance)
}

// add registers an instance. The lock is held.
func (s *Service) add(g *group, instance string, port int) {
	if old := g.find(instance, port); old != nil {
		if old.state != stateDraining {
			return
		}
		g.remove(old) // its requests and its delay go on
	}
	if port == 0 {
		port = g.port
	}
	t := newTarget(g, instance, port)
	g.targets = append(g.targets, t)
	s.spawn(func() { s.watch(t) })
}

// drain begins the deregistration of a target; its checks end. The lock is
// held.
func (s *Service) drain(g *group, instance string, port int) <-chan struct{} {
	t := g.find(instance, port)
	switch {
	case t == nil:
		return atOnce
	case t.state == stateDraining:
		return t.drained
	}
	t.health = draining
	t.wake()
	t.alarm = time.AfterFunc(g.delay, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		g.remove(t)
		t.finish()
	})
	if t.inflight == 0 {
		t.quiet()
	}
	return t.drained
}

// done is an answer without fields: clients look for its element.
type done struct{}

type targetsInput struct {
	group   string
	targets []targetName
}

type targetName struct {
	instance string
	port     int // 0: the group's
}

func decodeTargets(p *wire.Params) targetsInput {
	in := targetsInput{group: p.Need("TargetGroupArn")}
	for _, t := range p.Groups("Targets") {
		in.targets = append(in.targets, targetName{t.Need("Id"), t.Int("Port", 1, 65535, 0)})
	}
	return in
}

// registerTargets registers all or none.
func (s *Service) registerTargets(_ context.Context, _ *wire.Call, in targetsInput) (any, error) {
	return done{}, s.each(in, s.refuse, s.add)
}

// deregisterTargets is no error for targets that are not registered.
func (s *Service) deregisterTargets(_ context.Context, _ *wire.Call, in targetsInput) (any, error) {
	return done{}, s.each(in, func(string) *wire.Error { return nil },
		func(g *group, instance string, port int) { s.drain(g, instance, port) })
}

// each does something to every target once all were checked.
func (s *Service) each(in targetsInput, check func(string) *wire.Error, do func(*group, string, int)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, failure := s.group(in.group)
	if failure != nil {
		return failure
	}
	if len(in.targets) == 0 {
		return wire.Errorf("ValidationError", "1 validation error detected: Value at 'targets' failed to satisfy constraint: Member must not be null")
	}
	for _, t := range in.targets {
		if failure := check(t.instance); failure != nil {
			return failure
		}
	}
	for _, t := range in.targets {
		do(g, t.instance, t.port)
	}
	return nil
}
