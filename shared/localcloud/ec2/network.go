package ec2

import (
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// network is what instances are placed in.
type network struct {
	subnets  map[string]Subnet
	groups   map[string]Group
	profiles map[string]string // name of an instance profile to its role
}

// Subnet is a subnet.
type Subnet struct{ ID, VPC, Zone string }

// Group is a security group.
type Group struct{ ID, VPC, Name string }

func newNetwork() network {
	return network{subnets: map[string]Subnet{}, groups: map[string]Group{}, profiles: map[string]string{}}
}

// AddVPC makes a network and gives its id.
func (s *Service) AddVPC() string { return s.world.ID("vpc") }

// AddSubnet makes a subnet in a zone of the region, such as "a".
func (s *Service) AddSubnet(vpc, zone string) Subnet {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := Subnet{ID: s.world.ID("subnet"), VPC: vpc, Zone: s.world.Region + zone}
	s.network.subnets[n.ID] = n
	return n
}

// AddGroup makes a security group. Its rules are not modelled.
func (s *Service) AddGroup(vpc, name string) Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := Group{ID: s.world.ID("sg"), VPC: vpc, Name: name}
	s.network.groups[g.ID] = g
	return g
}

// AddProfile makes an instance profile for a role.
func (s *Service) AddProfile(name, role string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.network.profiles[name] = role
}

// place finds the subnet and the groups of a launch.
func (n network) place(subnet string, groups []string) (Subnet, []Group, *wire.Error) {
	if subnet == "" {
		return Subnet{}, nil, wire.Errorf("VPCIdNotSpecified", "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.")
	}
	where, ok := n.subnets[subnet]
	if !ok {
		return Subnet{}, nil, wire.Errorf("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", subnet)
	}
	var found []Group
	for _, id := range groups {
		g, ok := n.groups[id]
		switch {
		case !ok:
			return Subnet{}, nil, wire.Errorf("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
		case g.VPC != where.VPC:
			return Subnet{}, nil, wire.Errorf("InvalidParameter", "Security group %s and subnet %s belong to different networks.", id, subnet)
		}
		found = append(found, g)
	}
	return where, found, nil
}

// profile finds an instance profile by name or ARN.
func (s *Service) profile(name, arn string) (string, *wire.Error) {
	parameter, wanted := "iamInstanceProfile.name", name
	if arn != "" {
		parameter, wanted = "iamInstanceProfile.arn", arn
		path, ok := strings.CutPrefix(arn, s.world.ARN("iam", "instance-profile/"))
		if ok {
			name = path[strings.LastIndex(path, "/")+1:]
		}
	}
	if wanted == "" {
		return "", nil
	}
	if _, ok := s.network.profiles[name]; !ok {
		kind := strings.TrimPrefix(parameter, "iamInstanceProfile.")
		if kind == "arn" {
			kind = "ARN"
		}
		return "", wire.Errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Invalid IAM Instance Profile %s", wanted, parameter, kind)
	}
	return name, nil
}
