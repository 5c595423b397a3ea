package stack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
)

// Proposal is what a stack shall become.
type Proposal struct {
	Stack        string
	Exists       bool   // the stack has resources: update, else create
	Name         string // of the change set
	Body, URL    string // of the template, one of them; neither: the previous one
	Parameters   map[string]string
	Tags         map[string]string
	Role         string // service role; empty: the caller's rights
	Capabilities []types.Capability
	// Monitoring is how long CloudFormation keeps the old resources after the last new
	// one is complete, in whole minutes up to 180.
	Monitoring time.Duration
	Alarms     []string // ARNs that roll the update back while it is monitored
	Token      string
}

// Change is what would happen to one resource.
type Change struct {
	Action      string // Add, Modify, Remove, …
	LogicalID   string
	Type        string
	Physical    string
	Replacement string   // True, False, Conditional
	Policy      string   // what becomes of the old resource
	Properties  []string // that differ, sorted
}

// Replaces reports whether the resource is or may be replaced.
func (c Change) Replaces() bool { return c.Replacement == "True" || c.Replacement == "Conditional" }

// ChangeSet is a proposal that CloudFormation has worked out.
type ChangeSet struct {
	ID      string // ARN
	Stack   string
	Empty   bool // there is nothing to change; the change set is deleted already
	Changes []Change
}

// soonest is the pause after the first looks at a change set, since most are worked out in a
// second or two and somebody may wait for it who has production down; latest is that after
// all others.
const (
	early           = 4
	soonest, latest = 500 * time.Millisecond, 2 * time.Second
)

// Propose makes a change set and waits until CloudFormation has worked it out.
func Propose(ctx context.Context, api API, p Proposal) (*ChangeSet, error) {
	out, err := api.CreateChangeSet(ctx, p.input())
	if exists(err) {
		// A run that was killed, or whose reply was lost, left one of the same name.
		if err := discard(ctx, api, p.Name, p.Stack); err != nil {
			return nil, err
		}
		out, err = api.CreateChangeSet(ctx, p.input())
	}
	if err != nil {
		return nil, fmt.Errorf("a change set for stack %s cannot be made: %w", p.Stack, err)
	}
	cs := &ChangeSet{ID: aws.ToString(out.Id), Stack: p.Stack}
	for n := 1; ; n++ {
		described, err := api.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: &cs.ID})
		if err != nil {
			return nil, fmt.Errorf("change set %s cannot be read: %w", cs.ID, err)
		}
		switch described.Status {
		case types.ChangeSetStatusCreateComplete:
			cs.Changes, err = changes(ctx, api, cs.ID, described)
			return cs, err
		case types.ChangeSetStatusFailed:
			return failed(ctx, api, cs, aws.ToString(described.StatusReason))
		}
		pause := latest
		if n <= early {
			pause = soonest
		}
		if err := Pause(ctx, pause); err != nil {
			return nil, err
		}
	}
}

func (p Proposal) input() *cloudformation.CreateChangeSetInput {
	in := &cloudformation.CreateChangeSetInput{
		StackName: &p.Stack, ChangeSetName: &p.Name, ChangeSetType: types.ChangeSetTypeCreate,
		Capabilities: p.Capabilities,
		// Always sent: CloudFormation remembers the one of the update before.
		RollbackConfiguration: &types.RollbackConfiguration{
			MonitoringTimeInMinutes: aws.Int32(int32(p.Monitoring / time.Minute)), //nolint:gosec // at most 180
			RollbackTriggers:        []types.RollbackTrigger{},
		},
	}
	if p.Exists {
		in.ChangeSetType = types.ChangeSetTypeUpdate
	}
	for _, arn := range p.Alarms {
		in.RollbackConfiguration.RollbackTriggers = append(in.RollbackConfiguration.RollbackTriggers,
			types.RollbackTrigger{Arn: &arn, Type: aws.String("AWS::CloudWatch::Alarm")})
	}
	switch {
	case p.Body != "":
		in.TemplateBody = &p.Body
	case p.URL != "":
		in.TemplateURL = &p.URL
	default:
		in.UsePreviousTemplate = aws.Bool(true)
	}
	if p.Role != "" {
		in.RoleARN = &p.Role
	}
	if p.Token != "" {
		in.ClientToken = &p.Token
	}
	for key, value := range p.Parameters {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: aws.String(key), ParameterValue: aws.String(value)})
	}
	for key, value := range p.Tags {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	slices.SortFunc(in.Parameters, func(a, b types.Parameter) int { return strings.Compare(*a.ParameterKey, *b.ParameterKey) })
	slices.SortFunc(in.Tags, func(a, b types.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	return in
}

// failed tells "nothing to change", which arrives as a failure, from a real one.
func failed(ctx context.Context, api API, cs *ChangeSet, reason string) (*ChangeSet, error) {
	if err := Discard(ctx, api, cs); err != nil {
		return nil, err
	}
	if strings.HasPrefix(reason, "The submitted information didn't contain changes") || strings.HasPrefix(reason, "No updates are to be performed") {
		cs.Empty = true
		return cs, nil
	}
	return nil, fmt.Errorf("CloudFormation refuses the change of stack %s: %s", cs.Stack, reason)
}

// changes reads all pages.
func changes(ctx context.Context, api API, id string, page *cloudformation.DescribeChangeSetOutput) ([]Change, error) {
	var list []Change
	for {
		for _, c := range page.Changes {
			if r := c.ResourceChange; r != nil {
				list = append(list, fromChange(r))
			}
		}
		if page.NextToken == nil {
			return list, nil
		}
		var err error
		page, err = api.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: &id, NextToken: page.NextToken})
		if err != nil {
			return nil, fmt.Errorf("change set %s cannot be read: %w", id, err)
		}
	}
}

