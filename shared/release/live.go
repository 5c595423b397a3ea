package release

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// Live is what the servers of an environment are before a release.
type Live struct {
	Stack    *stack.Stack      // nil: there is none yet
	Physical map[string]string // ids of the stack's resources, by logical id
	Groups   []Group           // the oldest first
}

// Live looks at what a stack at rest runs. When somebody else's update begins while we look,
// what is seen are two moments, and new groups look like those that should be gone: that is
// an Overtaken.
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
	return l, o.still(ctx, now)
}

// still makes sure that nothing has happened to a stack at rest since it was described.
func (o *Operator) still(ctx context.Context, was *stack.Stack) error {
	now, err := stack.Describe(ctx, o.CFN, was.ID)
	switch {
	case err != nil:
		return unable(err)
	case now == nil:
		return Overtaken{exit.Unablef("stack %s is gone", was.Name)}
	case now.Status.Busy() || !now.Changed.Equal(was.Changed):
		return Overtaken{exit.Unablef("stack %s is %s, and was %s a moment ago", was.Name, now.Status, was.Status)}
	}
	return nil
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
