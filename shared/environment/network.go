package environment

import (
	"net/netip"
)

// Network is where the servers are: made for them, or somebody else's.
// Default: a new one.
type Network struct {
	Create *NewNetwork
	Use    *UsedNetwork
}

// NewNetwork is a network that the base makes.
type NewNetwork struct {
	// CIDR are the addresses. Default: 10.20.0.0/16.
	CIDR netip.Prefix

	// Zones is how many availability zones it spans. Default: 2.
	Zones int

	// Egress is one of the constants below. Default: public.
	Egress string
}

// How servers reach the internet. There is no way in but through the balancer.
const (
	EgressPublic     = "public"       // servers have public addresses; costs least
	EgressNAT        = "nat"          // one NAT gateway; none when its zone fails
	EgressNATPerZone = "nat-per-zone" // one in every zone
)

// UsedNetwork is a network that exists.
type UsedNetwork struct {
	VPC     Reference
	Subnets []Reference // where servers go; they need a way to AWS's services

	// BalancerSubnets are for a new balancer. Default: Subnets.
	BalancerSubnets []Reference
}

const (
	// shelves is how many equal parts a network has: 4 bits of the address.
	// Public subnets take parts 0 to 2, private ones 8 to 10. The others are
	// free, 4 to 6 and 12 to 14 for what else a base may hold one day.
	shelfBits     = 4
	firstPublic   = 0
	firstPrivate  = 8
	smallest      = 27 // a balancer needs subnets of /27: 8 free addresses beside its own
	largest       = 16 // AWS's limit of a VPC
	defaultZones  = 2
	mostZones     = 3
	defaultSubnet = "10.20.0.0/16"
)

// private are the ranges that nobody on the internet has.
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
}

func (f *File) readNetwork(t table) {
	v, ok := t.get("network")
	if !ok {
		f.Network.Create = readNewNetwork(table{})
		return
	}
	n := v.table("create", "use")
	create, use, ok := n.either()
	switch {
	case !ok:
	case use != nil:
		f.Network.Use = readUsedNetwork(use.table("vpc", "subnets", "balancer_subnets"))
	default:
		f.Network.Create = readNewNetwork(create.table("cidr", "zones", "egress"))
	}
}

// either tells which of create and use is there: one must be, and one only.
func (t table) either() (create, use *value, ok bool) {
	c, creates := t.get("create")
	u, uses := t.get("use")
	switch {
	case t.values == nil:
		return nil, nil, false
	case creates && uses:
		u.at = t.values["use"].at
		u.problemf("there is a create as well, only one of them is possible")
		return nil, nil, false
	case creates:
		return &c, nil, true
	case uses:
		return nil, &u, true
	}
	t.problemf("needs create or use")
	return nil, nil, false
}

func readNewNetwork(t table) *NewNetwork {
	n := &NewNetwork{CIDR: netip.MustParsePrefix(defaultSubnet), Zones: defaultZones, Egress: EgressPublic}
	if v, ok := t.get("cidr"); ok {
		n.CIDR = v.cidr(n.CIDR)
	}
	if v, ok := t.get("zones"); ok {
		n.Zones, _ = v.number(2, mostZones)
	}
	if v, ok := t.get("egress"); ok {
		n.Egress, _ = v.oneOf(EgressPublic, EgressNAT, EgressNATPerZone)
	}
	return n
}

// cidr is a range of addresses that holds the subnets.
func (v value) cidr(otherwise netip.Prefix) netip.Prefix {
	s, ok := v.text()
	if !ok {
		return otherwise
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil || !p.Addr().Is4():
		v.problemf("%q is not a range of addresses such as %s", short(s), defaultSubnet)
	case p != p.Masked():
		v.problemf("%s does not begin at %s, did you mean %s?", s, p.Addr(), p.Masked())
	case p.Bits() < largest:
		v.problemf("%s is too large, AWS allows /%d at most", s, largest)
	case p.Bits()+shelfBits > smallest:
		v.problemf("%s does not hold its subnets: they would be /%d and must be /%d, so give /%d or larger",
			s, p.Bits()+shelfBits, smallest, smallest-shelfBits)
	case !isPrivate(p):
		v.problemf("%s belongs to others on the internet, take a range of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10", s)
	default:
		return p
	}
	return otherwise
}

func isPrivate(p netip.Prefix) bool {
	for _, r := range private {
		if r.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

// shelf is the n-th part of the network.
func (n NewNetwork) shelf(number int) netip.Prefix {
	bits := n.CIDR.Bits() + shelfBits
	a := n.CIDR.Addr().As4()
	base := uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
	base += uint32(number) << (32 - bits)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(base >> 24), byte(base >> 16), byte(base >> 8), byte(base)}), bits)
}

func readUsedNetwork(t table) *UsedNetwork {
	u := &UsedNetwork{}
	if t.values == nil {
		return u
	}
	u.VPC = t.reference("vpc", vpcID)
	if !t.has("subnets") {
		t.problemf("subnets is missing")
	}
	u.Subnets = t.references("subnets", subnetID)
	u.BalancerSubnets = t.references("balancer_subnets", subnetID)
	if !t.has("balancer_subnets") {
		u.BalancerSubnets = u.Subnets
	}
	return u
}
