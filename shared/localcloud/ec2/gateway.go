package ec2

import (
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// gateway is an internet gateway.
type gateway struct {
	entity
	vpc *vpc // nil while it is attached to none
}

// makeGateway makes a gateway that is attached to nothing. The lock is held.
func (s *Service) makeGateway(tags world.Tags) *gateway {
	g := &gateway{entity: s.register("igw", tags)}
	s.network.gateways[g.id] = g
	s.resources[g.id] = &g.entity
	return g
}

// gatewayOf is the gateway of a network, nil when it has none.
func (n *network) gatewayOf(v *vpc) *gateway {
	for _, g := range n.gateways {
		if g.vpc == v {
			return g
		}
	}
	return nil
}

// attach connects a gateway and a network, of which each can have one of the
// other. The lock is held.
func (s *Service) attach(gatewayID, vpcID string) *wire.Error {
	g, failure := s.network.gateway(gatewayID)
	if failure != nil {
		return failure
	}
	v, failure := s.network.vpc(vpcID)
	switch {
	case failure != nil:
		return failure
	case g.vpc != nil:
		return wire.Errorf("Resource.AlreadyAssociated", "resource %s is already attached to network %s", g.id, g.vpc.id)
	case s.network.gatewayOf(v) != nil:
		return wire.Errorf("InvalidParameterValue", "Network %s already has an internet gateway attached", v.id)
	}
	g.vpc = v
	return nil
}

// detach refuses as long as something in the network has a public address.
// Routes to the gateway stay and lead nowhere. The lock is held.
func (s *Service) detach(vpcID string) *wire.Error {
	v := s.network.vpcs[vpcID]
	if v == nil {
		return nil
	}
	g := s.network.gatewayOf(v)
	if g == nil {
		return nil
	}
	now := time.Now()
	for _, nic := range s.network.interfaces {
		if nic.subnet.vpc == v && nic.live(now) && nic.mapped(now) {
			return wire.Errorf("DependencyViolation", "Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", v.id)
		}
	}
	g.vpc = nil
	return nil
}

// mapped reports whether the interface has a public address.
func (n *networkInterface) mapped(now time.Time) bool {
	if n.instance != nil {
		return n.instance.publicAddress(n.instance.stateAt(now)) != ""
	}
	return n.public
}

// deleteGateway refuses a gateway that is attached. The lock is held.
func (s *Service) deleteGateway(id string) *wire.Error {
	if g := s.network.gateways[id]; g != nil && g.vpc != nil {
		return dependent("internetGateway", id)
	}
	delete(s.network.gateways, id)
	delete(s.resources, id)
	return nil
}
