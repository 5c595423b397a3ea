package ec2

import "time"

// The load balancer asks the questions of this file for every request, so
// they copy nothing but a word.

// State is the state of an instance, "" when there is none.
func (s *Service) State(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, failure := s.known(id)
	if failure != nil {
		return ""
	}
	return i.stateAt(time.Now())
}

// PrivateAddress is where an instance can be reached, "" when it is not there.
func (s *Service) PrivateAddress(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, failure := s.known(id)
	if failure != nil || i.stateAt(time.Now()) == terminated {
		return ""
	}
	return i.address
}

// Zone is the availability zone of a subnet, "" when there is none.
func (s *Service) Zone(subnet string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.network.zoneOf(subnet)
}
