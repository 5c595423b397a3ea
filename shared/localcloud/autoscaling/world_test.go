package autoscaling_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/autoscaling"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// fleet is EC2 for these tests: servers take 20 s to come up and 30 s to go.
type fleet struct {
	mu       sync.Mutex
	made     int
	servers  map[string]*server
	refuse   *wire.Error
	attempts []time.Time
	latest   int
}

type server struct {
	autoscaling.Launch
	id, state, reason, lifecycle string
	due                          time.Time // when pending or shutting-down ends
}

func (f *fleet) Launch(l autoscaling.Launch) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attempts = append(f.attempts, time.Now())
	if f.refuse != nil {
		return "", f.refuse
	}
	f.made++
	s := &server{Launch: l, id: fmt.Sprintf("i-%d", f.made), state: "pending", due: time.Now().Add(20 * time.Second)}
	f.servers[s.id] = s
	return s.id, nil
}

func (f *fleet) Terminate(id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.servers[id]
	if s.now() != "terminated" {
		s.state, s.due = "shutting-down", time.Now().Add(30*time.Second)
	}
	return nil
}

// now is the state at this moment.
func (s *server) now() string {
	if !time.Now().Before(s.due) {
		switch s.state {
		case "pending":
			s.state = "running"
		case "shutting-down":
			s.state = "terminated"
		}
	}
	return s.state
}

func (f *fleet) State(id string) (string, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.servers[id]; s != nil {
		return s.now(), s.reason
	}
	return "", ""
}

func (f *fleet) Template(id, version string) (autoscaling.Template, error) {
	if id != "lt-1" {
		return autoscaling.Template{}, wire.Errorf("InvalidLaunchTemplateId.NotFound", "no template %s", id)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if version == "$Latest" {
		version = fmt.Sprint(f.latest)
	}
	return autoscaling.Template{ID: id, Name: "web", Version: version, Image: "ami-" + version, Type: "t4g.small"}, nil
}

func (f *fleet) Zone(subnet string) string {
	zone, ok := strings.CutPrefix(subnet, "subnet-")
	if !ok || len(zone) != 1 {
		return ""
	}
	return "us-east-1" + zone
}

func (f *fleet) SetLifecycleState(id, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.servers[id].lifecycle = state
}

// set changes the state of a server behind Auto Scaling's back.
func (f *fleet) set(id, state, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.servers[id].state, f.servers[id].reason, f.servers[id].due = state, reason, time.Now()
}

// states are the servers by state, in order.
func (f *fleet) states() map[string][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string][]string{}
	for n := range f.made {
		s := f.servers[fmt.Sprintf("i-%d", n+1)]
		all[s.now()] = append(all[s.now()], s.id)
	}
	return all
}

func (f *fleet) lifecycle(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.servers[id].lifecycle
}

// scales is the load balancer for these tests: draining ends by hand.
type scales struct {
	mu      sync.Mutex
	targets map[string]chan struct{} // by instance; closed: drained
	sick    map[string]bool
	log     []string
}

func (b *scales) Exists(group string) bool { return group == "tg-1" }

func (b *scales) Register(_, instance string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.targets[instance] = make(chan struct{})
	b.log = append(b.log, "register "+instance)
	return nil
}

func (b *scales) Deregister(_, instance string) (<-chan struct{}, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log = append(b.log, "deregister "+instance)
	if b.targets[instance] == nil {
		b.targets[instance] = make(chan struct{})
		close(b.targets[instance])
	}
	return b.targets[instance], nil
}

func (b *scales) Health(_, instance string) (string, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sick[instance] {
		return "unhealthy", "Target.Timeout"
	}
	return "healthy", ""
}

func (b *scales) drain(instance string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.targets[instance])
}

func (b *scales) fail(instance string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sick[instance] = true
}

func (b *scales) lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.log)
}

type bench struct {
	*testing.T
	*fleet
	*scales
	service *autoscaling.Service
	made    map[string]resource.Properties
}

// run runs a test in simulated time.
func run(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{servers: map[string]*server{}, latest: 1}
		s := &scales{targets: map[string]chan struct{}{}, sick: map[string]bool{}}
		service := autoscaling.New(world.New("111122223333", "us-east-1", world.CloudLike(), 1), f, s)
		t.Cleanup(service.Close)
		test(t, &bench{T: t, fleet: f, scales: s, service: service, made: map[string]resource.Properties{}})
	})
}

// pause lets time pass, and everything happen that is due.
func pause(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (b *bench) kind(name string) resource.Type {
	for _, t := range b.service.Types() {
		if t.Name == "AWS::AutoScaling::"+name {
			return t
		}
	}
	b.Fatalf("no type %s", name)
	return resource.Type{}
}

func request(p resource.Properties) resource.Request {
	return resource.Request{Stack: "shop", StackID: "arn:stack", LogicalID: "RWebGroup", Properties: p,
		Tags: map[string]string{"team": "web", "aws:cloudformation:stack-name": "shop"}}
}

// properties are those of a group behind a load balancer with a hook.
func properties(low, high, desired int, more resource.Properties) resource.Properties {
	p := resource.Properties{
		"MinSize": low, "MaxSize": high, "DesiredCapacity": desired, "VPCZoneIdentifier": []any{"subnet-a", "subnet-b"},
		"LaunchTemplate": map[string]any{"LaunchTemplateId": "lt-1", "Version": "1"},
	}
	maps.Copy(p, more)
	return p
}

var behindBalancer = resource.Properties{"TargetGroupARNs": []any{"tg-1"}, "HealthCheckType": "ELB", "HealthCheckGracePeriod": 120}

func hooked(result string) resource.Properties {
	return resource.Properties{"LifecycleHookSpecificationList": []any{map[string]any{
		"LifecycleHookName": "leave", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": 300, "DefaultResult": result}}}
}

func (b *bench) group(p resource.Properties) string {
	b.Helper()
	made, err := b.kind("AutoScalingGroup").Create(request(p))
	if err != nil {
		b.Fatal(err)
	}
	return made.Physical
}

func (b *bench) wantStates(want map[string][]string) {
	b.Helper()
	if diff := cmp.Diff(want, b.states()); diff != "" {
		b.Errorf("servers (-want +got):\n%s", diff)
	}
}

// members are the members as instance and whether in service.
func (b *bench) members(group string) (all []string) {
	for _, m := range b.service.Members(group) {
		word := m.Instance + " v" + m.Version
		if m.InService {
			word += " in service"
		}
		all = append(all, word)
	}
	return all
}

func (b *bench) wantMembers(group string, want ...string) {
	b.Helper()
	if diff := cmp.Diff(want, b.members(group)); diff != "" {
		b.Errorf("members (-want +got):\n%s", diff)
	}
}
