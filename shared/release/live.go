package release

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"bitbucket.org/fearless/pipes/shared/stack"
)

// Live is what the servers of an environment are before a release.
type Live struct {
	Stack    *stack.Stack      // nil: there is none yet
	Physical map[string]string // ids of the stack's resources, by logical id
	Groups   []Group           // the oldest first
}

// Live looks at what a stack at rest runs.
func (o *Operator) Live(ctx context.Context, now *stack.Stack) (*Live, error) {
	l := &Live{Stack: now}
	if now == nil {
		return l, nil
	}
	var err error
	if l.Physical, err = o.resources(ctx, now); err != nil {
		return nil, unable(err)
	}
	if l.Groups, err = o.groups(ctx, now.ID); err != nil {
		return nil, unable(err)
	}
	return l, nil
}

// resources are the physical ids of a stack's resources, by logical id.
func (o *Operator) resources(ctx context.Context, s *stack.Stack) (map[string]string, error) {
	physical := map[string]string{}
	pages := cloudformation.NewListStackResourcesPaginator(o.CFN, &cloudformation.ListStackResourcesInput{StackName: &s.ID})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("the resources of stack %s cannot be listed: %w", s.Name, err)
		}
		for _, r := range page.StackResourceSummaries {
			physical[aws.ToString(r.LogicalResourceId)] = aws.ToString(r.PhysicalResourceId)
		}
	}
	return physical, nil
}
