package ec2_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/ec2"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

func TestRefusedNetworks(t *testing.T) {
	t.Parallel()
	rules := func(pairs ...any) []any {
		rule := map[string]any{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
		for n := 0; n < len(pairs); n += 2 {
			rule[pairs[n].(string)] = pairs[n+1]
		}
		return []any{rule}
	}
	group := func(ingress []any) func(network) props {
		return func(n network) props {
			return props{"VpcId": n.vpc, "GroupDescription": "web", "SecurityGroupIngress": ingress}
		}
	}
	subnet := func(cidr, zone string) func(network) props {
		return func(n network) props { return props{"VpcId": n.vpc, "CidrBlock": cidr, "AvailabilityZone": zone} }
	}
	for name, test := range map[string]struct {
		kind  string
		props func(network) props
		code  string
		names string
	}{
		"network too large":      {"VPC", func(network) props { return props{"CidrBlock": "10.0.0.0/15"} }, "InvalidVpc.Range", "10.0.0.0/15"},
		"network too small":      {"VPC", func(network) props { return props{"CidrBlock": "10.0.0.0/29"} }, "InvalidVpc.Range", "10.0.0.0/29"},
		"no range":               {"VPC", func(network) props { return props{"CidrBlock": "10.0.0.0"} }, "InvalidParameterValue", "10.0.0.0"},
		"reserved tag":           {"VPC", func(network) props { return props{"CidrBlock": "10.0.0.0/16", "Tags": tags("aws:x", "1")} }, "InvalidParameterValue", "aws:"},
		"subnet outside":         {"Subnet", subnet("10.21.0.0/24", "eu-west-1a"), "InvalidSubnet.Range", "10.21.0.0/24"},
		"subnet around":          {"Subnet", subnet("10.0.0.0/8", "eu-west-1a"), "InvalidSubnet.Range", "10.0.0.0/8"},
		"subnet twice":           {"Subnet", subnet("10.20.0.0/24", "eu-west-1a"), "InvalidSubnet.Conflict", "10.20.0.0/24"},
		"subnet across":          {"Subnet", subnet("10.20.0.128/25", "eu-west-1a"), "InvalidSubnet.Conflict", "10.20.0.128/25"},
		"subnet in no zone":      {"Subnet", subnet("10.20.9.0/24", "eu-west-1z"), "InvalidParameterValue", "eu-west-1z"},
		"subnet of no network":   {"Subnet", func(network) props { return props{"VpcId": "vpc-1", "CidrBlock": "10.20.9.0/24"} }, "InvalidVpcID.NotFound", "vpc-1"},
		"gateway attached twice": {"VPCGatewayAttachment", func(n network) props { return props{"VpcId": n.vpc, "InternetGatewayId": n.gateway} }, "Resource.AlreadyAssociated", "already attached"},
		"gateway of nothing":     {"VPCGatewayAttachment", func(n network) props { return props{"VpcId": n.vpc, "InternetGatewayId": "igw-1"} }, "InvalidInternetGatewayID.NotFound", "igw-1"},
		"route twice": {"Route", func(n network) props {
			return props{"RouteTableId": n.table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": n.gateway}
		}, "RouteAlreadyExists", "0.0.0.0/0"},
		"route over the network": {"Route", func(n network) props {
			return props{"RouteTableId": n.table, "DestinationCidrBlock": "10.20.0.0/16", "GatewayId": n.gateway}
		}, "RouteAlreadyExists", "10.20.0.0/16"},
		"route to nowhere": {"Route", func(n network) props { return props{"RouteTableId": n.table, "DestinationCidrBlock": "10.0.0.0/8"} }, "InvalidParameterCombination", "target"},
		"route to no NAT": {"Route", func(n network) props {
			return props{"RouteTableId": n.table, "DestinationCidrBlock": "10.0.0.0/8", "NatGatewayId": "nat-1"}
		}, "InvalidNatGatewayID.NotFound", "nat-1"},
		"route to no gateway": {"Route", func(n network) props {
			return props{"RouteTableId": n.table, "DestinationCidrBlock": "10.0.0.0/8", "GatewayId": "igw-1"}
		}, "InvalidGatewayID.NotFound", "igw-1"},
		"second table":        {"SubnetRouteTableAssociation", func(n network) props { return props{"RouteTableId": n.table, "SubnetId": n.subnet} }, "Resource.AlreadyAssociated", "rtb-"},
		"no table":            {"SubnetRouteTableAssociation", func(n network) props { return props{"RouteTableId": "rtb-1", "SubnetId": n.subnet} }, "InvalidRouteTableID.NotFound", "rtb-1"},
		"endpoint of nothing": {"VPCEndpoint", func(n network) props { return props{"VpcId": n.vpc, "ServiceName": "com.amazonaws.us-east-1.s3"} }, "InvalidServiceName", "us-east-1"},
		"NAT without address": {"NatGateway", func(n network) props { return props{"SubnetId": n.subnet, "AllocationId": "eipalloc-1"} }, "InvalidAllocationID.NotFound", "eipalloc-1"},
		"group with a dash":   {"SecurityGroup", func(n network) props { return props{"VpcId": n.vpc, "GroupDescription": "web — staging"} }, "InvalidParameterValue", "ASCII"},
		"rule for nobody":     {"SecurityGroup", group(rules()), "InvalidParameterCombination", "range"},
		"rule for both":       {"SecurityGroup", group(rules("CidrIp", "0.0.0.0/0", "SourceSecurityGroupId", "sg-1")), "InvalidParameterCombination", "range"},
		"rule for no range":   {"SecurityGroup", group(rules("CidrIp", "0.0.0.0")), "InvalidParameterValue", "malformed"},
		"rule for no group":   {"SecurityGroup", group(rules("SourceSecurityGroupId", "sg-1")), "InvalidGroup.NotFound", "sg-1"},
		"rule of no protocol": {"SecurityGroup", group(rules("CidrIp", "0.0.0.0/0", "IpProtocol", "http")), "InvalidParameterValue", "http"},
		"rule without ports":  {"SecurityGroup", group(rules("CidrIp", "0.0.0.0/0", "FromPort", 81)), "InvalidParameterValue", "81"},
		"rule twice":          {"SecurityGroup", group(append(rules("CidrIp", "0.0.0.0/0"), rules("CidrIp", "0.0.0.0/0")...)), "InvalidPermission.Duplicate", "0.0.0.0/0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newStack(t, world.Timing{})
			_, err := k.try(test.kind, test.props(k.network()))
			wantCode(t, err, test.code, test.names)
		})
	}
}

func TestPropertiesAreKnownToTheirEnd(t *testing.T) {
	t.Parallel()
	k := newStack(t, world.Timing{})
	n := k.network()
	for kind, p := range map[string]props{
		"SecurityGroup": {"VpcId": n.vpc, "GroupDescription": "web", "SecurityGroupIngress": []any{map[string]any{"IpProtocol": "-1", "SourcePrefixListId": "pl-1"}}},
		"VPC":           {"CidrBlock": []any{}},
		"Subnet":        {"VpcId": n.vpc},
	} {
		if _, err := k.try(kind, p); err == nil {
			t.Errorf("%s was made of %v", kind, p)
		}
	}
}

func TestDeletesInTheWrongOrder(t *testing.T) {
	t.Parallel()
	k := newStack(t, world.Timing{})
	n := k.network()
	peer := k.add("SecurityGroup", props{"VpcId": n.vpc, "GroupDescription": "peers", "SecurityGroupIngress": []any{
		map[string]any{"IpProtocol": "tcp", "FromPort": 8000, "ToPort": 8000, "SourceSecurityGroupId": n.group}}})
	endpoint := k.add("VPCEndpoint", props{"VpcId": n.vpc, "ServiceName": "com.amazonaws.eu-west-1.s3", "RouteTableIds": []any{n.table}, "VpcEndpointType": "Gateway"})
	_, err := k.try("VPCEndpoint", props{"VpcId": n.vpc, "ServiceName": "com.amazonaws.eu-west-1.s3", "RouteTableIds": []any{n.table}})
	wantCode(t, err, "RouteAlreadyExists", n.table)
	other := k.add("VPCEndpoint", props{"VpcId": n.vpc, "ServiceName": "com.amazonaws.eu-west-1.dynamodb"})
	if _, err := k.ec2.Occupy("balancer", ec2.Place{Subnets: []string{n.subnet}, Groups: []string{n.group}, Public: true}); err != nil {
		t.Fatal(err)
	}
	refused := func(kind, id, text string) {
		t.Helper()
		wantCode(t, k.remove(kind, id), "DependencyViolation", text)
	}
	refused("InternetGateway", n.gateway, "The internetGateway '"+n.gateway+"' has dependencies")
	refused("VPCGatewayAttachment", n.attachment, "Network "+n.vpc+" has some mapped public address(es)")
	refused("Subnet", n.subnet, "The subnet '"+n.subnet+"' has dependencies")
	refused("RouteTable", n.table, "The routeTable '"+n.table+"' has dependencies")
	refused("SecurityGroup", n.group, "resource "+n.group+" has a dependent object")
	k.ec2.Vacate("balancer")
	refused("SecurityGroup", n.group, "resource "+n.group+" has a dependent object") // of the peer's rule

	k.removed("SecurityGroup", peer)
	k.removed("SecurityGroup", n.group)
	k.removed("SubnetRouteTableAssociation", n.association)
	for _, step := range [][2]string{{"VPCEndpoint", endpoint}, {"VPCEndpoint", other}, {"Subnet", n.subnet}, {"Route", n.route}, {"RouteTable", n.table}, {"VPCGatewayAttachment", n.attachment}} {
		refused("VPC", n.vpc, "The vpc '"+n.vpc+"' has dependencies")
		k.removed(step[0], step[1])
	}
	k.removed("VPC", n.vpc)
	k.removed("InternetGateway", n.gateway)
}

func TestGatewayOfAnotherNetwork(t *testing.T) {
	t.Parallel()
	k := newStack(t, world.Timing{})
	n := k.network()
	vpc := k.add("VPC", props{"CidrBlock": "10.30.0.0/16"})
	table := k.add("RouteTable", props{"VpcId": vpc})
	loose := k.add("InternetGateway", props{"Tags": tags("Name", "loose")})
	for _, gateway := range []string{n.gateway, loose} { // attached elsewhere, and not at all
		_, err := k.try("Route", props{"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway})
		wantCode(t, err, "InvalidParameterValue", table, gateway, "different networks")
	}
	_, err := k.try("VPCGatewayAttachment", props{"VpcId": n.vpc, "InternetGatewayId": loose})
	wantCode(t, err, "InvalidParameterValue", "already has an internet gateway")
	_, err = k.try("SubnetRouteTableAssociation", props{"RouteTableId": table, "SubnetId": n.subnet})
	wantCode(t, err, "InvalidParameterValue", "different networks")
	narrow := k.add("VPC", props{"CidrBlock": "10.40.0.0/24"})
	_, err = k.try("Subnet", props{"VpcId": narrow, "CidrBlock": "10.40.0.0/16"})
	wantCode(t, err, "InvalidSubnet.Range", "10.40.0.0/16")
	_, err = k.ec2.Occupy("balancer", ec2.Place{Subnets: []string{n.subnet, k.add("Subnet", props{"VpcId": vpc, "CidrBlock": "10.30.0.0/24"})}, Groups: []string{n.group}})
	wantCode(t, err, "InvalidParameter", "different networks")
	for _, subnet := range []string{n.subnet, k.add("Subnet", props{"VpcId": n.vpc, "CidrBlock": "10.20.7.0/24"})} {
		if got, err := k.ec2.Occupy("balancer", ec2.Place{Subnets: []string{subnet}}); got != n.vpc || err != nil {
			t.Errorf("occupied %s, %v", got, err)
		}
	}
	k.removed("Subnet", n.subnet)       // the second occupation stands for the first
	k.removed("SecurityGroup", n.group) // the one that failed holds nothing
}

func TestSubnetIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newStack(t, world.Timing{})
		n := k.network()
		small := k.add("Subnet", props{"VpcId": n.vpc, "CidrBlock": "10.20.1.0/28"})
		template := k.template(map[string]any{})
		var last string
		for range 16 - 5 - 1 {
			id, err := k.ec2.Launch(ec2.FromTemplate{Template: template, Version: "1", Subnet: small})
			if err != nil {
				t.Fatal(err)
			}
			last = id
		}
		if _, err := k.ec2.Occupy("balancer", ec2.Place{Subnets: []string{small}}); err != nil {
			t.Fatal(err)
		}
		launch := func() error {
			_, err := k.ec2.Launch(ec2.FromTemplate{Template: template, Version: "1", Subnet: small})
			return err
		}
		wantCode(t, launch(), "InsufficientFreeAddressesInSubnet", small)
		if err := k.ec2.Terminate(last); err != nil {
			t.Fatal(err)
		}
		k.await(last, "terminated")
		if err := launch(); err != nil {
			t.Errorf("after the end of an instance: %v", err)
		}
	})
}

