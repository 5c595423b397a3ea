package localcloud

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/ec2"
	"bitbucket.org/fearless/pipes/shared/localcloud/s3"
)

// Instances are all instances, those included that were terminated within the
// last hour.
func (c *Cloud) Instances() []ec2.Instance { return c.ec2.Instances() }

// Images are the account's own images, whatever their state.
func (c *Cloud) Images() []ec2.Image { return c.ec2.Images() }

// Snapshots are the account's own snapshots.
func (c *Cloud) Snapshots() []ec2.Snapshot { return c.ec2.Snapshots() }

// Objects are the objects of a bucket by key.
func (c *Cloud) Objects(bucket string) map[string]s3.Object { return c.s3.Objects(bucket) }

// Leftovers names everything of the account that somebody pays for, and
// schedules, a line each, without the lines that contain one of keep: what a
// run leaves behind besides what it was asked to make.
func (c *Cloud) Leftovers(keep ...string) []string {
	var lines []string
	for _, i := range c.Instances() {
		if i.State != "terminated" && i.State != "shutting-down" {
			lines = append(lines, fmt.Sprintf("instance %s %s", i.ID, i.State))
		}
	}
	for _, m := range c.Images() {
		lines = append(lines, fmt.Sprintf("image %s %s %s", m.ID, m.State, m.Name))
	}
	for _, n := range c.Snapshots() {
		lines = append(lines, fmt.Sprintf("snapshot %s of %s", n.ID, n.Image))
	}
	for _, arn := range c.elb.Balancers() {
		lines = append(lines, "load balancer "+arn)
	}
	for _, x := range c.Schedules() {
		lines = append(lines, fmt.Sprintf("schedule %s/%s", x.Group, x.Name))
	}
	for _, key := range slices.Sorted(maps.Keys(c.Objects(c.Bucket()))) {
		lines = append(lines, fmt.Sprintf("object s3://%s/%s", c.Bucket(), key))
	}
	return slices.DeleteFunc(lines, func(line string) bool {
		return slices.ContainsFunc(keep, func(k string) bool { return strings.Contains(line, k) })
	})
}
