package environment

import (
	"fmt"
)

// Logical ids of the network.
const (
	idVPC        = "Vpc"
	idGateway    = "InternetGateway"
	idAttachment = "InternetGatewayAttachment"
)

func (f *File) baseNetwork(t *Template) site {
	var s site
	if u := f.Network.Use; u != nil {
		s.vpc = t.one(OutputVPC, "The network that is used", u.VPC)
		s.subnets = t.many(OutputSubnets, "Where servers go", u.Subnets)
		s.balancerSubnets = s.subnets
		if texts(u.BalancerSubnets) != texts(u.Subnets) {
			s.balancerSubnets = t.many(OutputBalancerSubnets, "Where the balancer goes", u.BalancerSubnets)
		}
	} else {
		s = f.newNetwork(t, *f.Network.Create)
	}
	t.output(OutputVPC, "The network", s.vpc)
	t.output(OutputSubnets, "Where servers go", join(s.subnets))
	t.output(OutputBalancerSubnets, "Where the balancer goes", join(s.balancerSubnets))
	return s
}

// newNetwork is public subnets for the balancer, and private ones for the
// servers unless they have public addresses themselves.
func (f *File) newNetwork(t *Template, n NewNetwork) site {
	t.add(idVPC, resource{Type: "AWS::EC2::VPC", Properties: object{
		"CidrBlock": n.CIDR.String(), "EnableDnsSupport": true, "EnableDnsHostnames": true, "Tags": f.named("network"),
	}})
	t.add(idGateway, resource{Type: "AWS::EC2::InternetGateway", Properties: object{"Tags": f.named("network")}})
	t.add(idAttachment, resource{Type: "AWS::EC2::VPCGatewayAttachment", Properties: object{
		"VpcId": ref(idVPC), "InternetGatewayId": ref(idGateway),
	}})
	f.routes(t, "PublicRoutes", "public")
	t.add("PublicDefaultRoute", defaultRoute("PublicRoutes", "GatewayId", idGateway, idAttachment))
	tables := []any{ref("PublicRoutes")}
	for zone := range n.Zones {
		id := fmt.Sprintf("PublicSubnet%d", zone+1)
		f.subnet(t, id, n, firstPublic, zone)
		t.add(id+"Routes", association(id, "PublicRoutes"))
	}
	s := site{vpc: ref(idVPC), subnets: refs("PublicSubnet%d", n.Zones), balancerSubnets: refs("PublicSubnet%d", n.Zones), gateway: idAttachment}
	if n.Egress != EgressPublic {
		s.subnets = refs("PrivateSubnet%d", n.Zones)
		tables = append(tables, f.privateNetwork(t, n)...)
	}
	// Free, and servers read and write the bucket without it being counted as
	// traffic of a NAT gateway.
	t.add("BucketEndpoint", resource{Type: "AWS::EC2::VPCEndpoint", Properties: object{
		"VpcId": ref(idVPC), "ServiceName": sub("com.amazonaws.${AWS::Region}.s3"),
		"VpcEndpointType": "Gateway", "RouteTableIds": tables,
	}})
	return s
}

// privateNetwork has a route table per zone whatever the number of NAT
// gateways, so that going from one to several replaces no subnet's routes.
func (f *File) privateNetwork(t *Template, n NewNetwork) (tables []any) {
	gateways := 1
	if n.Egress == EgressNATPerZone {
		gateways = n.Zones
	}
	for i := 1; i <= gateways; i++ {
		address, nat := fmt.Sprintf("NatAddress%d", i), fmt.Sprintf("Nat%d", i)
		t.add(address, resource{Type: "AWS::EC2::EIP", DependsOn: []string{idAttachment}, Properties: object{
			"Domain": "vpc", "Tags": f.named(fmt.Sprintf("nat %d", i)),
		}})
		t.add(nat, resource{Type: "AWS::EC2::NatGateway", Properties: object{
			"SubnetId": ref(fmt.Sprintf("PublicSubnet%d", i)), "AllocationId": attribute(address, "AllocationId"),
			"Tags": f.named(fmt.Sprintf("nat %d", i)),
		}})
	}
	for zone := range n.Zones {
		routes, subnet := fmt.Sprintf("PrivateRoutes%d", zone+1), fmt.Sprintf("PrivateSubnet%d", zone+1)
		f.routes(t, routes, fmt.Sprintf("private %d", zone+1))
		t.add(fmt.Sprintf("PrivateDefaultRoute%d", zone+1),
			defaultRoute(routes, "NatGatewayId", fmt.Sprintf("Nat%d", min(zone+1, gateways)), ""))
		f.subnet(t, subnet, n, firstPrivate, zone)
		t.add(subnet+"Routes", association(subnet, routes))
		tables = append(tables, ref(routes))
	}
	return tables
}

func (f *File) subnet(t *Template, id string, n NewNetwork, first, zone int) {
	name := fmt.Sprintf("public %d", zone+1)
	if first == firstPrivate {
		name = fmt.Sprintf("private %d", zone+1)
	}
	t.add(id, resource{Type: "AWS::EC2::Subnet", Properties: object{
		"VpcId": ref(idVPC), "CidrBlock": n.shelf(first + zone).String(),
		"AvailabilityZone":    choose(zone, object{"Fn::GetAZs": ""}),
		"MapPublicIpOnLaunch": first == firstPublic && n.Egress == EgressPublic,
		"Tags":                f.named(name),
	}})
}

func (f *File) routes(t *Template, id, name string) {
	t.add(id, resource{Type: "AWS::EC2::RouteTable", Properties: object{"VpcId": ref(idVPC), "Tags": f.named(name)}})
}

func defaultRoute(table, through, target, after string) resource {
	r := resource{Type: "AWS::EC2::Route", Properties: object{
		"RouteTableId": ref(table), "DestinationCidrBlock": "0.0.0.0/0", through: ref(target),
	}}
	if after != "" {
		r.DependsOn = []string{after}
	}
	return r
}

func association(subnet, table string) resource {
	return resource{Type: "AWS::EC2::SubnetRouteTableAssociation", Properties: object{
		"SubnetId": ref(subnet), "RouteTableId": ref(table),
	}}
}
