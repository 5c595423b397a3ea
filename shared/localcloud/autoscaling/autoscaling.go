// Package autoscaling plays Amazon EC2 Auto Scaling: groups that keep as many
// servers as they are asked to, replace those that died, take servers out of
// their target groups before they end them, and say in activities what they
// did and what was refused.
//
// Every group is looked after by a goroutine of its own, on a clock and
// whenever something has changed.
package autoscaling

import (
	"context"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Servers is what Auto Scaling needs of EC2.
type Servers interface {
	// Launch starts one server. The error is EC2's, a *wire.Error.
	Launch(l Launch) (instance string, err error)

	// Terminate ends a server in whatever state it is.
	Terminate(instance string) error

	// State is the state of a server, such as running, and why it is in it;
	// "" when there is no such server.
	State(instance string) (state, reason string)

	// Template finds a version of a launch template: a number, $Latest or
	// $Default.
	Template(id, version string) (Template, error)

	// Zone is the availability zone of a subnet, "" when there is none.
	Zone(subnet string) string

	// SetLifecycleState lets a server see what its group has in mind for it.
	SetLifecycleState(instance, state string)
}

// Launch is one server that a group asks for.
type Launch struct {
	Group             string
	Template, Version string
	Subnet            string
	Tags              world.Tags
}

// Template is a version of a launch template.
type Template struct {
	ID, Name string
	Version  string // its number
	Image    string
	Type     string
}

// Balancer is what Auto Scaling needs of load balancing.
type Balancer interface {
	// Exists tells whether there is a target group.
	Exists(targetGroup string) bool

	// Register adds a server to a target group.
	Register(targetGroup, instance string) error

	// Deregister takes it out; drained is closed when nothing is in flight.
	Deregister(targetGroup, instance string) (drained <-chan struct{}, err error)

	// Health is the state of a server in a target group, such as unhealthy.
	Health(targetGroup, instance string) (state, reason string)
}

// Service is Auto Scaling of one account.
type Service struct {
	world    *world.World
	every    time.Duration // how often groups are looked after
	servers  Servers
	balancer Balancer

	life    context.Context // of everything that runs by itself
	end     context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	ordinal  int64
	groups   map[string]*group
	policies map[string]*policy // by ARN
	deleted  []*group           // their activities can still be read
}

// New makes the service, without groups.
func New(w *world.World, servers Servers, balancer Balancer) *Service {
	life, end := context.WithCancel(context.Background())
	every := w.Timing.Scaling
	if every == 0 {
		every = time.Second
	}
	return &Service{
		world: w, every: every, servers: servers, balancer: balancer, life: life, end: end,
		groups: map[string]*group{}, policies: map[string]*policy{},
	}
}

// Wire is the service as the router takes it. Groups and policies are made by
// templates only; a group that a template has left behind can be deleted.
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "autoscaling",
		Protocol:  operation.Query,
		Version:   "2011-01-01",
		Namespace: "http://autoscaling.amazonaws.com/doc/2011-01-01/",
		Actions: map[string]wire.Action{
			"DescribeAutoScalingGroups":           wire.Query(decodeDescribeGroups, s.describeGroups),
			"DescribeAutoScalingInstances":        wire.Query(decodeDescribeInstances, s.describeInstances),
			"DescribeScalingActivities":           wire.Query(decodeDescribeActivities, s.describeActivities),
			"SetDesiredCapacity":                  wire.Query(decodeSetDesired, s.setDesired),
			"DeleteAutoScalingGroup":              wire.Query(decodeDelete, s.deleteByName),
			"UpdateAutoScalingGroup":              wire.Query(decodeUpdate, s.updateSizes),
			"TerminateInstanceInAutoScalingGroup": wire.Query(decodeTerminate, s.terminateInstance),
			"CompleteLifecycleAction":             wire.Query(decodeComplete, s.completeAction),
			"RecordLifecycleActionHeartbeat":      wire.Query(decodeHeartbeat, s.recordHeartbeat),
		},
	}
}

// spawn runs f in a goroutine that Close waits for. The lock is held.
func (s *Service) spawn(f func()) {
	if s.closed {
		return
	}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		f()
	}()
}

// Close lets all groups rest. Their servers go on: they are EC2's.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.running.Wait()
}

// group finds a group that is not gone. The lock is held.
func (s *Service) group(name string) (*group, *wire.Error) {
	if g := s.groups[name]; g != nil {
		return g, nil
	}
	return nil, wire.Errorf("ValidationError", "AutoScalingGroup name not found - AutoScalingGroup: %s not found", name)
}

// member finds an instance and its group. The lock is held.
func (s *Service) member(instance string) (*group, *member, *wire.Error) {
	for _, g := range s.groups {
		for _, m := range g.members {
			if m.instance == instance && instance != "" {
				return g, m, nil
			}
		}
	}
	return nil, nil, wire.Errorf("ValidationError", "Instance Id not found - No managed instance found for instance ID: %s", instance)
}
