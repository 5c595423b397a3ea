package ec2

import (
	"context"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// groupFilters are the filters of DescribeSecurityGroups besides those of tags.
var groupFilters = []string{"group-id", "group-name", "vpc-id"}

type rangeXML struct {
	CIDR        string `xml:"cidrIp"`
	Description string `xml:"description,omitempty"`
}

type peerXML struct {
	Group       string `xml:"groupId"`
	Owner       string `xml:"userId"`
	Description string `xml:"description,omitempty"`
}

type permissionXML struct {
	Protocol string     `xml:"ipProtocol"`
	From     *int       `xml:"fromPort"`
	To       *int       `xml:"toPort"`
	Ranges   []rangeXML `xml:"ipRanges>item"`
	Peers    []peerXML  `xml:"groups>item"`
}

type securityGroupXML struct {
	ID          string          `xml:"groupId"`
	ARN         string          `xml:"securityGroupArn"`
	Name        string          `xml:"groupName"`
	Description string          `xml:"groupDescription"`
	Owner       string          `xml:"ownerId"`
	VPC         string          `xml:"vpcId"`
	Ingress     []permissionXML `xml:"ipPermissions>item"`
	Egress      []permissionXML `xml:"ipPermissionsEgress>item"`
	Tags        []tagXML        `xml:"tagSet>item"`
}

type describeGroupsAnswer struct {
	Groups    []securityGroupXML `xml:"securityGroupInfo>item"`
	NextToken string             `xml:"nextToken,omitempty"`
}

// describeGroups shows every rule as a permission of its own; AWS puts rules
// of equal ports together.
func (s *Service) describeGroups(_ context.Context, _ *wire.Call, d describe) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	about := func(g *group) (*entity, func(string) string) {
		return &g.entity, func(name string) string {
			return map[string]string{"group-id": g.id, "group-name": g.name, "vpc-id": g.vpc.id}[name]
		}
	}
	page, next, err := listed(d, s.network.groups, about, noGroup)
	if err != nil {
		return nil, err
	}
	out := describeGroupsAnswer{NextToken: next}
	for _, g := range page {
		out.Groups = append(out.Groups, securityGroupXML{g.id, s.world.ARN("ec2", "security-group/"+g.id), g.name, g.description,
			s.world.Account, g.vpc.id, s.permissions(g.ingress), s.permissions(g.egress), tagsXML(g.tags)})
	}
	return out, nil
}

func (s *Service) permissions(rules []rule) []permissionXML {
	var all []permissionXML
	for _, r := range rules {
		x := permissionXML{Protocol: r.protocol}
		if r.protocol != "-1" {
			x.From, x.To = &r.from, &r.to
		}
		if r.peer != "" {
			x.Peers = []peerXML{{r.peer, s.world.Account, r.description}}
		} else {
			x.Ranges = []rangeXML{{r.cidr, r.description}}
		}
		all = append(all, x)
	}
	return all
}
