package ec2_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/localcloud/ec2"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

type props = resource.Properties

// stack makes resources as the template engine does, one by one.
type stack struct {
	*testing.T
	ec2   *ec2.Service
	types map[string]resource.Type
	image string
}

func newStack(t *testing.T, timing world.Timing) *stack {
	t.Helper()
	return newStackOn(t, timing, simulated.New(func(ctx context.Context, b machine.Boot) {
		if string(b.UserData) != "off" {
			<-ctx.Done()
		}
	}))
}

func newStackOn(t *testing.T, timing world.Timing, machines machine.Driver) *stack {
	t.Helper()
	s := ec2.New(world.New("111122223333", "eu-west-1", timing, 1), machines, ec2.Surroundings{
		Profile: func(name string) (ec2.InstanceProfile, bool) {
			return ec2.InstanceProfile{Name: name, Role: "role", ARN: "arn:" + name}, name == "servers"
		},
		Metadata: func(ec2.Guest) http.Handler { return http.NotFoundHandler() },
	})
	t.Cleanup(func() {
		s.Close()
		if err := machines.Close(); err != nil {
			t.Error(err)
		}
	})
	k := &stack{T: t, ec2: s, types: map[string]resource.Type{}}
	for _, one := range s.Types() {
		k.types[strings.TrimPrefix(one.Name, "AWS::EC2::")] = one
	}
	k.image = s.AddBaseImage(ec2.BaseImage{Name: "base", Owner: "amazon", Architecture: "x86_64", Device: "/dev/xvda", SizeGiB: 8})
	return k
}

// request is a resource as the engine asks for it.
func request(kind string, p props) resource.Request {
	return resource.Request{Stack: "shop", LogicalID: kind, Properties: p, Tags: map[string]string{"aws:cloudformation:logical-id": kind}}
}

func (k *stack) try(kind string, p props) (resource.Made, error) {
	for name := range p {
		known := false
		for _, property := range k.types[kind].Properties {
			known = known || property == name
		}
		if !known {
			return resource.Made{}, fmt.Errorf("the engine would refuse %s of %s", name, kind)
		}
	}
	return k.types[kind].Create(request(kind, p))
}

// add makes a resource and gives its physical id.
func (k *stack) add(kind string, p props) string {
	k.Helper()
	made, err := k.try(kind, p)
	if err != nil {
		k.Fatalf("%s: %v", kind, err)
	}
	for _, name := range k.types[kind].Attributes {
		if made.Attributes[name] == nil {
			k.Errorf("%s has no attribute %s", kind, name)
		}
	}
	return made.Physical
}

func (k *stack) remove(kind, id string) error { return k.types[kind].Delete(id) }

func (k *stack) removed(kind, id string) {
	k.Helper()
	for range 2 { // the second time is no error
		if err := k.remove(kind, id); err != nil {
			k.Fatalf("%s: %v", kind, err)
		}
	}
}

// wantCode checks an error of EC2 and that its text names each part.
func wantCode(t testing.TB, err error, code string, parts ...string) {
	t.Helper()
	var failure *wire.Error
	if !errors.As(err, &failure) {
		t.Fatalf("got %v, want %s", err, code)
	}
	if failure.Code != code {
		t.Errorf("got %v, want %s", failure, code)
	}
	for _, part := range parts {
		if !strings.Contains(failure.Message, part) {
			t.Errorf("%q does not name %q", failure.Message, part)
		}
	}
}

// network is a small network with a way to the internet.
type network struct{ vpc, gateway, attachment, table, route, subnet, association, group string }

func (k *stack) network() network {
	k.Helper()
	var n network
	n.vpc = k.add("VPC", props{"CidrBlock": "10.20.0.0/16", "EnableDnsSupport": true, "EnableDnsHostnames": "true", "Tags": tags("Name", "shop")})
	n.gateway = k.add("InternetGateway", props{})
	n.attachment = k.add("VPCGatewayAttachment", props{"VpcId": n.vpc, "InternetGatewayId": n.gateway})
	n.table = k.add("RouteTable", props{"VpcId": n.vpc})
	n.route = k.add("Route", props{"RouteTableId": n.table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": n.gateway})
	n.subnet = k.add("Subnet", props{"VpcId": n.vpc, "CidrBlock": "10.20.0.0/24", "AvailabilityZone": "eu-west-1b", "MapPublicIpOnLaunch": true})
	n.association = k.add("SubnetRouteTableAssociation", props{"SubnetId": n.subnet, "RouteTableId": n.table})
	n.group = k.add("SecurityGroup", props{"VpcId": n.vpc, "GroupDescription": "servers", "SecurityGroupIngress": []any{
		map[string]any{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "0.0.0.0/0"}}})
	return n
}

func tags(pairs ...string) []any {
	var all []any
	for n := 0; n < len(pairs); n += 2 {
		all = append(all, map[string]any{"Key": pairs[n], "Value": pairs[n+1]})
	}
	return all
}
