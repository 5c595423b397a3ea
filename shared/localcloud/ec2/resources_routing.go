package ec2

import (
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

func (s *Service) routingTypes() []resource.Type {
	return []resource.Type{s.tableType(), s.routeType(), s.associationType(), s.endpointType(), s.addressType(), s.natType()}
}

func (s *Service) tableType() resource.Type {
	decode := func(p *resource.Reader) string { return p.Need("VpcId") }
	made := func(t *routeTable) resource.Made {
		return resource.Made{Physical: t.id, Attributes: map[string]any{"RouteTableId": t.id}}
	}
	return resource.Type{
		Name: "AWS::EC2::RouteTable", Properties: []string{"VpcId", "Tags"},
		Immutable: []string{"VpcId"}, Attributes: []string{"RouteTableId"},
		Create: creating(s, decode, func(o order[string]) (resource.Made, *wire.Error) {
			v, failure := s.network.vpc(o.in)
			if failure != nil {
				return resource.Made{}, failure
			}
			return made(s.makeTable(v, o.tags)), nil
		}),
		Update: updating(s, decode, func(o order[string]) (resource.Made, *wire.Error) {
			t, failure := s.network.table(o.physical)
			if failure != nil {
				return resource.Made{}, failure
			}
			t.tags = o.tags
			return made(t), nil
		}),
		Delete: deleting(s, s.deleteTable),
	}
}

func (s *Service) routeType() resource.Type {
	decode := func(p *resource.Reader) routeTo {
		return routeTo{p.Need("RouteTableId"), p.Need("DestinationCidrBlock"), p.String("GatewayId"), p.String("NatGatewayId")}
	}
	return resource.Type{
		Name: "AWS::EC2::Route", Properties: []string{"RouteTableId", "DestinationCidrBlock", "GatewayId", "NatGatewayId"},
		Immutable: []string{"RouteTableId", "DestinationCidrBlock"}, Attributes: []string{"CidrBlock"},
		Create: creating(s, decode, func(o order[routeTo]) (resource.Made, *wire.Error) {
			id := o.in.table + "|" + o.in.destination
			return resource.Made{Physical: id, Attributes: map[string]any{"CidrBlock": o.in.destination}}, s.makeRoute(o.in)
		}),
		Update: updating(s, decode, func(o order[routeTo]) (resource.Made, *wire.Error) {
			t, to, failure := s.resolve(o.in)
			if failure != nil {
				return resource.Made{}, failure
			}
			t.routes[to] = o.in.gateway + o.in.nat
			return resource.Made{Physical: o.physical, Attributes: map[string]any{"CidrBlock": o.in.destination}}, nil
		}),
		Delete: deleting(s, func(id string) *wire.Error {
			table, destination, _ := strings.Cut(id, "|")
			if t := s.network.tables[table]; t != nil {
				if to, failure := parseCIDR(destination); failure == nil {
					delete(t.routes, to)
				}
			}
			return nil
		}),
	}
}

type associationOf struct{ table, subnet string }

func (s *Service) associationType() resource.Type {
	decode := func(p *resource.Reader) associationOf {
		return associationOf{p.Need("RouteTableId"), p.Need("SubnetId")}
	}
	made := func(id string, failure *wire.Error) (resource.Made, *wire.Error) {
		return resource.Made{Physical: id, Attributes: map[string]any{"Id": id}}, failure
	}
	return resource.Type{
		Name: "AWS::EC2::SubnetRouteTableAssociation", Properties: []string{"RouteTableId", "SubnetId"},
		Immutable: []string{"SubnetId"}, Attributes: []string{"Id"},
		Create: creating(s, decode, func(o order[associationOf]) (resource.Made, *wire.Error) {
			return made(s.associate(o.in.table, o.in.subnet))
		}),
		Update: updating(s, decode, func(o order[associationOf]) (resource.Made, *wire.Error) {
			return made(s.reassociate(o.physical, o.in.table))
		}),
		Delete: deleting(s, func(id string) *wire.Error { s.disassociate(id); return nil }),
	}
}

func (s *Service) endpointType() resource.Type {
	decode := func(p *resource.Reader) endpointOf {
		p.OneOf("VpcEndpointType", "Gateway")
		return endpointOf{p.Need("VpcId"), p.Need("ServiceName"), p.Strings("RouteTableIds")}
	}
	made := func(e *endpoint) resource.Made {
		return resource.Made{Physical: e.id, Attributes: map[string]any{"Id": e.id}}
	}
	return resource.Type{
		Name: "AWS::EC2::VPCEndpoint", Properties: []string{"VpcId", "ServiceName", "RouteTableIds", "VpcEndpointType"},
		Immutable: []string{"VpcId", "ServiceName", "VpcEndpointType"}, Attributes: []string{"Id"},
		Create: creating(s, decode, func(o order[endpointOf]) (resource.Made, *wire.Error) {
			e, failure := s.makeEndpoint(o.in, o.tags)
			if failure != nil {
				return resource.Made{}, failure
			}
			return made(e), nil
		}),
		Update: updating(s, decode, func(o order[endpointOf]) (resource.Made, *wire.Error) {
			e := s.network.endpoints[o.physical]
			if e == nil {
				return resource.Made{}, lost("endpoint", o.physical)
			}
			e.tags = o.tags
			return made(e), s.route(e, o.in.tables)
		}),
		Delete: deleting(s, func(id string) *wire.Error {
			delete(s.network.endpoints, id)
			delete(s.resources, id)
			return nil
		}),
	}
}

func (s *Service) addressType() resource.Type {
	decode := func(p *resource.Reader) string { return p.OneOf("Domain", "vpc") }
	made := func(a *address) resource.Made {
		return resource.Made{Physical: a.public, Attributes: map[string]any{"AllocationId": a.id, "PublicIp": a.public}}
	}
	return resource.Type{
		Name: "AWS::EC2::EIP", Properties: []string{"Domain", "Tags"}, Attributes: []string{"AllocationId", "PublicIp"},
		Create: creating(s, decode, func(o order[string]) (resource.Made, *wire.Error) {
			a, failure := s.allocate(o.tags)
			if failure != nil {
				return resource.Made{}, failure
			}
			return made(a), nil
		}),
		Update: updating(s, decode, func(o order[string]) (resource.Made, *wire.Error) {
			for _, a := range s.network.addresses {
				if a.public == o.physical {
					a.tags = o.tags
					return made(a), nil
				}
			}
			return resource.Made{}, lost("address", o.physical)
		}),
		Delete: deleting(s, s.release),
	}
}

type natOf struct{ subnet, allocation string }

func (s *Service) natType() resource.Type {
	decode := func(p *resource.Reader) natOf { return natOf{p.Need("SubnetId"), p.Need("AllocationId")} }
	made := func(g *nat) resource.Made {
		return resource.Made{Physical: g.id, Attributes: map[string]any{"NatGatewayId": g.id}}
	}
	return resource.Type{
		Name: "AWS::EC2::NatGateway", Properties: []string{"SubnetId", "AllocationId", "Tags"},
		Immutable: []string{"SubnetId", "AllocationId"}, Attributes: []string{"NatGatewayId"},
		Create: creating(s, decode, func(o order[natOf]) (resource.Made, *wire.Error) {
			g, failure := s.makeNAT(o.in.subnet, o.in.allocation, o.tags)
			if failure != nil {
				return resource.Made{}, failure
			}
			return made(g), nil
		}),
		Update: updating(s, decode, func(o order[natOf]) (resource.Made, *wire.Error) {
			g := s.network.nats[o.physical]
			if g == nil {
				return resource.Made{}, lost("NAT gateway", o.physical)
			}
			g.tags = o.tags
			return made(g), nil
		}),
		Delete: deleting(s, func(id string) *wire.Error { s.deleteNAT(id); return nil }),
		Stable: stable(s, s.natStable),
	}
}