func TestAddressesAndNATGateways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newStack(t, world.CloudLike())
		n := k.network()
		var addresses, allocations []string
		for range 5 {
			made, err := k.try("EIP", props{"Domain": "vpc"})
			if err != nil {
				t.Fatal(err)
			}
			addresses, allocations = append(addresses, made.Physical), append(allocations, fmt.Sprint(made.Attributes["AllocationId"]))
		}
		_, err := k.try("EIP", props{})
		wantCode(t, err, "AddressLimitExceeded")

		stable := k.types["NatGateway"].Stable
		nat := k.add("NatGateway", props{"SubnetId": n.subnet, "AllocationId": allocations[0]})
		if done, err := stable(nat); done || err != nil {
			t.Errorf("a fresh NAT gateway: %t, %v", done, err)
		}
		pause(2 * time.Minute)
		if done, err := stable(nat); !done || err != nil {
			t.Errorf("after its time: %t, %v", done, err)
		}
		k.add("Route", props{"RouteTableId": n.table, "DestinationCidrBlock": "10.0.0.0/8", "NatGatewayId": nat})
		wantCode(t, k.remove("EIP", addresses[0]), "InvalidIPAddress.InUse", addresses[0])
		wantCode(t, k.remove("VPCGatewayAttachment", n.attachment), "DependencyViolation")

		twice := k.add("NatGateway", props{"SubnetId": n.subnet, "AllocationId": allocations[0]})
		vpc := k.add("VPC", props{"CidrBlock": "10.30.0.0/16"})
		lonely := k.add("NatGateway", props{"SubnetId": k.add("Subnet", props{"VpcId": vpc, "CidrBlock": "10.30.0.0/24"}), "AllocationId": allocations[1]})
		pause(2 * time.Minute)
		_, err = stable(twice)
		wantCode(t, err, "Resource.AlreadyAssociated", allocations[0])
		_, err = stable(lonely)
		wantCode(t, err, "Gateway.NotAttached", vpc)

		for _, id := range []string{nat, twice, lonely} {
			k.removed("NatGateway", id)
		}
		if done, _ := stable(nat); done {
			t.Error("it is gone at once")
		}
		wantCode(t, k.remove("Subnet", n.subnet), "DependencyViolation")
		pause(2 * time.Minute)
		if done, err := stable(nat); !done || err != nil {
			t.Errorf("after its end: %t, %v", done, err)
		}
		k.removed("EIP", addresses[0])
		k.removed("Subnet", n.subnet)
	})
}

