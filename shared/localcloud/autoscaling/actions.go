package autoscaling

import (
	"context"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// maxSize bounds every size of a group.
const maxSize = 10_000

type desiredInput struct {
	group   string
	desired int
}

func decodeSetDesired(p *wire.Params) desiredInput {
	in := desiredInput{p.Need("AutoScalingGroupName"), p.Int("DesiredCapacity", 0, maxSize, 0)}
	p.Need("DesiredCapacity")
	if p.Bool("HonorCooldown", false) {
		p.Fail(wire.Unsupported("HonorCooldown=true of SetDesiredCapacity"))
	}
	return in
}

func (s *Service) setDesired(_ context.Context, _ *wire.Call, in desiredInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, failure := s.group(in.group)
	switch {
	case failure != nil:
		return nil, failure
	case in.desired < g.low:
		return nil, wire.Errorf("ValidationError", "New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.", in.desired, g.low)
	case in.desired > g.high:
		return nil, wire.Errorf("ValidationError", "New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.", in.desired, g.high)
	}
	if in.desired != g.desired {
		g.resized("a user request explicitly set group desired capacity changing the desired capacity from %d to %d.", g.desired, in.desired)
	}
	g.desired = in.desired
	g.wake()
	return nil, nil
}

type updateInput struct {
	group              string
	low, high, desired int // keep: as it is
}

func decodeUpdate(p *wire.Params) updateInput {
	return updateInput{
		p.Need("AutoScalingGroupName"),
		p.Int("MinSize", 0, maxSize, keep), p.Int("MaxSize", 0, maxSize, keep), p.Int("DesiredCapacity", 0, maxSize, keep),
	}
}

// updateSizes keeps the desired size within new bounds when it is not given.
func (s *Service) updateSizes(_ context.Context, _ *wire.Call, in updateInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, failure := s.group(in.group)
	if failure != nil {
		return nil, failure
	}
	if in.low == keep {
		in.low = g.low
	}
	if in.high == keep {
		in.high = g.high
	}
	if in.desired == keep {
		in.desired = min(max(g.desired, in.low), in.high)
	}
	if failure := g.resize(in.low, in.high, in.desired); failure != nil {
		return nil, failure
	}
	return nil, nil
}

func decodeDelete(p *wire.Params) string {
	if p.Bool("ForceDelete", false) {
		p.Fail(wire.Unsupported("ForceDelete=true of DeleteAutoScalingGroup"))
	}
	return p.Need("AutoScalingGroupName")
}

// deleteByName deletes a group without servers.
func (s *Service) deleteByName(_ context.Context, _ *wire.Call, name string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, failure := s.group(name)
	switch {
	case failure != nil:
		return nil, failure
	case len(g.alive()) > 0:
		return nil, wire.Errorf("ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.")
	case len(g.members) > 0:
		return nil, wire.Errorf("ScalingActivityInProgress", "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.")
	}
	g.deleting = true
	g.wake()
	return nil, nil
}

type terminateInput struct {
	instance  string
	decrement bool
}

func decodeTerminate(p *wire.Params) terminateInput {
	in := terminateInput{p.Need("InstanceId"), p.Bool("ShouldDecrementDesiredCapacity", false)}
	p.Need("ShouldDecrementDesiredCapacity")
	return in
}

type terminateAnswer struct {
	Activity activityXML `xml:"Activity"`
}

func (s *Service) terminateInstance(_ context.Context, _ *wire.Call, in terminateInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, m, failure := s.member(in.instance)
	switch {
	case failure != nil:
		return nil, failure
	case m.ending():
		return nil, wire.Errorf("ScalingActivityInProgress", "Instance %s is being terminated already.", in.instance)
	case in.decrement && g.desired <= g.low:
		return nil, wire.Errorf("ValidationError", "Currently, desiredSize equals minSize (%d). Terminating instance without replacement will violate group's min size constraint. "+
			"Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.", g.low)
	}
	if in.decrement {
		g.desired--
	}
	return terminateAnswer{s.ask(g, m).xml()}, nil
}

// actionInput names a lifecycle action by its token or its instance.
type actionInput struct {
	group, hook, token, instance, result string
}

func decodeHeartbeat(p *wire.Params) actionInput {
	in := actionInput{group: p.Need("AutoScalingGroupName"), hook: p.Need("LifecycleHookName"),
		token: p.String("LifecycleActionToken"), instance: p.String("InstanceId")}
	if in.token == "" && in.instance == "" {
		p.Fail(wire.Errorf("ValidationError", "Either Lifecycle Action Token or Instance Id must be specified"))
	}
	return in
}

func decodeComplete(p *wire.Params) actionInput {
	in := decodeHeartbeat(p)
	in.result = p.OneOf("LifecycleActionResult", "", "CONTINUE", "ABANDON")
	p.Need("LifecycleActionResult")
	return in
}

// action finds the member that a hook has at the moment. The lock is held.
func (s *Service) action(in actionInput) (*member, hook, *wire.Error) {
	g, failure := s.group(in.group)
	if failure != nil {
		return nil, hook{}, failure
	}
	for _, h := range g.hooks {
		for _, m := range g.members {
			if h.name == in.hook && m.hook == h.name && (in.token == m.token || in.token == "" && in.instance == m.instance) {
				return m, h, nil
			}
		}
	}
	if in.token != "" {
		return nil, hook{}, wire.Errorf("ValidationError", "No active Lifecycle Action found with token %s", in.token)
	}
	return nil, hook{}, wire.Errorf("ValidationError", "No active Lifecycle Action found with instance ID %s", in.instance)
}

// done is an answer without fields: clients look for its element.
type done struct{}

// completeAction ends the wait. For a server that terminates, CONTINUE lets
// other hooks have their turn and ABANDON ends them too.
func (s *Service) completeAction(_ context.Context, _ *wire.Call, in actionInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, _, failure := s.action(in)
	if failure != nil {
		return nil, failure
	}
	m.hook, m.token, m.abandoned = "", "", in.result == "ABANDON"
	close(m.answered)
	return done{}, nil
}

// recordHeartbeat begins the heartbeat timeout anew.
func (s *Service) recordHeartbeat(_ context.Context, _ *wire.Call, in actionInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, h, failure := s.action(in)
	if failure != nil {
		return nil, failure
	}
	m.deadline = time.Now().Add(h.heartbeat)
	return done{}, nil
}
