package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// Tags that CloudFormation puts on what it makes; nobody else can.
const (
	tagStack   = "aws:cloudformation:stack-id"
	tagLogical = "aws:cloudformation:logical-id"
)

// group is an Auto Scaling group of the stack. During an update a role has two of them.
type group struct {
	Name    string
	Logical string // id in the template
	Role    string
	Max     int
	Desired int
	Servers []string // instance ids
	Made    time.Time
	Going   bool // it is being deleted
}

// groups are all groups that a stack has made and that are still there, the oldest first:
// its own, the old ones while an update goes on, and those that should be gone.
func (d *deployer) groups(ctx context.Context, stackID string) ([]group, error) {
	var all []group
	pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(d.asg, &autoscaling.DescribeAutoScalingGroupsInput{
		Filters: []types.Filter{{Name: aws.String("tag:" + tagStack), Values: []string{stackID}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("the groups of servers cannot be looked up: %w", err)
		}
		for _, g := range page.AutoScalingGroups {
			all = append(all, d.groupOf(g))
		}
	}
	slices.SortStableFunc(all, func(a, b group) int { return a.Made.Compare(b.Made) })
	return all, nil
}

func (d *deployer) groupOf(g types.AutoScalingGroup) group {
	out := group{
		Name: aws.ToString(g.AutoScalingGroupName), Max: int(aws.ToInt32(g.MaxSize)), Desired: int(aws.ToInt32(g.DesiredCapacity)),
		Made: aws.ToTime(g.CreatedTime), Going: aws.ToString(g.Status) != "",
	}
	for _, t := range g.Tags {
		if aws.ToString(t.Key) == tagLogical {
			out.Logical = aws.ToString(t.Value)
		}
	}
	out.Role = out.Logical
	for _, r := range d.file.Roles {
		if r.Group() == out.Logical {
			out.Role = r.Name
		}
	}
	for _, i := range g.Instances {
		out.Servers = append(out.Servers, aws.ToString(i.InstanceId))
	}
	return out
}

// sizes are the sizes to start the new groups with: those that scaling has reached,
// within what the file allows. A role without a group starts at its minimum.
func (d *deployer) sizes(groups []group, physical map[string]string) map[string]int {
	sizes := map[string]int{}
	for _, role := range d.file.Roles {
		sizes[role.Name] = role.Min
		for _, g := range groups {
			if g.Name == physical[role.Group()] {
				sizes[role.Name] = role.Clamp(g.Desired)
			}
		}
	}
	return sizes
}
