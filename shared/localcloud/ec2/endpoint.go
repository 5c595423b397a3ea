package ec2

import (
	"slices"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// endpoint is a gateway endpoint: a way to a service that needs no internet.
type endpoint struct {
	entity
	vpc     *vpc
	service string
	tables  []*routeTable
}

// endpointOf is what an endpoint shall be like.
type endpointOf struct {
	vpc, service string
	tables       []string
}

// gatewayServices are the services that have gateway endpoints.
var gatewayServices = []string{"s3", "dynamodb"}

// makeEndpoint makes an endpoint. The lock is held.
func (s *Service) makeEndpoint(o endpointOf, tags world.Tags) (*endpoint, *wire.Error) {
	v, failure := s.network.vpc(o.vpc)
	if failure != nil {
		return nil, failure
	}
	if !slices.ContainsFunc(gatewayServices, func(name string) bool { return o.service == "com.amazonaws."+s.world.Region+"."+name }) {
		return nil, wire.Errorf("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", o.service)
	}
	e := &endpoint{vpc: v, service: o.service}
	if failure := s.route(e, o.tables); failure != nil {
		return nil, failure
	}
	e.entity = s.register("vpce", tags)
	s.network.endpoints[e.id] = e
	s.resources[e.id] = &e.entity
	return e, nil
}

// route gives an endpoint its tables, of which none may lead to the service
// already. The lock is held.
func (s *Service) route(e *endpoint, ids []string) *wire.Error {
	var tables []*routeTable
	for _, id := range ids {
		t, failure := s.network.table(id)
		switch {
		case failure != nil:
			return failure
		case t.vpc != e.vpc:
			return wire.Errorf("InvalidParameter", "Route table %s and the endpoint belong to different networks.", id)
		}
		for _, other := range s.network.endpoints {
			if other != e && other.service == e.service && slices.Contains(other.tables, t) {
				return wire.Errorf("RouteAlreadyExists", "route table %s already has a route to %s", id, e.service)
			}
		}
		tables = append(tables, t)
	}
	e.tables = tables
	return nil
}
