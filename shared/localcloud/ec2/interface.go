package ec2

import (
	"slices"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// networkInterface takes an address of a subnet and keeps subnet and groups
// from being deleted, for as long as its holder is there.
type networkInterface struct {
	entity
	subnet   *subnet
	groups   []*group
	holder   string    // who holds it, when it is no instance
	instance *instance // nil until the instance's disk is made
	public   bool      // it has a public address of its own
	gone     time.Time // when its holder left; zero while it is held
}

// live reports whether the interface is still held. That of an instance goes
// when the instance is terminated, and not when it begins to shut down.
func (n *networkInterface) live(now time.Time) bool {
	if n.instance != nil {
		return n.instance.stateAt(now) != terminated
	}
	return n.gone.IsZero() || now.Before(n.gone)
}

// connect makes an interface if the subnet has an address for it. The lock is
// held.
func (s *Service) connect(where *subnet, groups []*group, tags world.Tags) (*networkInterface, *wire.Error) {
	now := time.Now()
	if s.network.free(where, now) < 1 {
		return nil, wire.Errorf("InsufficientFreeAddressesInSubnet",
			"There are not enough free addresses in subnet '%s' to satisfy the requested number of instances.", where.id)
	}
	for id, old := range s.network.interfaces {
		if !old.live(now) {
			delete(s.network.interfaces, id)
		}
	}
	nic := &networkInterface{entity: s.register("eni", tags), subnet: where, groups: groups}
	s.network.interfaces[nic.id] = nic
	return nic, nil
}

// Place is where something that is no instance takes its place in the
// network, such as a load balancer.
type Place struct {
	Subnets, Groups []string
	Public          bool // with public addresses
}

// Occupy takes an address in each subnet for a holder, instead of those that
// the holder had before. Subnets and groups cannot be deleted until Vacate.
// It gives the network's id.
func (s *Service) Occupy(holder string, at Place) (vpc string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var taken []*networkInterface
	undo := func() {
		for _, nic := range taken {
			delete(s.network.interfaces, nic.id)
		}
	}
	for _, id := range at.Subnets {
		where, groups, failure := s.network.place(id, at.Groups)
		if failure == nil {
			var nic *networkInterface
			if nic, failure = s.connect(where, groups, nil); failure == nil {
				nic.public = at.Public
				taken = append(taken, nic)
			}
		}
		if failure != nil {
			undo()
			return "", failure
		}
		vpc = where.vpc.id
	}
	s.vacate(holder)
	for _, nic := range taken {
		nic.holder = holder
	}
	return vpc, nil
}

// Vacate gives back what a holder took with Occupy.
func (s *Service) Vacate(holder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vacate(holder)
}

func (s *Service) vacate(holder string) {
	for id, nic := range s.network.interfaces {
		if nic.holder == holder && nic.instance == nil && holder != "" {
			delete(s.network.interfaces, id)
		}
	}
}

// uses reports whether an interface is in the group.
func (n *network) uses(g *group, now time.Time) bool {
	for _, nic := range n.interfaces {
		if slices.Contains(nic.groups, g) && nic.live(now) {
			return true
		}
	}
	return false
}
