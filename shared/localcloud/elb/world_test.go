package elb_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/elb"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// fleet is EC2 for these tests: servers with an address each.
type fleet struct {
	mu      sync.Mutex
	servers map[string]*server
	places  map[string]bool // by load balancer
}

// server is an application on one server.
type server struct {
	state, address string
	http           *http.Server
}

func (f *fleet) State(instance string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.servers[instance]; s != nil {
		return s.state
	}
	return ""
}

func (f *fleet) Address(instance string, _ int) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.servers[instance].address
}

func (f *fleet) Zone(subnet string) string {
	zone, _ := strings.CutPrefix(subnet, "subnet-")
	if len(zone) != 1 {
		return ""
	}
	return "us-east-1" + zone
}

func (f *fleet) Occupy(holder string, _, securityGroups []string, _ bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.Contains(securityGroups, "sg-none") {
		return wire.Errorf("InvalidGroup.NotFound", "The security group 'sg-none' does not exist")
	}
	f.places[holder] = true
	return nil
}

func (f *fleet) Vacate(holder string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.places, holder)
}

// set lets an instance exist in a state, without anything that listens.
func (f *fleet) set(instance, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.servers[instance]; s != nil {
		s.state = state
		return
	}
	f.servers[instance] = &server{state: state, address: "127.0.0.1:1"}
}

// bench is a load balancer with one listener, and servers.
type bench struct {
	*testing.T
	*fleet
	service            *elb.Service
	balancer, listener string // ARNs
}

// timing has short checks; thresholds and delays stay those of the groups.
var timing = world.Timing{CheckEvery: 30 * time.Millisecond}

func setup(t *testing.T, timing world.Timing, o elb.Options) *bench {
	t.Helper()
	f := &fleet{servers: map[string]*server{}, places: map[string]bool{}}
	o.Servers = f
	b := &bench{T: t, fleet: f, service: elb.New(world.New("111122223333", "us-east-1", timing, 1), o)}
	t.Cleanup(b.service.Close)
	b.balancer = b.make("LoadBalancer", "Balancer", resource.Properties{"Subnets": []any{"subnet-a", "subnet-b"}})
	b.listener = b.make("Listener", "HttpListener", resource.Properties{
		"LoadBalancerArn": b.balancer, "Port": 80, "Protocol": "HTTP", "DefaultActions": []any{missing},
	})
	return b
}

// missing is what a listener answers without a rule.
var missing = map[string]any{"Type": "fixed-response", "FixedResponseConfig": map[string]any{
	"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "no such environment"}}

func (b *bench) kind(name string) resource.Type {
	for _, t := range b.service.Types() {
		if t.Name == "AWS::ElasticLoadBalancingV2::"+name {
			return t
		}
	}
	b.Fatalf("no type %s", name)
	return resource.Type{}
}

func request(logical string, p resource.Properties) resource.Request {
	return resource.Request{Stack: "shop-staging-base", StackID: "arn:stack", LogicalID: logical, Properties: p, Tags: map[string]string{"from": "stack"}}
}

// try creates a resource and gives the physical id.
func (b *bench) try(kind, logical string, p resource.Properties) (string, error) {
	made, err := b.kind(kind).Create(request(logical, p))
	return made.Physical, err
}

func (b *bench) make(kind, logical string, p resource.Properties) string {
	b.Helper()
	id, err := b.try(kind, logical, p)
	if err != nil {
		b.Fatalf("create %s: %v", logical, err)
	}
	return id
}

// group makes a target group that the listener forwards everything to.
func (b *bench) group(logical string, more resource.Properties) string {
	b.Helper()
	p := resource.Properties{"VpcId": "vpc-1", "Protocol": "HTTP", "Port": 8000, "HealthCheckPath": "/health",
		"TargetGroupAttributes": []any{map[string]any{"Key": "deregistration_delay.timeout_seconds", "Value": "20"}}}
	for name, value := range more {
		p[name] = value
	}
	return b.make("TargetGroup", logical, p)
}

func forward(group string) []any {
	return []any{map[string]any{"Type": "forward", "TargetGroupArn": group}}
}

func (b *bench) rule(priority int, conditions, actions []any) string {
	b.Helper()
	return b.make("ListenerRule", "Rule", resource.Properties{"ListenerArn": b.listener, "Priority": priority, "Conditions": conditions, "Actions": actions})
}

func paths(values ...any) []any {
	return []any{map[string]any{"Field": "path-pattern", "PathPatternConfig": map[string]any{"Values": values}}}
}

// serve starts an application for an instance that runs.
func (b *bench) serve(instance string, h http.Handler) *server {
	b.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &server{state: "running", address: listener.Addr().String(), http: &http.Server{Handler: h}}
	go func() { _ = s.http.Serve(listener) }()
	b.Cleanup(func() { _ = s.http.Close() })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.servers[instance] = s
	return s
}

// kill ends an application with everything it is doing.
func (b *bench) kill(instance string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.servers[instance].http.Close()
}

func (b *bench) register(group string, instances ...string) {
	b.Helper()
	for _, instance := range instances {
		if err := b.service.Register(group, instance); err != nil {
			b.Fatal(err)
		}
	}
}

func (b *bench) deregister(group, instance string) <-chan struct{} {
	b.Helper()
	drained, err := b.service.Deregister(group, instance)
	if err != nil {
		b.Fatal(err)
	}
	return drained
}

// eventually waits for something that happens in real time.
func (b *bench) eventually(what string, holds func() bool) {
	b.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late.C:
			b.Fatalf("after 20 s still not: %s", what)
		}
	}
}

func (b *bench) awaitHealth(group, instance, want string) {
	b.Helper()
	b.eventually(instance+" is "+want, func() bool { state, _ := b.service.Health(group, instance); return state == want })
}

// answer is what a client got.
type answer struct {
	status int
	body   string
	header http.Header
}

// get asks the listener over its socket; a redirect is not followed.
func (b *bench) get(url string, change func(*http.Request)) answer {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.service.URL(b.listener)+url, nil)
	if err != nil {
		b.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	got, err := client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		b.Fatal(err)
	}
	return answer{got.StatusCode, string(body), got.Header}
}

// named is an application that says its name.
func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			select {
			case <-time.After(300 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, name)
	})
}

// statuses is a Checker whose answers a test can change.
type statuses struct {
	mu   sync.Mutex
	of   map[string]int // by instance; 0 hangs, -1 refuses
	made int
}

func (s *statuses) set(instance string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[instance] = status
}

func (s *statuses) check(ctx context.Context, c elb.Check) (int, error) {
	s.mu.Lock()
	status := s.of[c.Instance]
	s.made++
	s.mu.Unlock()
	switch status {
	case 0:
		<-ctx.Done()
		return 0, ctx.Err()
	case -1:
		return 0, io.ErrUnexpectedEOF
	}
	return status, nil
}
