package ec2

import (
	"context"
	"slices"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// The filters of the calls of this file besides those of tags.
var (
	vpcFilters    = []string{"vpc-id", "cidr", "state"}
	subnetFilters = []string{"vpc-id", "subnet-id", "availability-zone", "state"}
	zoneFilters   = []string{"zone-name", "state"}
)

// listed is one page of what a describe call asks for: found by id, filtered
// by tags and values, in the order of creation. Unlike instances and images,
// nothing of a network is hidden while it is fresh: it comes from templates,
// whose engine waits until it can be seen. The lock is held.
func listed[T any](d describe, all map[string]T, about func(T) (*entity, func(string) string), missing func(string) *wire.Error) ([]T, string, error) {
	for _, id := range d.ids {
		if _, ok := all[id]; !ok {
			return nil, "", missing(id)
		}
	}
	ordinal := func(one T) int64 { r, _ := about(one); return r.ordinal }
	found := slices.DeleteFunc(byOrdinal(all, ordinal), func(one T) bool {
		r, values := about(one)
		return len(d.ids) > 0 && !slices.Contains(d.ids, r.id) || !d.matches(r.tags, values)
	})
	return wire.Page(found, ordinal, d.limit, d.token)
}

type vpcXML struct {
	ID      string   `xml:"vpcId"`
	Owner   string   `xml:"ownerId"`
	State   string   `xml:"state"`
	CIDR    string   `xml:"cidrBlock"`
	Tenancy string   `xml:"instanceTenancy"`
	Default bool     `xml:"isDefault"`
	Tags    []tagXML `xml:"tagSet>item"`
}

type describeVPCsAnswer struct {
	VPCs      []vpcXML `xml:"vpcSet>item"`
	NextToken string   `xml:"nextToken,omitempty"`
}

// describeVPCs: no network is the account's default one.
func (s *Service) describeVPCs(_ context.Context, _ *wire.Call, d describe) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	about := func(v *vpc) (*entity, func(string) string) {
		return &v.entity, func(name string) string {
			return map[string]string{"vpc-id": v.id, "cidr": v.cidr.String(), "state": available}[name]
		}
	}
	page, next, err := listed(d, s.network.vpcs, about, noVPC)
	if err != nil {
		return nil, err
	}
	out := describeVPCsAnswer{NextToken: next}
	for _, v := range page {
		out.VPCs = append(out.VPCs, vpcXML{v.id, s.world.Account, available, v.cidr.String(), "default", false, tagsXML(v.tags)})
	}
	return out, nil
}

type subnetXML struct {
	ID      string   `xml:"subnetId"`
	ARN     string   `xml:"subnetArn"`
	Owner   string   `xml:"ownerId"`
	State   string   `xml:"state"`
	VPC     string   `xml:"vpcId"`
	CIDR    string   `xml:"cidrBlock"`
	Free    int      `xml:"availableIpAddressCount"`
	Zone    string   `xml:"availabilityZone"`
	Default bool     `xml:"defaultForAz"`
	Public  bool     `xml:"mapPublicIpOnLaunch"`
	Tags    []tagXML `xml:"tagSet>item"`
}

type describeSubnetsAnswer struct {
	Subnets   []subnetXML `xml:"subnetSet>item"`
	NextToken string      `xml:"nextToken,omitempty"`
}

func (s *Service) describeSubnets(_ context.Context, _ *wire.Call, d describe) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	about := func(n *subnet) (*entity, func(string) string) {
		return &n.entity, func(name string) string {
			return map[string]string{"vpc-id": n.vpc.id, "subnet-id": n.id, "availability-zone": n.zone, "state": available}[name]
		}
	}
	page, next, err := listed(d, s.network.subnets, about, noSubnet)
	if err != nil {
		return nil, err
	}
	out, now := describeSubnetsAnswer{NextToken: next}, time.Now()
	for _, n := range page {
		out.Subnets = append(out.Subnets, subnetXML{n.id, s.world.ARN("ec2", "subnet/"+n.id), s.world.Account, available,
			n.vpc.id, n.cidr.String(), s.network.free(n, now), n.zone, false, n.public, tagsXML(n.tags)})
	}
	return out, nil
}

type zoneXML struct {
	Name   string `xml:"zoneName"`
	State  string `xml:"zoneState"`
	Region string `xml:"regionName"`
	Type   string `xml:"zoneType"`
	OptIn  string `xml:"optInStatus"`
}

type describeZonesAnswer struct {
	Zones []zoneXML `xml:"availabilityZoneInfo>item"`
}

// describeZones has no pages: a region has a handful of zones, here three.
func (s *Service) describeZones(_ context.Context, _ *wire.Call, d describe) (any, error) {
	for _, name := range d.ids {
		if !slices.Contains(s.Zones(), name) {
			return nil, wire.Errorf("InvalidParameterValue", "Invalid availability zone: [%s]", name)
		}
	}
	var out describeZonesAnswer
	for _, name := range s.Zones() {
		values := func(filter string) string { return map[string]string{"zone-name": name, "state": available}[filter] }
		if len(d.ids) > 0 && !slices.Contains(d.ids, name) || !d.matches(nil, values) {
			continue
		}
		out.Zones = append(out.Zones, zoneXML{name, available, s.world.Region, "availability-zone", "opt-in-not-required"})
	}
	return out, nil
}
