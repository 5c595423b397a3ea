package ec2

import (
	"net/netip"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// vpc is a network of the account. Its own group and its main route table
// come and go with it.
type vpc struct {
	entity
	cidr  netip.Prefix
	group *group
	main  *routeTable

	dnsSupport, dnsHostnames bool
}

// AddVPC makes a network and gives its id.
func (s *Service) AddVPC(cidr string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, failure := s.makeVPC(cidr, nil)
	if failure != nil {
		return "", failure
	}
	return v.id, nil
}

// makeVPC makes a network. The lock is held.
func (s *Service) makeVPC(cidr string, tags world.Tags) (*vpc, *wire.Error) {
	block, failure := parseCIDR(cidr)
	switch {
	case failure != nil:
		return nil, failure
	case !sized(block):
		return nil, wire.Errorf("InvalidVpc.Range", "The CIDR '%s' is invalid.", cidr)
	}
	v := &vpc{entity: s.register("vpc", tags), cidr: block, dnsSupport: true}
	v.main = s.makeTable(v, nil)
	v.group = s.makeGroup(v, groupOf{name: "default", description: "default VPC security group"}, nil)
	s.network.vpcs[v.id] = v
	s.resources[v.id] = &v.entity
	return v, nil
}

// deleteVPC refuses as long as anything but the network's own things is in
// it. The lock is held.
func (s *Service) deleteVPC(id string) *wire.Error {
	v := s.network.vpcs[id]
	if v == nil {
		return nil
	}
	if s.network.populated(v, time.Now()) {
		return dependent("vpc", id)
	}
	for _, own := range []string{id, v.group.id, v.main.id} {
		delete(s.resources, own)
	}
	delete(s.network.vpcs, id)
	delete(s.network.groups, v.group.id)
	delete(s.network.tables, v.main.id)
	return nil
}

// populated reports whether a network holds more than its own group and table.
func (n *network) populated(v *vpc, now time.Time) bool {
	for _, one := range n.subnets {
		if one.vpc == v {
			return true
		}
	}
	for _, g := range n.groups {
		if g.vpc == v && g != v.group {
			return true
		}
	}
	for _, t := range n.tables {
		if t.vpc == v && t != v.main {
			return true
		}
	}
	for _, e := range n.endpoints {
		if e.vpc == v {
			return true
		}
	}
	for _, nic := range n.interfaces {
		if nic.subnet.vpc == v && nic.live(now) {
			return true
		}
	}
	return n.gatewayOf(v) != nil
}
