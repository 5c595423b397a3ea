package localcloud

import (
	"slices"

	"bitbucket.org/fearless/pipes/shared/localcloud/cloudformation"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

// types are the resource types of all services that templates may use.
func (c *Cloud) types() []resource.Type {
	return slices.Concat(c.ec2.Types(), c.iam.Types(), c.secrets.Types(), c.ssm.Types(), c.elb.Types(), c.groups.Types())
}

// surroundings are what templates may refer to outside of their stack.
func (c *Cloud) surroundings() cloudformation.Surroundings {
	return cloudformation.Surroundings{
		Parameter: c.ssm.Reference,
		Secret:    c.secrets.Value,
		Object: func(bucket, key string) ([]byte, bool) {
			o, ok := c.s3.Objects(bucket)[key]
			return o.Body, ok
		},
		Takes:    func(role string) bool { return c.iam.Trusts(role, "cloudformation.amazonaws.com") },
		Endpoint: c.Endpoint,
		Zones:    c.ec2.Zones(),
		Groups:   c.groups,
	}
}

// SetAlarm makes a CloudWatch alarm for RollbackConfiguration, or changes its
// state: OK, ALARM, INSUFFICIENT_DATA, or "" to remove it.
func (c *Cloud) SetAlarm(arn, state string) { c.stacks.SetAlarm(arn, state) }

// RefuseDelete lets stacks fail to delete resources with a logical id, so many times.
func (c *Cloud) RefuseDelete(logical, reason string, times int) {
	c.stacks.RefuseDelete(logical, reason, times)
}

// RefuseUpdate lets stacks fail to change resources with a logical id in place, so many
// times, on the way forward and on the way back.
func (c *Cloud) RefuseUpdate(logical, reason string, times int) {
	c.stacks.RefuseUpdate(logical, reason, times)
}

// Stacks are all stacks, deleted ones included, in the order of creation.
func (c *Cloud) Stacks() []cloudformation.Stack { return c.stacks.Stacks() }

// StackEvents are the events of a stack, the oldest first; nil when there is
// no such stack.
func (c *Cloud) StackEvents(nameOrID string) []cloudformation.Event { return c.stacks.Events(nameOrID) }
