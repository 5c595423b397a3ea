package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/smithy-go"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// leftover are the groups that a stack has made and does not have any more. When
// CloudFormation cannot delete a group in its clean-up, it forgets it and calls the update
// complete; the servers of that group go on.
func leftover(groups []group, physical map[string]string) []group {
	return slices.DeleteFunc(slices.Clone(groups), func(g group) bool { return physical[g.Logical] == g.Name })
}

func (g group) String() string {
	return fmt.Sprintf("%s (role %s, %d servers)", g.Name, g.Role, len(g.Servers))
}

func names(groups []group) string {
	var all []string
	for _, g := range groups {
		all = append(all, g.String())
	}
	return strings.Join(all, ", ")
}

// removeLeftovers removes groups that an earlier update has left behind. Their servers
// drain as they would have.
func (d *deployer) removeLeftovers(ctx context.Context, live *live) error {
	left := leftover(live.groups, live.physical)
	if len(left) == 0 {
		return nil
	}
	if d.s.Action == ActionPreview {
		d.remark("An earlier update has left old servers behind, which a deploy would remove: %s", names(left))
		return nil
	}
	d.rt.Console.Warn("An earlier update has left old servers behind: removing %s", names(left))
	for _, g := range left {
		if err := d.empty(ctx, g); err != nil {
			return err
		}
	}
	for {
		groups, err := d.groups(ctx, live.stack.ID)
		if err != nil {
			return err
		}
		left := leftover(groups, live.physical)
		if len(left) == 0 {
			live.groups = groups
			d.rt.Console.Info("The old servers are gone")
			return nil
		}
		for _, g := range left {
			if err := d.deleteEmpty(ctx, g); err != nil {
				return err
			}
		}
		d.waiting.Update("waiting for old servers to drain and go: %s", names(left))
		if err := stack.Pause(ctx, 5*time.Second); err != nil {
			return err
		}
	}
}

// empty lets all servers of a group go.
func (d *deployer) empty(ctx context.Context, g group) error {
	if g.Going {
		return nil
	}
	_, err := d.asg.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: &g.Name, MinSize: aws.Int32(0), MaxSize: aws.Int32(0), DesiredCapacity: aws.Int32(0),
	})
	return d.stuck(g, err)
}

// deleteEmpty deletes a group once its servers are gone. Not with force, which would end
// them in the middle of their requests.
func (d *deployer) deleteEmpty(ctx context.Context, g group) error {
	if g.Going || len(g.Servers) > 0 {
		return nil
	}
	_, err := d.asg.DeleteAutoScalingGroup(ctx, &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: &g.Name})
	var active *types.ScalingActivityInProgressFault
	var inUse *types.ResourceInUseFault
	if errors.As(err, &active) || errors.As(err, &inUse) {
		return nil // the last server is on its way out
	}
	return d.stuck(g, err)
}

// stuck is an error of a group that cannot be removed; one that is gone is none.
func (d *deployer) stuck(g group, err error) error {
	var refused smithy.APIError
	if err == nil || errors.As(err, &refused) && strings.Contains(refused.ErrorMessage(), "not found") {
		return nil
	}
	return exit.Unablef("the group %s, which an earlier update has left behind, cannot be removed: %w", g, err).
		Hint("delete the group in the console of EC2 Auto Scaling, or give the pipe the right to do it")
}
