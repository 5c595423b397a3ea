package ec2

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Subnet is a subnet as others see it.
type Subnet struct{ ID, VPC, Zone string }

// subnet is a part of a network in one zone.
type subnet struct {
	entity
	vpc    *vpc
	zone   string
	cidr   netip.Prefix
	public bool        // MapPublicIpOnLaunch
	table  *routeTable // nil: the network's main table
}

// subnetOf is what a subnet shall be like.
type subnetOf struct {
	vpc, cidr, zone string
	public          bool
}

// reserved are the addresses of every subnet that AWS keeps: the first four
// and the last.
const reserved = 5

// AddSubnet makes a subnet in a zone of the region, such as "a".
func (s *Service) AddSubnet(vpc, cidr, zone string) (Subnet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, failure := s.makeSubnet(subnetOf{vpc: vpc, cidr: cidr, zone: s.world.Region + zone}, nil)
	if failure != nil {
		return Subnet{}, failure
	}
	return n.view(), nil
}

// Subnet finds a subnet.
func (s *Service) Subnet(id string) (Subnet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, failure := s.network.subnet(id)
	if failure != nil {
		return Subnet{}, failure
	}
	return n.view(), nil
}

func (n *subnet) view() Subnet { return Subnet{n.id, n.vpc.id, n.zone} }

// makeSubnet makes a subnet inside its network and beside its neighbours. The
// lock is held.
func (s *Service) makeSubnet(o subnetOf, tags world.Tags) (*subnet, *wire.Error) {
	v, failure := s.network.vpc(o.vpc)
	if failure != nil {
		return nil, failure
	}
	block, failure := parseCIDR(o.cidr)
	if failure != nil {
		return nil, failure
	}
	if o.zone == "" {
		o.zone = s.Zones()[0]
	}
	switch {
	case !slices.Contains(s.Zones(), o.zone):
		return nil, wire.Errorf("InvalidParameterValue", "Value (%s) for parameter availabilityZone is invalid. "+
			"Subnets can currently only be created in the following availability zones: %s.", o.zone, strings.Join(s.Zones(), ", "))
	case !sized(block), !v.cidr.Contains(block.Addr()), block.Bits() < v.cidr.Bits():
		return nil, wire.Errorf("InvalidSubnet.Range", "The CIDR '%s' is invalid.", o.cidr)
	}
	for _, other := range s.network.subnets {
		if other.vpc == v && other.cidr.Overlaps(block) {
			return nil, wire.Errorf("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", o.cidr)
		}
	}
	n := &subnet{entity: s.register("subnet", tags), vpc: v, zone: o.zone, cidr: block, public: o.public}
	s.network.subnets[n.id] = n
	s.resources[n.id] = &n.entity
	return n, nil
}

// zoneOf is the zone of a subnet, "" when there is none.
func (n *network) zoneOf(id string) string {
	if where := n.subnets[id]; where != nil {
		return where.zone
	}
	return ""
}

// free counts the addresses that are left.
func (n *network) free(where *subnet, now time.Time) int {
	left := 1<<(32-where.cidr.Bits()) - reserved
	for _, nic := range n.interfaces {
		if nic.subnet == where && nic.live(now) {
			left--
		}
	}
	return left
}

// deleteSubnet refuses as long as an interface is in it. The lock is held.
func (s *Service) deleteSubnet(id string) *wire.Error {
	for _, nic := range s.network.interfaces {
		if nic.subnet.id == id && nic.live(time.Now()) {
			return dependent("subnet", id)
		}
	}
	delete(s.network.subnets, id)
	delete(s.resources, id)
	return nil
}
