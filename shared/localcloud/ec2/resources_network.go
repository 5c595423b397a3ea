package ec2

import (
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

func (s *Service) networkTypes() []resource.Type {
	return []resource.Type{s.vpcType(), s.subnetType(), s.gatewayType(), s.attachmentType(), s.groupType()}
}

// vpcOf is what a network shall be like.
type vpcOf struct {
	cidr                     string
	dnsSupport, dnsHostnames bool
}

func (s *Service) vpcType() resource.Type {
	decode := func(p *resource.Reader) vpcOf {
		return vpcOf{p.Need("CidrBlock"), p.Bool("EnableDnsSupport", true), p.Bool("EnableDnsHostnames", false)}
	}
	settle := func(v *vpc, o order[vpcOf]) resource.Made {
		v.tags, v.dnsSupport, v.dnsHostnames = o.tags, o.in.dnsSupport, o.in.dnsHostnames
		return resource.Made{Physical: v.id, Attributes: map[string]any{
			"VpcId": v.id, "CidrBlock": v.cidr.String(), "DefaultSecurityGroup": v.group.id}}
	}
	return resource.Type{
		Name: "AWS::EC2::VPC", Properties: []string{"CidrBlock", "EnableDnsSupport", "EnableDnsHostnames", "Tags"},
		Immutable: []string{"CidrBlock"}, Attributes: []string{"VpcId", "CidrBlock", "DefaultSecurityGroup"},
		Create: creating(s, decode, func(o order[vpcOf]) (resource.Made, *wire.Error) {
			v, failure := s.makeVPC(o.in.cidr, nil)
			if failure != nil {
				return resource.Made{}, failure
			}
			return settle(v, o), nil
		}),
		Update: updating(s, decode, func(o order[vpcOf]) (resource.Made, *wire.Error) {
			v, failure := s.network.vpc(o.physical)
			if failure != nil {
				return resource.Made{}, failure
			}
			return settle(v, o), nil
		}),
		Delete: deleting(s, s.deleteVPC),
	}
}

func (s *Service) subnetType() resource.Type {
	decode := func(p *resource.Reader) subnetOf {
		return subnetOf{p.Need("VpcId"), p.Need("CidrBlock"), p.String("AvailabilityZone"), p.Bool("MapPublicIpOnLaunch", false)}
	}
	settle := func(n *subnet, o order[subnetOf]) resource.Made {
		n.tags, n.public = o.tags, o.in.public
		return resource.Made{Physical: n.id, Attributes: map[string]any{
			"SubnetId": n.id, "VpcId": n.vpc.id, "AvailabilityZone": n.zone, "CidrBlock": n.cidr.String()}}
	}
	return resource.Type{
		Name: "AWS::EC2::Subnet", Properties: []string{"VpcId", "CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch", "Tags"},
		Immutable:  []string{"VpcId", "CidrBlock", "AvailabilityZone"},
		Attributes: []string{"SubnetId", "VpcId", "AvailabilityZone", "CidrBlock"},
		Create: creating(s, decode, func(o order[subnetOf]) (resource.Made, *wire.Error) {
			n, failure := s.makeSubnet(o.in, nil)
			if failure != nil {
				return resource.Made{}, failure
			}
			return settle(n, o), nil
		}),
		Update: updating(s, decode, func(o order[subnetOf]) (resource.Made, *wire.Error) {
			n, failure := s.network.subnet(o.physical)
			if failure != nil {
				return resource.Made{}, failure
			}
			return settle(n, o), nil
		}),
		Delete: deleting(s, s.deleteSubnet),
	}
}

// nothing is the decoder of a type that has only tags.
func nothing(*resource.Reader) struct{} { return struct{}{} }

func (s *Service) gatewayType() resource.Type {
	made := func(g *gateway) resource.Made {
		return resource.Made{Physical: g.id, Attributes: map[string]any{"InternetGatewayId": g.id}}
	}
	return resource.Type{
		Name: "AWS::EC2::InternetGateway", Properties: []string{"Tags"}, Attributes: []string{"InternetGatewayId"},
		Create: creating(s, nothing, func(o order[struct{}]) (resource.Made, *wire.Error) {
			return made(s.makeGateway(o.tags)), nil
		}),
		Update: updating(s, nothing, func(o order[struct{}]) (resource.Made, *wire.Error) {
			g, failure := s.network.gateway(o.physical)
			if failure != nil {
				return resource.Made{}, failure
			}
			g.tags = o.tags
			return made(g), nil
		}),
		Delete: deleting(s, s.deleteGateway),
	}
}

// attachmentPrefix is what the id of an attachment has before the network's.
const attachmentPrefix = "IGW|"

type attachmentOf struct{ vpc, gateway string }

func (s *Service) attachmentType() resource.Type {
	decode := func(p *resource.Reader) attachmentOf {
		return attachmentOf{p.Need("VpcId"), p.Need("InternetGatewayId")}
	}
	attach := func(o order[attachmentOf]) (resource.Made, *wire.Error) {
		return resource.Made{Physical: attachmentPrefix + o.in.vpc, Attributes: map[string]any{"AttachmentType": "IGW"}},
			s.attach(o.in.gateway, o.in.vpc)
	}
	return resource.Type{
		Name: "AWS::EC2::VPCGatewayAttachment", Properties: []string{"VpcId", "InternetGatewayId"},
		Immutable: []string{"VpcId"}, Attributes: []string{"AttachmentType"},
		Create: creating(s, decode, attach),
		Update: updating(s, decode, func(o order[attachmentOf]) (resource.Made, *wire.Error) {
			if failure := s.detach(o.in.vpc); failure != nil {
				return resource.Made{}, failure
			}
			return attach(o)
		}),
		Delete: deleting(s, func(id string) *wire.Error { return s.detach(strings.TrimPrefix(id, attachmentPrefix)) }),
	}
}

func (s *Service) groupType() resource.Type {
	made := func(g *group) resource.Made {
		return resource.Made{Physical: g.id, Attributes: map[string]any{"GroupId": g.id, "VpcId": g.vpc.id}}
	}
	return resource.Type{
		Name:       "AWS::EC2::SecurityGroup",
		Properties: []string{"GroupDescription", "VpcId", "SecurityGroupIngress", "SecurityGroupEgress", "Tags"},
		Immutable:  []string{"GroupDescription", "VpcId"}, Attributes: []string{"GroupId", "VpcId"},
		Create: creating(s, decodeGroup, func(o order[groupOf]) (resource.Made, *wire.Error) {
			v, failure := s.network.check(o.in)
			if failure != nil {
				return resource.Made{}, failure
			}
			o.in.name = s.generated(o.Request)
			return made(s.makeGroup(v, o.in, o.tags)), nil
		}),
		Update: updating(s, decodeGroup, func(o order[groupOf]) (resource.Made, *wire.Error) {
			g, failure := s.network.group(o.physical)
			if failure == nil {
				_, failure = s.network.check(o.in)
			}
			if failure != nil {
				return resource.Made{}, failure
			}
			g.tags = o.tags
			g.setRules(o.in)
			return made(g), nil
		}),
		Delete: deleting(s, s.deleteGroup),
	}
}

func decodeGroup(p *resource.Reader) groupOf {
	o := groupOf{vpc: p.Need("VpcId"), description: p.Need("GroupDescription")}
	for _, r := range p.List("SecurityGroupIngress") {
		o.ingress = append(o.ingress, decodeRule(r, "SourceSecurityGroupId"))
	}
	for _, r := range p.List("SecurityGroupEgress") {
		o.egress = append(o.egress, decodeRule(r, "DestinationSecurityGroupId"))
	}
	return o
}

func decodeRule(p *resource.Reader, peer string) rule {
	return rule{
		protocol: p.Need("IpProtocol"), from: p.Int("FromPort", -1), to: p.Int("ToPort", -1),
		cidr: p.String("CidrIp") + p.String("CidrIpv6"), peer: p.String(peer), description: p.String("Description"),
	}
}
