package ec2

import (
	"fmt"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// address is an Elastic IP address, of those that are kept for documentation.
type address struct {
	entity
	public string
	nat    *nat
}

// maxAddresses is the quota of a new account.
const maxAddresses = 5

// nat is a NAT gateway. It fails some time after it was asked for, when
// everybody else has gone on.
type nat struct {
	entity
	nic     *networkInterface
	address *address
	failure *wire.Error
	ready   time.Time
}

// allocate makes an address. The lock is held.
func (s *Service) allocate(tags world.Tags) (*address, *wire.Error) {
	if len(s.network.addresses) >= maxAddresses {
		return nil, wire.Errorf("AddressLimitExceeded", "The maximum number of addresses has been reached.")
	}
	s.network.lent++
	a := &address{entity: s.register("eipalloc", tags), public: fmt.Sprintf("198.51.100.%d", (s.network.lent-1)%254+1)}
	s.network.addresses[a.id] = a
	s.resources[a.id] = &a.entity
	return a, nil
}

// held reports whether a NAT gateway has the address.
func (a *address) held(now time.Time) bool { return a.nat != nil && a.nat.nic.live(now) }

// release gives an address back by its number; it is the one kind of thing
// that a template does not know by its id. The lock is held.
func (s *Service) release(public string) *wire.Error {
	for id, a := range s.network.addresses {
		if a.public != public {
			continue
		}
		if a.held(time.Now()) {
			return wire.Errorf("InvalidIPAddress.InUse", "The address %s is in use.", public)
		}
		delete(s.network.addresses, id)
		delete(s.resources, id)
	}
	return nil
}

// makeNAT begins to make a NAT gateway. The lock is held.
func (s *Service) makeNAT(subnetID, allocation string, tags world.Tags) (*nat, *wire.Error) {
	where, failure := s.network.subnet(subnetID)
	if failure != nil {
		return nil, failure
	}
	a := s.network.addresses[allocation]
	if a == nil {
		return nil, wire.Errorf("InvalidAllocationID.NotFound", "The allocation ID '%s' does not exist", allocation)
	}
	nic, failure := s.connect(where, nil, nil)
	if failure != nil {
		return nil, failure
	}
	g := &nat{entity: s.register("nat", tags), nic: nic, address: a, ready: time.Now().Add(s.timing.Gateway)}
	nic.holder = g.id
	switch {
	case s.network.gatewayOf(where.vpc) == nil:
		g.failure = wire.Errorf("Gateway.NotAttached", "Network %s has no Internet gateway attached", where.vpc.id)
	case a.held(time.Now()):
		g.failure = wire.Errorf("Resource.AlreadyAssociated", "Elastic IP address [%s] is already associated", a.id)
	default:
		a.nat, nic.public = g, true
	}
	s.network.nats[g.id] = g
	s.resources[g.id] = &g.entity
	return g, nil
}

// natStable reports whether a NAT gateway has arrived or gone. The lock is
// held.
func (s *Service) natStable(id string) (bool, *wire.Error) {
	g, now := s.network.nats[id], time.Now()
	switch {
	case g == nil, !g.nic.live(now):
		return true, nil
	case !g.nic.gone.IsZero(), now.Before(g.ready):
		return false, nil
	}
	return true, g.failure
}

// deleteNAT begins to remove a NAT gateway; address and place are free when
// it is gone. The lock is held.
func (s *Service) deleteNAT(id string) {
	if g := s.network.nats[id]; g != nil && g.nic.gone.IsZero() {
		g.nic.gone = time.Now().Add(s.timing.Gateway)
	}
}
