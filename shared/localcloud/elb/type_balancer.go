package elb

import (
	"strconv"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// hostedZone is that of application load balancers in us-east-1; the local
// cloud has it in every region.
const hostedZone = "Z35SXDOTRQ7X7K"

func (s *Service) balancerType() resource.Type {
	return resource.Type{
		Name:       "AWS::ElasticLoadBalancingV2::LoadBalancer",
		Properties: []string{"Scheme", "Type", "Subnets", "SecurityGroups", "LoadBalancerAttributes", "Tags"},
		Immutable:  []string{"Scheme", "Type"},
		Attributes: []string{"DNSName", "CanonicalHostedZoneID", "LoadBalancerFullName"},
		Create:     s.createBalancer,
		Update:     s.updateBalancer,
		Delete:     s.deleteBalancer,
		Stable:     s.balancerStable,
	}
}

// balancerSettings are what a template says of a load balancer.
type balancerSettings struct {
	scheme                  string
	subnets, securityGroups []string
	idle                    time.Duration
	dropInvalid, protected  bool
	tags                    world.Tags
}

func (s *Service) decodeBalancer(r resource.Request) (balancerSettings, error) {
	p := r.Properties.Reader()
	p.OneOf("Type", "application")
	in := balancerSettings{
		scheme: p.OneOf("Scheme", "internet-facing", "internal"), idle: time.Minute,
		subnets: p.Strings("Subnets"), securityGroups: p.Strings("SecurityGroups"), tags: tagsOf(r, p.Tags("Tags")),
	}
	attributes(p, "LoadBalancerAttributes", map[string]func(string) error{
		"idle_timeout.timeout_seconds":                    seconds(&in.idle, 1, 4000),
		"routing.http.drop_invalid_header_fields.enabled": truth(&in.dropInvalid),
		"deletion_protection.enabled":                     truth(&in.protected),
	})
	if err := p.Done(); err != nil {
		return in, err
	}
	return in, s.spread(in.subnets)
}

// spread checks that the subnets are in different zones, two at least.
func (s *Service) spread(subnets []string) error {
	zones := map[string]bool{}
	for _, subnet := range subnets {
		zone := s.servers.Zone(subnet)
		switch {
		case zone == "":
			return wire.Errorf("SubnetNotFound", "The subnet ID '%s' does not exist", subnet)
		case zones[zone]:
			return wire.Errorf("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
		}
		zones[zone] = true
	}
	if len(zones) < 2 {
		return wire.Errorf("ValidationError", "At least two subnets in two different Availability Zones must be specified")
	}
	return nil
}

func (s *Service) createBalancer(r resource.Request) (resource.Made, error) {
	in, err := s.decodeBalancer(r)
	if err != nil {
		return resource.Made{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &balancer{id: s.id("load balancer"), active: time.Now().Add(s.timing.Provisioning)}
	if s.sockets {
		if b.address, b.claim, err = claim(); err != nil {
			return resource.Made{}, err
		}
	} else {
		b.address = s.unheard()
	}
	name := s.name(r)
	b.named = s.register(s.arn("loadbalancer/app/"+name+"/"+b.id), name, nil)
	if err := s.occupy(b, in); err != nil {
		b.claim.shut()
		return resource.Made{}, err
	}
	b.set(in)
	s.balancers[b.arn] = b
	return b.made(), nil
}

// occupy takes the load balancer's places in the network. The lock is held.
func (s *Service) occupy(b *balancer, in balancerSettings) error {
	return s.servers.Occupy(b.fullName(), in.subnets, in.securityGroups, in.scheme == "internet-facing")
}

// unheard is an address nobody listens on, for load balancers without sockets.
func (s *Service) unheard() string {
	n := len(s.balancers)
	return network + "." + strconv.Itoa(n/250) + "." + strconv.Itoa(n%250+1)
}

// set takes over what can change in place. The lock is held.
func (b *balancer) set(in balancerSettings) {
	b.scheme, b.subnets, b.securityGroups = in.scheme, in.subnets, in.securityGroups
	b.idle, b.dropInvalid, b.protected, b.tags = in.idle, in.dropInvalid, in.protected, in.tags
}

func (b *balancer) made() resource.Made {
	return resource.Made{Physical: b.arn, Attributes: map[string]any{
		"DNSName": b.address, "CanonicalHostedZoneID": hostedZone, "LoadBalancerFullName": b.fullName(),
	}}
}

// updateBalancer changes the idle time of clients' connections only for
// listeners that come later; that of requests at once.
func (s *Service) updateBalancer(r resource.Request, _ resource.Properties, physical string) (resource.Made, error) {
	in, err := s.decodeBalancer(r)
	if err != nil {
		return resource.Made{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.balancers[physical]
	if b == nil {
		return resource.Made{}, balancerMissing(physical)
	}
	if err := s.occupy(b, in); err != nil {
		return resource.Made{}, err
	}
	b.set(in)
	return b.made(), nil
}

func balancerMissing(arn string) *wire.Error {
	return wire.Errorf("LoadBalancerNotFound", "Load balancer '%s' not found", arn)
}

// deleteBalancer takes its listeners along.
func (s *Service) deleteBalancer(physical string) error {
	s.mu.Lock()
	b := s.balancers[physical]
	if b != nil && b.protected {
		s.mu.Unlock()
		return wire.Errorf("OperationNotPermitted", "Load balancer '%s' cannot be deleted because deletion protection is enabled", physical)
	}
	var open []*socket
	if b != nil {
		delete(s.balancers, physical)
		s.servers.Vacate(b.fullName())
		open = append(open, b.claim)
		for _, l := range s.listeners {
			if l.balancer == b {
				open = append(open, s.forget(l))
			}
		}
	}
	s.mu.Unlock()
	for _, socket := range open {
		socket.shut()
	}
	return nil
}

// balancerStable is the state active.
func (s *Service) balancerStable(physical string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.balancers[physical]
	return b == nil || b.state(time.Now()) == "active", nil
}

func (b *balancer) state(now time.Time) string {
	if now.Before(b.active) {
		return "provisioning"
	}
	return "active"
}
