// Package elb plays Elastic Load Balancing: application load balancers that
// are real reverse proxies, target groups with health checks, and targets
// that drain before they go.
//
// Who gets a request, who drains and what is in flight are decided under one
// lock: after Deregister has returned, no new request reaches the target.
package elb

import (
	"context"
	"net/http"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Servers is what a load balancer needs of EC2.
type Servers interface {
	// State is the state of an instance, such as running; "" when there is none.
	State(instance string) string

	// Address is where a port of an instance can be reached, as host:port.
	Address(instance string, port int) string

	// Zone is the availability zone of a subnet, "" when there is none.
	Zone(subnet string) string

	// Occupy takes a place in each subnet for a load balancer, instead of
	// those it had; Vacate gives them back. Meanwhile subnets and security
	// groups cannot be deleted.
	Occupy(holder string, subnets, securityGroups []string, public bool) error
	Vacate(holder string)
}

// Check is one health check.
type Check struct {
	Group    string // ARN of the target group
	Instance string
	Address  string // host:port
	Path     string
}

// Checker performs a health check: the status of the answer, or why there is
// none. The context ends with the check's timeout.
type Checker func(ctx context.Context, c Check) (status int, err error)

// Options say what load balancers are made of.
type Options struct {
	Servers Servers

	// Check replaces the health checks over HTTP, for simulated servers.
	Check Checker

	// Sockets lets every listener listen on this computer. Without them
	// requests come through Handler only.
	Sockets bool
}

// Service is Elastic Load Balancing of one account.
type Service struct {
	world   *world.World
	timing  world.Timing
	servers Servers
	check   Checker
	sockets bool

	life    context.Context // of everything that runs by itself
	end     context.CancelFunc
	running sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	ordinal   int64
	balancers map[string]*balancer // these and the following by ARN
	listeners map[string]*listener
	rules     map[string]*rule
	groups    map[string]*group
}

// New makes the service, without load balancers.
func New(w *world.World, o Options) *Service {
	life, end := context.WithCancel(context.Background())
	s := &Service{
		world: w, timing: w.Timing, servers: o.Servers, check: o.Check, sockets: o.Sockets, life: life, end: end,
		balancers: map[string]*balancer{},
		listeners: map[string]*listener{},
		rules:     map[string]*rule{},
		groups:    map[string]*group{},
	}
	if s.check == nil {
		s.check = httpCheck
	}
	return s
}

// Wire is the service as the router takes it. Load balancers and what belongs
// to them are made by templates only.
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "elasticloadbalancing",
		Protocol:  operation.Query,
		Version:   "2015-12-01",
		Namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
		Actions: map[string]wire.Action{
			"DescribeLoadBalancers": wire.Query(decodeDescribeBalancers, s.describeBalancers),
			"DescribeListeners":     wire.Query(decodeDescribeListeners, s.describeListeners),
			"DescribeRules":         wire.Query(decodeDescribeRules, s.describeRules),
			"DescribeTargetGroups":  wire.Query(decodeDescribeGroups, s.describeGroups),
			"DescribeTargetHealth":  wire.Query(decodeTargets, s.describeTargetHealth),
			"RegisterTargets":       wire.Query(decodeTargets, s.registerTargets),
			"DeregisterTargets":     wire.Query(decodeTargets, s.deregisterTargets),
		},
	}
}

// named is what everything with an ARN has in common.
type named struct {
	arn, name string
	ordinal   int64
	born      time.Time
	tags      world.Tags
}

// register makes the common part. The lock is held.
func (s *Service) register(arn, name string, tags world.Tags) named {
	s.ordinal++
	return named{arn: arn, name: name, ordinal: s.ordinal, born: time.Now(), tags: tags}
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

// Close ends every listener, request, health check and drain.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	var open []*socket
	for _, l := range s.listeners {
		open = append(open, l.socket)
	}
	for _, b := range s.balancers {
		open = append(open, b.claim)
	}
	for _, g := range s.groups {
		for _, t := range g.targets {
			t.finish()
		}
	}
	s.mu.Unlock()
	s.end()
	for _, socket := range open {
		socket.shut()
	}
	s.running.Wait()
}

// URL is where a listener can be reached, "" when there is none or it has no
// socket. The port differs from the listener's where that cannot be had, as
// 80 and 443 without being root.
func (s *Service) URL(listener string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.listeners[listener]; l != nil && l.socket != nil {
		return "http://" + l.socket.address
	}
	return ""
}

// Handler answers requests as a listener does; nil when there is none.
func (s *Service) Handler(listener string) http.Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.listeners[listener]; l != nil {
		return &front{service: s, listener: l}
	}
	return nil
}
