// Package ec2 plays Amazon EC2 as far as baking images and running servers of
// them needs it: instances that run on a machine.Driver, images of their
// disks, launch templates, the network they are placed in, tags, client tokens
// and eventual consistency.
//
// States are computed from timestamps when somebody asks. Only what a machine
// does takes place by itself: power-on, power-off and freezing a disk.
package ec2

import (
	"net/http"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Surroundings are what instances find around them.
type Surroundings struct {
	// Metadata makes the instance metadata service of an instance.
	Metadata func(Guest) http.Handler

	// Endpoint is the cloud's URL for guests, asked at every power-on.
	Endpoint func() string

	// Transport is the way to the cloud for simulated guests.
	Transport http.RoundTripper

	// Profile finds an instance profile by name.
	Profile func(name string) (InstanceProfile, bool)
}

// InstanceProfile is what gives an instance its role.
type InstanceProfile struct{ Name, ID, ARN, Role string }

// Service is EC2 of one account.
type Service struct {
	world    *world.World
	timing   world.Timing
	machines machine.Driver
	around   Surroundings

	// running counts the goroutines that wait for machines.
	running sync.WaitGroup

	// disks keeps a content from being forgotten while an equal one is being
	// frozen: shared by those who freeze, exclusive for those who forget. It
	// is taken before mu.
	disks sync.RWMutex

	mu        sync.Mutex
	closed    bool
	ordinal   int64
	network   network
	images    map[string]*image
	gone      map[string]bool // images that were deregistered
	snapshots map[string]*snapshot
	instances map[string]*instance
	templates map[string]*template
	tokens    map[string]*claim
	resources map[string]*entity // everything that can be tagged

	// contents counts who needs a frozen disk: images and launches.
	contents map[string]int

	refusals    []refusal
	imageFaults []string
}

// New makes the service. It owns the driver's disks but not the driver.
func New(w *world.World, machines machine.Driver, around Surroundings) *Service {
	return &Service{
		world: w, timing: w.Timing, machines: machines, around: around,
		network:   newNetwork(),
		images:    map[string]*image{},
		gone:      map[string]bool{},
		snapshots: map[string]*snapshot{},
		instances: map[string]*instance{},
		templates: map[string]*template{},
		tokens:    map[string]*claim{},
		resources: map[string]*entity{},
		contents:  map[string]int{},
	}
}

// Wire is the service as the router takes it.
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "ec2",
		Protocol:  operation.EC2Query,
		Version:   "2016-11-15",
		Namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
		Actions: map[string]wire.Action{
			"RunInstances":       wire.Query(decodeRun, s.runInstances),
			"DescribeInstances":  wire.Query(decodeDescribe("InstanceId", instanceFilters), s.describeInstances),
			"TerminateInstances": wire.Query(decodeInstanceIDs, s.terminateInstances),
			"StopInstances":      wire.Query(decodeInstanceIDs, s.stopInstances),
			"GetConsoleOutput":   wire.Query(decodeConsole, s.getConsoleOutput),
			"CreateImage":        wire.Query(decodeCreateImage, s.createImage),
			"DescribeImages":     wire.Query(decodeDescribeImages, s.describeImages),
			"DeregisterImage":    wire.Query(decodeDeregister, s.deregisterImage),
			"DescribeSnapshots":  wire.Query(decodeDescribeSnapshots, s.describeSnapshots),
			"DeleteSnapshot":     wire.Query(decodeDeleteSnapshot, s.deleteSnapshot),
			"CreateTags":         wire.Query(decodeCreateTags, s.createTags),

			"DescribeLaunchTemplateVersions": wire.Query(decodeDescribeVersions, s.describeVersions),
			"DescribeVpcs":                   wire.Query(decodeDescribe("VpcId", vpcFilters), s.describeVPCs),
			"DescribeSubnets":                wire.Query(decodeDescribe("SubnetId", subnetFilters), s.describeSubnets),
			"DescribeSecurityGroups":         wire.Query(decodeDescribe("GroupId", groupFilters), s.describeGroups),
			"DescribeAvailabilityZones":      wire.Query(decodeDescribe("ZoneName", zoneFilters), s.describeZones),
		},
	}
}

// entity is what everything with an id has in common.
type entity struct {
	id      string
	ordinal int64
	born    time.Time
	reads   int // answers that should have held it
	tags    world.Tags
}

// register makes a resource. The lock is held.
func (s *Service) register(prefix string, tags world.Tags) entity {
	s.ordinal++
	return entity{id: s.world.ID(prefix), ordinal: s.ordinal, born: time.Now(), tags: world.Tags{}.With(tags)}
}

// young reports whether a resource is not old enough to exist for anybody.
func (s *Service) young(r *entity) bool {
	return time.Since(r.born) < s.timing.Visible
}

// seen decides whether an answer holds a resource that belongs into it, and
// counts the answer. The lock is held.
func (s *Service) seen(r *entity) bool {
	r.reads++
	return !s.young(r) && r.reads > s.timing.HiddenReads
}

// spawn runs f in a goroutine that Close waits for. The lock is held.
func (s *Service) spawn(f func()) {
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		f()
	}()
}

// Close switches every instance off and waits for what is under way.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	for _, i := range s.instances {
		if i.alarm != nil {
			i.alarm.Stop()
		}
		if i.machine != nil {
			s.spawn(i.machine.Stop)
		}
	}
	s.mu.Unlock()
	s.running.Wait()
}
