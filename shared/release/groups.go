package release

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

// Group is an Auto Scaling group of the stack. During an update a role has two of them.
type Group struct {
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
func (o *Operator) groups(ctx context.Context, stackID string) ([]Group, error) {
	var all []Group
	pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(o.ASG, &autoscaling.DescribeAutoScalingGroupsInput{
		Filters: []types.Filter{{Name: aws.String("tag:" + tagStack), Values: []string{stackID}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("the groups of servers cannot be looked up: %w", err)
		}
		for _, g := range page.AutoScalingGroups {
			all = append(all, o.groupOf(g))
		}
	}
	slices.SortStableFunc(all, func(a, b Group) int { return a.Made.Compare(b.Made) })
	return all, nil
}

func (o *Operator) groupOf(g types.AutoScalingGroup) Group {
	out := Group{
		Name: aws.ToString(g.AutoScalingGroupName), Max: int(aws.ToInt32(g.MaxSize)), Desired: int(aws.ToInt32(g.DesiredCapacity)),
		Made: aws.ToTime(g.CreatedTime), Going: aws.ToString(g.Status) != "",
	}
	for _, t := range g.Tags {
		if aws.ToString(t.Key) == tagLogical {
			out.Logical = aws.ToString(t.Value)
		}
	}
	out.Role = out.Logical
	for _, r := range o.Roles {
		if r.Group == out.Logical {
			out.Role = r.Name
		}
	}
	for _, i := range g.Instances {
		out.Servers = append(out.Servers, aws.ToString(i.InstanceId))
	}
	return out
}
