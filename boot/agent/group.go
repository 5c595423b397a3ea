package agent

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
)

// Groups is the part of Auto Scaling that is used.
type Groups interface {
	DescribeAutoScalingGroups(context.Context, *autoscaling.DescribeAutoScalingGroupsInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error)
	CompleteLifecycleAction(context.Context, *autoscaling.CompleteLifecycleActionInput, ...func(*autoscaling.Options)) (*autoscaling.CompleteLifecycleActionOutput, error)
}

// callBound is what a question to AWS may take with all attempts: the SDK itself
// would wait for an answer for ever.
const callBound = 20 * time.Second

// scalingGroup is the group that holds this server, beside those that have the
// same place in the stack: while CloudFormation replaces a group there are two.
type scalingGroup struct {
	name    string
	created time.Time
	newer   string // a group that was created after this one; "": none was
	// Versions of the launch template: what this server was started from, and
	// what the group starts now. "" where Auto Scaling does not say.
	mine, wanted string
}

// group asks for it by the tags that CloudFormation puts on every group it
// makes: a launch template is older than its group, so user data cannot name
// the group itself.
func (a *agent) group(ctx context.Context) (scalingGroup, error) {
	input := &autoscaling.DescribeAutoScalingGroupsInput{Filters: []types.Filter{
		{Name: aws.String("tag:aws:cloudformation:stack-name"), Values: []string{a.userData.Stack}},
		{Name: aws.String("tag:aws:cloudformation:logical-id"), Values: []string{a.userData.Resource}},
	}}
	ctx, cancel := context.WithTimeout(ctx, callBound)
	defer cancel()
	var all []types.AutoScalingGroup
	for {
		page, err := a.cloud.Groups.DescribeAutoScalingGroups(ctx, input)
		if err != nil {
			return scalingGroup{}, fmt.Errorf("cannot ask Auto Scaling for this server's group: %w", err)
		}
		all = append(all, page.AutoScalingGroups...)
		if aws.ToString(page.NextToken) == "" {
			return a.among(all)
		}
		input.NextToken = page.NextToken
	}
}

func (a *agent) among(all []types.AutoScalingGroup) (scalingGroup, error) {
	me := func(i types.Instance) bool { return aws.ToString(i.InstanceId) == a.instance }
	at := slices.IndexFunc(all, func(g types.AutoScalingGroup) bool { return slices.ContainsFunc(g.Instances, me) })
	if at < 0 {
		return scalingGroup{}, fmt.Errorf("no group %s of the stack %s holds this server", a.userData.Resource, a.userData.Stack)
	}
	own := all[at]
	found := scalingGroup{
		name: aws.ToString(own.AutoScalingGroupName), created: aws.ToTime(own.CreatedTime), wanted: version(own.LaunchTemplate),
		mine: version(own.Instances[slices.IndexFunc(own.Instances, me)].LaunchTemplate),
	}
	for _, g := range all {
		if aws.ToTime(g.CreatedTime).After(found.created) {
			found.newer = aws.ToString(g.AutoScalingGroupName)
		}
	}
	return found, nil
}

func version(template *types.LaunchTemplateSpecification) string {
	if template == nil {
		return ""
	}
	return aws.ToString(template.Version)
}

// cause is an error of AWS in a few words that stay the same when it happens
// again: without request ids, attempts and port numbers.
func cause(err error) string {
	var answer smithy.APIError
	switch {
	case errors.As(err, &answer):
		return answer.ErrorCode() + ": " + answer.ErrorMessage()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err.Error()
}
