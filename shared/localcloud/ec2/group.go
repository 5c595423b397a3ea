package ec2

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Group is a security group as others see it.
type Group struct{ ID, VPC, Name string }

// group is a security group. Its rules are kept and shown, not enforced.
type group struct {
	entity
	vpc               *vpc
	name, description string
	ingress, egress   []rule
}

// groupOf is what a group shall be like.
type groupOf struct {
	vpc, name, description string
	ingress, egress        []rule
}

// rule is one permission. Exactly one of cidr and peer says who.
type rule struct {
	protocol    string
	from, to    int // -1 where the protocol has no ports
	cidr, peer  string
	description string
}

// everything is what a group without egress rules of its own lets out.
var everything = rule{protocol: "-1", from: -1, to: -1, cidr: "0.0.0.0/0"}

// AddGroup makes a security group without ingress rules.
func (s *Service) AddGroup(vpc, name string) (Group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, failure := s.network.vpc(vpc)
	if failure != nil {
		return Group{}, failure
	}
	g := s.makeGroup(v, groupOf{name: name, description: name}, nil)
	return Group{g.id, v.id, g.name}, nil
}

// makeGroup makes a group whose rules have been checked. The lock is held.
func (s *Service) makeGroup(v *vpc, o groupOf, tags world.Tags) *group {
	g := &group{entity: s.register("sg", tags), vpc: v, name: o.name, description: o.description}
	g.setRules(o)
	s.network.groups[g.id] = g
	s.resources[g.id] = &g.entity
	return g
}

func (g *group) setRules(o groupOf) {
	g.ingress, g.egress = o.ingress, o.egress
	if len(g.egress) == 0 {
		g.egress = []rule{everything}
	}
}

// groupTexts are the characters of a description. A dash that an editor made
// longer is the mistake that people make.
var groupTexts = regexp.MustCompile(`^[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}$`)

// check looks at what a group shall be like, inside its network. The lock is
// held.
func (n *network) check(o groupOf) (*vpc, *wire.Error) {
	v, failure := n.vpc(o.vpc)
	switch {
	case failure != nil:
		return nil, failure
	case !groupTexts.MatchString(o.description):
		return nil, wire.Errorf("InvalidParameterValue", "Value (%s) for parameter GroupDescription is invalid. Character sets beyond ASCII are not supported.", o.description)
	}
	for _, rules := range [][]rule{o.ingress, o.egress} {
		for at, r := range rules {
			if failure := n.checkRule(v, r); failure != nil {
				return nil, failure
			}
			r.description = ""
			if slices.ContainsFunc(rules[:at], func(other rule) bool { other.description = ""; return r == other }) {
				return nil, wire.Errorf("InvalidPermission.Duplicate", "the specified rule %q already exists", r.text())
			}
		}
	}
	return v, nil
}

func (n *network) checkRule(v *vpc, r rule) *wire.Error {
	if (r.cidr == "") == (r.peer == "") {
		return wire.Errorf("InvalidParameterCombination", "A rule names either an address range or a security group.")
	}
	if r.peer != "" {
		switch peer, failure := n.group(r.peer); {
		case failure != nil:
			return failure
		case peer.vpc != v:
			return wire.Errorf("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")
		}
	} else if _, err := netip.ParsePrefix(r.cidr); err != nil {
		return wire.Errorf("InvalidParameterValue", "CIDR block %s is malformed", r.cidr)
	}
	switch {
	case !slices.Contains([]string{"-1", "tcp", "udp", "icmp", "icmpv6"}, r.protocol):
		return wire.Errorf("InvalidParameterValue", "Invalid value '%s' for IP protocol. Unknown protocol.", r.protocol)
	case r.protocol == "tcp" || r.protocol == "udp":
		if r.from < 0 || r.to > 65535 || r.from > r.to {
			return wire.Errorf("InvalidParameterValue", "Invalid value for portRange. From port %d and to port %d must be a range within 0 to 65535.", r.from, r.to)
		}
	}
	return nil
}

// text names a rule as EC2 does in its refusals.
func (r rule) text() string {
	return "peer: " + r.cidr + r.peer + ", " + strings.ToUpper(r.protocol) + ", ALLOW"
}

// deleteGroup refuses as long as an interface is in the group or another
// group's rule names it. The lock is held.
func (s *Service) deleteGroup(id string) *wire.Error {
	g := s.network.groups[id]
	switch {
	case g == nil:
		return nil
	case g.vpc.group == g:
		return wire.Errorf("CannotDelete", "the specified group: %q name: %q cannot be deleted by a user", id, g.name)
	case s.network.uses(g, time.Now()), s.network.named(g):
		return wire.Errorf("DependencyViolation", "resource %s has a dependent object", id)
	}
	delete(s.network.groups, id)
	delete(s.resources, id)
	return nil
}

// named reports whether a rule of another group names the group.
func (n *network) named(g *group) bool {
	for _, other := range n.groups {
		names := func(r rule) bool { return r.peer == g.id }
		if other != g && (slices.ContainsFunc(other.ingress, names) || slices.ContainsFunc(other.egress, names)) {
			return true
		}
	}
	return false
}
