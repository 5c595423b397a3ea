package ec2

import (
	"net/netip"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// routeTable says where traffic of its subnets goes.
type routeTable struct {
	entity
	vpc    *vpc
	routes map[netip.Prefix]string // destination to the id of a gateway

	// associations are the subnets that use the table, by association.
	associations map[string]*subnet
}

// makeTable makes a table with the one route that every table has: the
// network itself. The lock is held.
func (s *Service) makeTable(v *vpc, tags world.Tags) *routeTable {
	t := &routeTable{entity: s.register("rtb", tags), vpc: v, routes: map[netip.Prefix]string{v.cidr: "local"}, associations: map[string]*subnet{}}
	s.network.tables[t.id] = t
	s.resources[t.id] = &t.entity
	return t
}

// deleteTable refuses as long as a subnet uses the table. The lock is held.
func (s *Service) deleteTable(id string) *wire.Error {
	t := s.network.tables[id]
	if t != nil && (len(t.associations) > 0 || t.vpc.main == t) {
		return dependent("routeTable", id)
	}
	delete(s.network.tables, id)
	delete(s.resources, id)
	return nil
}

// routeTo is one route.
type routeTo struct{ table, destination, gateway, nat string }

// resolve finds the table, the destination and the target of a route. The
// lock is held.
func (s *Service) resolve(r routeTo) (*routeTable, netip.Prefix, *wire.Error) {
	none := netip.Prefix{}
	t, failure := s.network.table(r.table)
	if failure != nil {
		return nil, none, failure
	}
	to, failure := parseCIDR(r.destination)
	if failure != nil {
		return nil, none, failure
	}
	switch {
	case (r.gateway == "") == (r.nat == ""):
		return nil, none, wire.Errorf("InvalidParameterCombination", "A route needs one target, a gateway or a NAT gateway.")
	case r.gateway != "":
		failure = s.network.reachable(t, r.gateway)
	default:
		failure = s.network.translates(t, r.nat, time.Now())
	}
	return t, to, failure
}

// reachable refuses a gateway that is not attached to the table's network.
func (n *network) reachable(t *routeTable, id string) *wire.Error {
	g := n.gateways[id]
	switch {
	case g == nil:
		return wire.Errorf("InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", id)
	case g.vpc != t.vpc:
		return wire.Errorf("InvalidParameterValue", "route table %s and network gateway %s belong to different networks", t.id, id)
	}
	return nil
}

// translates refuses a NAT gateway that is not there or in another network.
func (n *network) translates(t *routeTable, id string, now time.Time) *wire.Error {
	g := n.nats[id]
	switch {
	case g == nil || !g.nic.live(now):
		return wire.Errorf("InvalidNatGatewayID.NotFound", "The natGateway ID '%s' does not exist", id)
	case g.nic.subnet.vpc != t.vpc:
		return wire.Errorf("InvalidParameterValue", "route table %s and NAT gateway %s belong to different networks", t.id, id)
	}
	return nil
}

// makeRoute adds a route to a table that has none to the same destination.
// The lock is held.
func (s *Service) makeRoute(r routeTo) *wire.Error {
	t, to, failure := s.resolve(r)
	if failure != nil {
		return failure
	}
	if t.routes[to] != "" {
		return wire.Errorf("RouteAlreadyExists", "The route identified by %s already exists.", to)
	}
	t.routes[to] = r.gateway + r.nat
	return nil
}

// associate lets a subnet use a table. The lock is held.
func (s *Service) associate(tableID, subnetID string) (string, *wire.Error) {
	t, failure := s.network.table(tableID)
	if failure != nil {
		return "", failure
	}
	where, failure := s.network.subnet(subnetID)
	switch {
	case failure != nil:
		return "", failure
	case where.vpc != t.vpc:
		return "", wire.Errorf("InvalidParameterValue", "Route table %s and subnet %s belong to different networks", t.id, where.id)
	case where.table != nil:
		return "", wire.Errorf("Resource.AlreadyAssociated", "the specified association for route table %s conflicts with an existing association", t.id)
	}
	id := s.world.ID("rtbassoc")
	t.associations[id], where.table = where, t
	return id, nil
}

// reassociate gives the subnet of an association another table. The lock is
// held.
func (s *Service) reassociate(association, tableID string) (string, *wire.Error) {
	t, failure := s.network.table(tableID)
	if failure != nil {
		return "", failure
	}
	old, where := s.network.association(association)
	switch {
	case where == nil:
		return "", wire.Errorf("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", association)
	case where.vpc != t.vpc:
		return "", wire.Errorf("InvalidParameterValue", "Route table %s and subnet %s belong to different networks", t.id, where.id)
	}
	delete(old.associations, association)
	t.associations[association], where.table = where, t
	return association, nil
}

// association finds an association; nil when there is none.
func (n *network) association(id string) (*routeTable, *subnet) {
	for _, t := range n.tables {
		if where := t.associations[id]; where != nil {
			return t, where
		}
	}
	return nil, nil
}

// disassociate brings a subnet back to the main table. The lock is held.
func (s *Service) disassociate(association string) {
	if t, where := s.network.association(association); where != nil {
		delete(t.associations, association)
		where.table = nil
	}
}
