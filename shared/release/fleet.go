package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/smithy-go"

	"bitbucket.org/fearless/pipes/shared/stack"
)

// lookAtGroups is the time between two looks at the groups. Each takes two or three calls,
// beside the thirty a minute with which the stack is followed.
const lookAtGroups = 15 * time.Second

// fleet looks after the groups of a stack while it is updated: it keeps new ones as large
// as the old ones, and finds out why a server was not launched, since CloudFormation does
// neither. It is help, not part of the update: what fails here is said and goes on.
type fleet struct {
	o     *Operator
	story *story

	looked time.Time
	turn   int
	seen   map[string]bool // scaling activities, and troubles that were said
}

func (o *Operator) fleet(s *story) *fleet { return &fleet{o: o, story: s, seen: map[string]bool{}} }

// watch is a stack.Watcher.
func (f *fleet) watch(ctx context.Context, now *stack.Stack, _ []stack.Event) error {
	updating := now.Status == stack.UpdateInProgress
	if !updating && now.Status != stack.CreateInProgress || time.Since(f.looked) < lookAtGroups {
		return nil
	}
	f.looked = time.Now()
	groups, err := f.o.groups(ctx, now.ID)
	if err != nil {
		return f.trouble(ctx, err)
	}
	if updating {
		err = f.keepUp(ctx, groups)
	}
	return errors.Join(f.trouble(ctx, err), f.trouble(ctx, f.launches(ctx, groups)))
}

// trouble says once what cannot be done; what passes by itself is tried again. It returns
// an error only when the run is over.
func (f *fleet) trouble(ctx context.Context, err error) error {
	var refused smithy.APIError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil || stack.Passing(err):
	case errors.As(err, &refused) && f.first(refused.ErrorCode()):
		f.o.Console.Warn("The update goes on, but its groups cannot be looked after: %v", err)
	}
	return nil
}

// first is true once for everything.
func (f *fleet) first(what string) bool {
	was := f.seen[what]
	f.seen[what] = true
	return !was
}

// keepUp raises a new group to the size of the old one, which scaling may have changed
// since the update began: when the old servers go, the new ones have to carry it all. It
// never makes a group smaller.
func (f *fleet) keepUp(ctx context.Context, groups []Group) error {
	for n, fresh := range groups {
		old := before(groups[:n], fresh.Logical)
		if fresh.Going || old == nil || old.Going || slices.ContainsFunc(groups[n+1:], func(g Group) bool { return g.Logical == fresh.Logical }) {
			continue
		}
		size := min(old.Desired, fresh.Max)
		if size <= fresh.Desired {
			continue
		}
		if _, err := f.o.ASG.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{
			AutoScalingGroupName: &fresh.Name, DesiredCapacity: aws.Int32(int32(size)), //nolint:gosec // a few thousand at most
		}); err != nil {
			return fmt.Errorf("the new servers of role %s cannot be made as many as the old ones, %d: %w", fresh.Role, size, err)
		}
		f.o.Console.Info("%s: there are %d old servers by now, so the new ones become as many (they were %d)", fresh.Role, old.Desired, fresh.Desired)
		f.story.wanted[fresh.Logical] = max(f.story.wanted[fresh.Logical], size)
	}
	return nil
}

// before is the last of the groups of a role.
func before(groups []Group, logical string) *Group {
	for _, g := range slices.Backward(groups) {
		if g.Logical == logical {
			return &g
		}
	}
	return nil
}

// launches asks one group that is still being made why servers of it were not launched;
// the next look is the next group's. Those that lack servers come first.
func (f *fleet) launches(ctx context.Context, groups []Group) error {
	var short, made []Group
	for _, g := range groups {
		last := before(groups, g.Logical)
		switch {
		case g.Name != last.Name || g.Going || !f.story.open[g.Logical]:
		case len(g.Servers) < g.Desired:
			short = append(short, g)
		default:
			made = append(made, g)
		}
	}
	if len(short) > 0 {
		made = short
	}
	if len(made) == 0 {
		return nil
	}
	f.turn++
	return f.activities(ctx, made[f.turn%len(made)])
}

// activities tells each launch that failed since the update began.
func (f *fleet) activities(ctx context.Context, g Group) error {
	out, err := f.o.ASG.DescribeScalingActivities(ctx, &autoscaling.DescribeScalingActivitiesInput{
		AutoScalingGroupName: &g.Name, MaxRecords: aws.Int32(100),
	})
	if err != nil {
		return fmt.Errorf("what the group of role %s does cannot be read: %w", g.Role, err)
	}
	for _, a := range slices.Backward(out.Activities) { // the newest come first
		failed := a.StatusCode == types.ScalingActivityStatusCodeFailed
		if !failed || aws.ToTime(a.StartTime).Before(f.story.began.Add(-time.Second)) || !f.first(aws.ToString(a.ActivityId)) {
			continue
		}
		f.story.refuse(g, refusalOf(aws.ToString(a.StatusMessage)))
	}
	return nil
}

// refuse tells of a launch that was refused: the same words once, however often Auto
// Scaling tries again.
func (s *story) refuse(g Group, r refusal) {
	known, again := s.refused[g.Logical]
	if !again {
		s.refused[g.Logical] = r
	}
	if again && known.words == r.words {
		return
	}
	s.log.Warn("%s: a server could not be launched: %s", g.Role, r.words)
}