func TestChangesInPlace(t *testing.T) {
	t.Parallel()
	k := newStack(t, world.Timing{})
	n := k.network()
	other := k.add("RouteTable", props{"VpcId": n.vpc})
	update := func(kind, physical string, p props) {
		t.Helper()
		made, err := k.types[kind].Update(request(kind, p), nil, physical)
		if err != nil || made.Physical != physical {
			t.Errorf("%s: %+v, %v", kind, made, err)
		}
	}
	update("VPC", n.vpc, props{"CidrBlock": "10.20.0.0/16", "Tags": tags("Name", "new")})
	update("Subnet", n.subnet, props{"VpcId": n.vpc, "CidrBlock": "10.20.0.0/24"})
	update("SubnetRouteTableAssociation", n.association, props{"SubnetId": n.subnet, "RouteTableId": other})
	update("SecurityGroup", n.group, props{"VpcId": n.vpc, "GroupDescription": "servers"})
	update("Route", n.route, props{"RouteTableId": n.table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": n.gateway})
	update("InternetGateway", n.gateway, props{"Tags": tags("Name", "new")})
	update("RouteTable", n.table, props{"VpcId": n.vpc, "Tags": tags("Name", "new")})
	k.removed("RouteTable", n.table) // its subnet has moved
	wantCode(t, k.remove("RouteTable", other), "DependencyViolation")
	_, err := k.types["SecurityGroup"].Update(request("SecurityGroup", props{"VpcId": n.vpc, "GroupDescription": "servers", "SecurityGroupEgress": []any{
		map[string]any{"IpProtocol": "-1", "DestinationSecurityGroupId": "sg-1"}}}), nil, n.group)
	wantCode(t, err, "InvalidGroup.NotFound", "sg-1")
}
