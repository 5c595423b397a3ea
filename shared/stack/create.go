package stack

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// Creation is a stack that is made in one call. Its tags are there from the first moment
// on; a change set would make the stack without them, and whoever cleans up by tags would
// not find what a run that was killed in between has left.
type Creation struct {
	Stack      string
	Body       string // of the template
	Parameters map[string]string
	Tags       map[string]string
	Role       string // service role; empty: the caller's rights
	Token      string // the same one again is the same stack
	// Keep keeps what was made when the rest fails. Otherwise CloudFormation deletes the
	// stack, also when nobody is there any more to ask for it.
	Keep bool
}

// creator is what making a stack takes.
type creator interface {
	CreateStack(context.Context, *cloudformation.CreateStackInput, ...func(*cloudformation.Options)) (*cloudformation.CreateStackOutput, error)
}

// Create begins to make a stack and gives its id.
func Create(ctx context.Context, api creator, c Creation) (id string, err error) {
	p := Proposal{Stack: c.Stack, Name: c.Stack, Parameters: c.Parameters, Tags: c.Tags}.input()
	in := &cloudformation.CreateStackInput{
		StackName: &c.Stack, TemplateBody: &c.Body, Parameters: p.Parameters, Tags: p.Tags, OnFailure: types.OnFailureDelete,
	}
	if c.Keep {
		in.OnFailure = types.OnFailureDoNothing
	}
	if c.Role != "" {
		in.RoleARN = &c.Role
	}
	if c.Token != "" {
		in.ClientRequestToken = &c.Token
	}
	out, err := api.CreateStack(ctx, in)
	if err != nil {
		return "", fmt.Errorf("stack %s cannot be made: %w", c.Stack, err)
	}
	return aws.ToString(out.StackId), nil
}

// Taken reports whether a stack could not be made because there is one of that name.
func Taken(err error) bool { return exists(err) }

// All are all stacks that are not deleted, of whomever.
func All(ctx context.Context, api cloudformation.DescribeStacksAPIClient) ([]*Stack, error) {
	var all []*Stack
	pages := cloudformation.NewDescribeStacksPaginator(api, &cloudformation.DescribeStacksInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("the stacks cannot be listed: %w", err)
		}
		for _, s := range page.Stacks {
			all = append(all, fromAPI(s))
		}
	}
	return all, nil
}
