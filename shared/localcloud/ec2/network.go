package ec2

import (
	"net/netip"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// network is what instances are placed in. Nothing of it moves packets: it
// holds the rules by which AWS accepts and refuses changes.
type network struct {
	vpcs       map[string]*vpc
	subnets    map[string]*subnet
	groups     map[string]*group
	gateways   map[string]*gateway
	tables     map[string]*routeTable
	endpoints  map[string]*endpoint
	addresses  map[string]*address // by allocation id
	nats       map[string]*nat
	interfaces map[string]*networkInterface
	lent       int // public addresses ever allocated
}

func newNetwork() network {
	return network{
		vpcs:       map[string]*vpc{},
		subnets:    map[string]*subnet{},
		groups:     map[string]*group{},
		gateways:   map[string]*gateway{},
		tables:     map[string]*routeTable{},
		endpoints:  map[string]*endpoint{},
		addresses:  map[string]*address{},
		nats:       map[string]*nat{},
		interfaces: map[string]*networkInterface{},
	}
}

// zones are the letters of the region's availability zones.
var zones = []string{"a", "b", "c"}

// Zones are the region's availability zones.
func (s *Service) Zones() []string {
	var all []string
	for _, letter := range zones {
		all = append(all, s.world.Region+letter)
	}
	return all
}

// parseCIDR reads an address range. As on AWS, bits behind the prefix are
// cleared instead of complained about.
func parseCIDR(text string) (netip.Prefix, *wire.Error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || !p.Addr().Is4() {
		return p, wire.Errorf("InvalidParameterValue", "Value (%s) for parameter cidrBlock is invalid. This is not a valid CIDR block.", text)
	}
	return p.Masked(), nil
}

// The sizes of networks and subnets.
const (
	largest  = 16
	smallest = 28
)

func sized(p netip.Prefix) bool { return p.Bits() >= largest && p.Bits() <= smallest }

// dependent is the refusal to delete something that others need.
func dependent(kind, id string) *wire.Error {
	return wire.Errorf("DependencyViolation", "The %s '%s' has dependencies and cannot be deleted.", kind, id)
}

// place finds the subnet and the groups of a launch. Without groups it is the
// network's own group. The lock is held.
func (n *network) place(subnetID string, groups []string) (*subnet, []*group, *wire.Error) {
	if subnetID == "" {
		return nil, nil, wire.Errorf("VPCIdNotSpecified", "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.")
	}
	where, failure := n.subnet(subnetID)
	if failure != nil {
		return nil, nil, failure
	}
	var found []*group
	for _, id := range groups {
		g, failure := n.group(id)
		switch {
		case failure != nil:
			return nil, nil, failure
		case g.vpc != where.vpc:
			return nil, nil, wire.Errorf("InvalidParameter", "Security group %s and subnet %s belong to different networks.", id, subnetID)
		}
		found = append(found, g)
	}
	if len(found) == 0 {
		found = []*group{where.vpc.group}
	}
	return where, found, nil
}

func (n *network) vpc(id string) (*vpc, *wire.Error) {
	if v := n.vpcs[id]; v != nil {
		return v, nil
	}
	return nil, noVPC(id)
}

func noVPC(id string) *wire.Error {
	return wire.Errorf("InvalidVpcID.NotFound", "The vpc ID '%s' does not exist", id)
}

func (n *network) subnet(id string) (*subnet, *wire.Error) {
	if found := n.subnets[id]; found != nil {
		return found, nil
	}
	return nil, noSubnet(id)
}

func noSubnet(id string) *wire.Error {
	return wire.Errorf("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", id)
}

func (n *network) group(id string) (*group, *wire.Error) {
	if g := n.groups[id]; g != nil {
		return g, nil
	}
	return nil, noGroup(id)
}

func noGroup(id string) *wire.Error {
	return wire.Errorf("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
}

func (n *network) table(id string) (*routeTable, *wire.Error) {
	if t := n.tables[id]; t != nil {
		return t, nil
	}
	return nil, wire.Errorf("InvalidRouteTableID.NotFound", "The routeTable ID '%s' does not exist", id)
}

func (n *network) gateway(id string) (*gateway, *wire.Error) {
	if g := n.gateways[id]; g != nil {
		return g, nil
	}
	return nil, wire.Errorf("InvalidInternetGatewayID.NotFound", "The internetGateway ID '%s' does not exist", id)
}
