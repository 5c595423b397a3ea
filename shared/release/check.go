package release

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/stack"
)

const (
	// settling is how long members of the old group may go on draining after the stack
	// says that it is complete.
	settling = 6 * time.Minute

	// shown is how long a group may be shown that is gone already.
	shown = 30 * time.Second

	// soonest and latest bound the pause between two looks of the end check, which grows:
	// mostly something new is not shown yet and will be in a moment.
	soonest, latest = 500 * time.Millisecond, 5 * time.Second
)

// endCheck asks the balancer itself who answers: every member of every target group
// must run the image that was deployed. Image ids are compared, not template versions,
// since those change for other reasons too. And it asks for groups that should be gone,
// since servers that no balancer knows go on working too.
func (o *Operator) endCheck(ctx context.Context, s *stack.Stack, imageID string) error {
	physical, err := o.resources(ctx, s)
	if err != nil {
		return exit.Unablef("%w", err)
	}
	progress := o.Console.Progress("End check")
	pause := soonest
	for started := time.Now(); ; {
		strangers, members, err := o.strangers(ctx, physical, imageID)
		if err != nil {
			return exit.Unablef("%w", err)
		}
		groups, err := o.groups(ctx, s.ID)
		if err != nil {
			return exit.Unablef("%w", err)
		}
		left := leftover(groups, physical)
		going := !slices.ContainsFunc(left, func(g Group) bool { return !g.Going })
		if len(strangers) == 0 && len(left) == 0 {
			o.Console.Info("End check: all %d members of the target groups run %s", members, imageID)
			return nil
		}
		if next, err := stack.Describe(ctx, o.CFN, s.ID); err == nil && next != nil && next.Changed.After(s.Changed) {
			o.Console.Info("End check: the next release has begun, and its servers are no strangers")
			return nil
		}
		switch took := time.Since(started); {
		case !going && took > shown, len(left) > 0 && took > settling:
			return exit.Unablef("image %s is live, but old servers were left over: %s", imageID, names(left)).
				Hint("CloudFormation could not delete their group; the next run of the pipe removes it")
		case took > settling:
			return exit.Unablef("servers of another image still answer: %s", strings.Join(strangers, ", ")).
				Hint("look for who has registered them with the balancer")
		}
		for _, g := range left {
			strangers = append(strangers, g.String())
		}
		progress.Update("not yet all of this image: %s", strings.Join(strangers, ", "))
		if err := stack.Pause(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, latest)
	}
}

// strangers are the members of the target groups that run another image.
func (o *Operator) strangers(ctx context.Context, physical map[string]string, imageID string) (names []string, members int, err error) {
	var ids []string
	for _, role := range o.Roles {
		targets := physical[role.Targets]
		if targets == "" {
			continue
		}
		out, err := o.ELB.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &targets})
		if err != nil {
			return nil, 0, fmt.Errorf("the health of the servers of role %s cannot be looked up: %w", role.Name, err)
		}
		for _, t := range out.TargetHealthDescriptions {
			if t.Target != nil {
				ids = append(ids, aws.ToString(t.Target.Id))
			}
		}
	}
	if len(ids) == 0 {
		return nil, 0, nil
	}
	servers, err := o.instances(ctx, ids)
	if err != nil {
		return nil, 0, err
	}
	for _, id := range ids {
		switch server := servers[id]; {
		case server.off: // a target that drains is shown until its time is over, whether or not it is still there
		case server.image != imageID: // or not shown yet: then it is looked for again
			names = append(names, fmt.Sprintf("%s (%s)", id, cmp.Or(server.image, "not shown yet")))
			members++
		default:
			members++
		}
	}
	slices.Sort(names)
	return names, members, nil
}

// instance is what a server runs, and whether it has ended for good.
type instance struct {
	image string
	off   bool
}

// instances asks EC2 for servers by a filter, since an id that it does not show yet, or
// not any more, would be an error of the whole call.
func (o *Operator) instances(ctx context.Context, ids []string) (map[string]instance, error) {
	found := map[string]instance{}
	pages := ec2.NewDescribeInstancesPaginator(o.EC2, &ec2.DescribeInstancesInput{
		Filters: []types.Filter{{Name: aws.String("instance-id"), Values: ids}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("the servers cannot be looked up: %w", err)
		}
		for _, r := range page.Reservations {
			for _, i := range r.Instances {
				found[aws.ToString(i.InstanceId)] = instance{
					image: aws.ToString(i.ImageId), off: i.State != nil && i.State.Name == types.InstanceStateNameTerminated,
				}
			}
		}
	}
	return found, nil
}
