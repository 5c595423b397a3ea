// Package fleet knows the servers of a stack as EC2 sees them. It is a package
// of its own because the EC2 SDK is a large thing to compile, and only the
// program needs it.
package fleet

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Fleet is all servers of one account and region.
type Fleet struct{ client *ec2.Client }

// Open makes the client; endpoint nil is Amazon's.
func Open(config aws.Config, endpoint *string) Fleet {
	return Fleet{ec2.NewFromConfig(config, func(o *ec2.Options) { o.BaseEndpoint = endpoint })}
}

// Living lists the instances of one resource of a stack that may still run,
// each with its state. CloudFormation's tags are on every instance that a group
// of a stack launches. Instances that are stopping or shutting down still have
// processes; the states are not part of the question, so that a state that
// nobody thought of counts as living.
func (f Fleet) Living(ctx context.Context, stack, resource, except string) ([]string, error) {
	input := &ec2.DescribeInstancesInput{Filters: []types.Filter{
		{Name: aws.String("tag:aws:cloudformation:stack-name"), Values: []string{stack}},
		{Name: aws.String("tag:aws:cloudformation:logical-id"), Values: []string{resource}},
	}}
	var living []string
	for {
		page, err := f.client.DescribeInstances(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("cannot list the servers of %s: %w", stack, err)
		}
		for _, reservation := range page.Reservations {
			for _, i := range reservation.Instances {
				if id := aws.ToString(i.InstanceId); id != except && lives(i.State) {
					living = append(living, fmt.Sprintf("%s (%s)", id, state(i.State)))
				}
			}
		}
		if aws.ToString(page.NextToken) == "" {
			return living, nil
		}
		input.NextToken = page.NextToken
	}
}

func lives(s *types.InstanceState) bool {
	return s == nil || s.Name != types.InstanceStateNameStopped && s.Name != types.InstanceStateNameTerminated
}

func state(s *types.InstanceState) string {
	if s == nil {
		return "state unknown"
	}
	return string(s.Name)
}
