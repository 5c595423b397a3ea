package release

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
func leftover(groups []Group, physical map[string]string) []Group {
	return slices.DeleteFunc(slices.Clone(groups), func(g Group) bool { return physical[g.Logical] == g.Name })
}

func (g Group) String() string {
	return fmt.Sprintf("%s (role %s, %d servers)", g.Name, g.Role, len(g.Servers))
}

func names(groups []Group) string {
	var all []string
	for _, g := range groups {
		all = append(all, g.String())
	}
	return strings.Join(all, ", ")
}

// Leftovers names the groups that an earlier update has left behind; blank: none.
func (l *Live) Leftovers() string { return names(leftover(l.Groups, l.Physical)) }

// RemoveLeftovers removes groups that an earlier update has left behind. Their servers
// drain as they would have.
func (o *Operator) RemoveLeftovers(ctx context.Context, live *Live) error {
	left := leftover(live.Groups, live.Physical)
	if len(left) == 0 {
		return nil
	}
	o.Console.Warn("An earlier update has left old servers behind: removing %s", names(left))
	for _, g := range left {
		if err := o.empty(ctx, g); err != nil {
			return err
		}
	}
	for {
		groups, err := o.groups(ctx, live.Stack.ID)
		if err != nil {
			return err
		}
		// Those only: an update that begins meanwhile makes groups that we do not know either.
		left := slices.DeleteFunc(groups, func(g Group) bool {
			return !slices.ContainsFunc(left, func(old Group) bool { return old.Name == g.Name })
		})
		if len(left) == 0 {
			live.Groups = slices.DeleteFunc(live.Groups, func(g Group) bool { return live.Physical[g.Logical] != g.Name })
			o.Console.Info("The old servers are gone")
			return nil
		}
		for _, g := range left {
			if err := o.deleteEmpty(ctx, g); err != nil {
				return err
			}
		}
		o.wait("waiting for old servers to drain and go: %s", names(left))
		if err := stack.Pause(ctx, 5*time.Second); err != nil {
			return err
		}
	}
}

// empty lets all servers of a group go.
func (o *Operator) empty(ctx context.Context, g Group) error {
	if g.Going {
		return nil
	}
	_, err := o.ASG.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: &g.Name, MinSize: aws.Int32(0), MaxSize: aws.Int32(0), DesiredCapacity: aws.Int32(0),
	})
	return o.stuck(g, err)
}

// deleteEmpty deletes a group once its servers are gone. Not with force, which would end
// them in the middle of their requests.
func (o *Operator) deleteEmpty(ctx context.Context, g Group) error {
	if g.Going || len(g.Servers) > 0 {
		return nil
	}
	_, err := o.ASG.DeleteAutoScalingGroup(ctx, &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: &g.Name})
	var active *types.ScalingActivityInProgressFault
	var inUse *types.ResourceInUseFault
	if errors.As(err, &active) || errors.As(err, &inUse) {
		return nil // the last server is on its way out
	}
	return o.stuck(g, err)
}

// stuck is an error of a group that cannot be removed; one that is gone is none.
func (o *Operator) stuck(g Group, err error) error {
	var refused smithy.APIError
	if err == nil || errors.As(err, &refused) && strings.Contains(refused.ErrorMessage(), "not found") {
		return nil
	}
	return exit.Unablef("the group %s, which an earlier update has left behind, cannot be removed: %w", g, err).
		Hint("delete the group in the console of EC2 Auto Scaling, or give the pipe the right to do it")
}
