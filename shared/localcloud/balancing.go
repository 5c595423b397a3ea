package localcloud

import (
	"context"
	"net"
	"net/http"
	"strconv"

	"bitbucket.org/fearless/pipes/shared/localcloud/autoscaling"
	"bitbucket.org/fearless/pipes/shared/localcloud/ec2"
	"bitbucket.org/fearless/pipes/shared/localcloud/elb"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
)

// Checker answers the health checks of load balancers.
type Checker = elb.Checker

// Check is one health check.
type Check = elb.Check

// balancing makes load balancing: with sockets and checks over HTTP for
// servers that really run, with neither for those that are simulated.
func (c *Cloud) balancing(check Checker) *elb.Service {
	_, unreal := c.machines.(*simulated.Driver)
	if unreal && check == nil {
		check = answers
	}
	return elb.New(c.world, elb.Options{Servers: balanced{c}, Check: check, Sockets: !unreal})
}

// answers is the check of simulated servers of which nothing else is said:
// those that run are healthy, and only those are asked.
func answers(context.Context, elb.Check) (int, error) { return http.StatusOK, nil }

// ListenerURL is where the listener of a load balancer can be reached, "" when
// there is none. Its port is another one where the listener's cannot be had:
// 80 and 443 without being root.
func (c *Cloud) ListenerURL(arn string) string { return c.elb.URL(arn) }

// Listener answers requests as the listener of a load balancer does, within
// the process; nil when there is none.
func (c *Cloud) Listener(arn string) http.Handler { return c.elb.Handler(arn) }

// Targets are the targets of a target group, draining ones too.
func (c *Cloud) Targets(group string) []elb.Target { return c.elb.Targets(group) }

// TriggerPolicy lets a scaling policy ask for another size of its group, as
// its alarm would. No policy acts by itself.
func (c *Cloud) TriggerPolicy(arn string, desired int) error { return c.groups.Trigger(arn, desired) }

// ScalingPolicies are the policies of an Auto Scaling group.
func (c *Cloud) ScalingPolicies(group string) []autoscaling.Policy { return c.groups.Policies(group) }

// LifecycleState is the lifecycle state of an instance in its Auto Scaling
// group, such as InService or Terminating:Wait; "" when it is in none.
func (c *Cloud) LifecycleState(instance string) string { return c.groups.LifecycleState(instance) }

// Ending is how an Auto Scaling group ends its servers: in order, or in two
// ways that AWS does not have and tests must notice.
type Ending = autoscaling.Ending

// The ways.
const (
	EndInOrder    = autoscaling.EndInOrder
	EndUndrained  = autoscaling.EndUndrained
	EndRegistered = autoscaling.EndRegistered
)

// SetEnding changes how a group ends servers from now on.
func (c *Cloud) SetEnding(group string, e Ending) error { return c.groups.SetEnding(group, e) }

// balanced is EC2 as load balancers see it.
type balanced struct{ cloud *Cloud }

// State is the state of an instance.
func (b balanced) State(instance string) string {
	state, _ := scaled(b).State(instance)
	return state
}

// Address is where a port of an instance can be reached. A driver whose
// servers share an address knows better.
func (b balanced) Address(instance string, port int) string {
	if d, ok := b.cloud.machines.(interface {
		Reach(instance string, port int) string
	}); ok {
		if address := d.Reach(instance, port); address != "" {
			return address
		}
	}
	i, _ := b.cloud.ec2.Get(instance) // without one the address is empty, and nothing answers there
	return net.JoinHostPort(i.Address, strconv.Itoa(port))
}

// Zone is the zone of a subnet.
func (b balanced) Zone(subnet string) string { return scaled(b).Zone(subnet) }

// Occupy takes the places of a load balancer in the network.
func (b balanced) Occupy(holder string, subnets, securityGroups []string, public bool) error {
	_, err := b.cloud.ec2.Occupy(holder, ec2.Place{Subnets: subnets, Groups: securityGroups, Public: public})
	return err
}

// Vacate gives them back.
func (b balanced) Vacate(holder string) { b.cloud.ec2.Vacate(holder) }

// scaled is EC2 as Auto Scaling sees it.
type scaled struct{ cloud *Cloud }

// Launch starts a server of a group.
func (s scaled) Launch(l autoscaling.Launch) (string, error) {
	return s.cloud.ec2.Launch(ec2.FromTemplate{Template: l.Template, Version: l.Version, Subnet: l.Subnet, Group: l.Group, Tags: l.Tags})
}

// Terminate ends a server.
func (s scaled) Terminate(instance string) error { return s.cloud.ec2.Terminate(instance) }

// State is the state of a server.
func (s scaled) State(instance string) (state, reason string) {
	i, err := s.cloud.ec2.Get(instance)
	if err != nil {
		return "", err.Error()
	}
	return i.State, i.Reason
}

// Template finds a version of a launch template.
func (s scaled) Template(id, version string) (autoscaling.Template, error) {
	t, err := s.cloud.ec2.Template(id, version)
	return autoscaling.Template{ID: t.ID, Name: t.Name, Version: t.Version, Image: t.Image, Type: t.Type}, err
}

// Zone is the zone of a subnet.
func (s scaled) Zone(subnet string) string {
	n, err := s.cloud.ec2.Subnet(subnet)
	if err != nil {
		return ""
	}
	return n.Zone
}

// SetLifecycleState lets a server see what its group has in mind for it. One
// that is gone need not.
func (s scaled) SetLifecycleState(instance, state string) {
	_ = s.cloud.ec2.SetLifecycleState(instance, state)
}