func fromChange(r *types.ResourceChange) Change {
	c := Change{
		Action: string(r.Action), LogicalID: aws.ToString(r.LogicalResourceId), Type: aws.ToString(r.ResourceType),
		Physical: aws.ToString(r.PhysicalResourceId), Replacement: string(r.Replacement), Policy: string(r.PolicyAction),
	}
	for _, d := range r.Details {
		if d.Target != nil && d.Target.Name != nil {
			c.Properties = append(c.Properties, *d.Target.Name)
		}
	}
	slices.Sort(c.Properties)
	c.Properties = slices.Compact(c.Properties)
	return c
}

// Discard deletes a change set that will not be executed; one that is gone is fine.
func Discard(ctx context.Context, api API, cs *ChangeSet) error {
	return discard(ctx, api, cs.ID, cs.Stack)
}

// longestWork is how long CloudFormation may take to work a change set out; before that
// it cannot be deleted.
const longestWork = time.Minute

func discard(ctx context.Context, api API, name, stack string) error {
	in := &cloudformation.DeleteChangeSetInput{ChangeSetName: &name}
	if !strings.HasPrefix(name, "arn:") {
		in.StackName = &stack
	}
	for started := time.Now(); ; {
		_, err := api.DeleteChangeSet(ctx, in)
		var gone *types.ChangeSetNotFoundException
		var working *types.InvalidChangeSetStatusException
		switch {
		case err == nil || errors.As(err, &gone):
			return nil
		case !errors.As(err, &working) || time.Since(started) >= longestWork:
			return fmt.Errorf("change set %s cannot be deleted: %w", name, err)
		}
		if err := Pause(ctx, 2*time.Second); err != nil {
			return err
		}
	}
}

// Execute starts the change. Whatever CloudFormation's default may be, a failed one is
// rolled back.
func Execute(ctx context.Context, api API, cs *ChangeSet, token string) error {
	in := &cloudformation.ExecuteChangeSetInput{ChangeSetName: &cs.ID, DisableRollback: aws.Bool(false)}
	if token != "" {
		in.ClientRequestToken = &token
	}
	if _, err := api.ExecuteChangeSet(ctx, in); err != nil {
		return fmt.Errorf("the change of stack %s cannot be started: %w", cs.Stack, err)
	}
	return nil
}

// Overtaken reports whether a change could not be made or started because the stack is
// not any more what it was a moment before: somebody else changes it too.
func Overtaken(err error) bool {
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.ErrorCode() {
	case "ChangeSetNotFound", "InvalidChangeSetStatus":
		return true
	case "ValidationError":
		return slices.ContainsFunc([]string{
			"state and can not be updated", "state and can not continue update rollback", "already exists and cannot be created again", "does not exist",
		}, func(part string) bool { return strings.Contains(refused.ErrorMessage(), part) })
	}
	return false
}

func exists(err error) bool {
	var taken *types.AlreadyExistsException
	var apiErr smithy.APIError
	return errors.As(err, &taken) || errors.As(err, &apiErr) && apiErr.ErrorCode() == "AlreadyExistsException"
}

// Pause waits, unless the run ends first.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
