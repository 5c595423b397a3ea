// Package stack proposes, applies and follows changes of CloudFormation stacks.
//
// CloudFormation does the work and goes on without us; so everything here starts from
// what a stack says of itself, and a run that was killed leaves nothing in our hands.
package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
)

// Stack is one stack at one moment.
type Stack struct {
	Name       string
	ID         string // ARN; the only name by which a deleted stack can be asked for
	Status     Status
	Reason     string
	Changed    time.Time     // of its last update, or its creation
	Protected  bool          // against deletion
	Monitoring time.Duration // how long the old resources of an update are kept
	Outputs    map[string]string
	Parameters map[string]string
	Tags       map[string]string
}

// Status is a stack's state in CloudFormation's words.
type Status string

// The states that are treated one by one; others by their endings.
const (
	ReviewInProgress              Status = "REVIEW_IN_PROGRESS"
	CreateInProgress              Status = "CREATE_IN_PROGRESS"
	CreateComplete                Status = "CREATE_COMPLETE"
	RollbackComplete              Status = "ROLLBACK_COMPLETE"
	RollbackFailed                Status = "ROLLBACK_FAILED"
	CreateFailed                  Status = "CREATE_FAILED"
	UpdateInProgress              Status = "UPDATE_IN_PROGRESS"
	UpdateComplete                Status = "UPDATE_COMPLETE"
	UpdateCompleteCleanup         Status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
	UpdateFailed                  Status = "UPDATE_FAILED"
	UpdateRollbackComplete        Status = "UPDATE_ROLLBACK_COMPLETE"
	UpdateRollbackFailed          Status = "UPDATE_ROLLBACK_FAILED"
	UpdateRollbackInProgress      Status = "UPDATE_ROLLBACK_IN_PROGRESS"
	UpdateRollbackCompleteCleanup Status = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
	DeleteInProgress              Status = "DELETE_IN_PROGRESS"
	DeleteComplete                Status = "DELETE_COMPLETE"
	DeleteFailed                  Status = "DELETE_FAILED"
)

// Busy reports whether CloudFormation is at work. A stack in review waits for us.
func (s Status) Busy() bool {
	return strings.HasSuffix(string(s), "_IN_PROGRESS") && s != ReviewInProgress
}

// Good reports whether the last operation did what it was asked to.
func (s Status) Good() bool { return s == CreateComplete || s == UpdateComplete }

// Dead reports whether the stack never came to life and can only be deleted.
func (s Status) Dead() bool {
	return s == RollbackComplete || s == RollbackFailed || s == CreateFailed || s == DeleteFailed
}

// API is the part of CloudFormation that is used.
type API interface {
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
	DescribeStackEvents(context.Context, *cloudformation.DescribeStackEventsInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStackEventsOutput, error)
	CreateChangeSet(context.Context, *cloudformation.CreateChangeSetInput, ...func(*cloudformation.Options)) (*cloudformation.CreateChangeSetOutput, error)
	DescribeChangeSet(context.Context, *cloudformation.DescribeChangeSetInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeChangeSetOutput, error)
	DeleteChangeSet(context.Context, *cloudformation.DeleteChangeSetInput, ...func(*cloudformation.Options)) (*cloudformation.DeleteChangeSetOutput, error)
	ExecuteChangeSet(context.Context, *cloudformation.ExecuteChangeSetInput, ...func(*cloudformation.Options)) (*cloudformation.ExecuteChangeSetOutput, error)
	DeleteStack(context.Context, *cloudformation.DeleteStackInput, ...func(*cloudformation.Options)) (*cloudformation.DeleteStackOutput, error)
	ContinueUpdateRollback(context.Context, *cloudformation.ContinueUpdateRollbackInput, ...func(*cloudformation.Options)) (*cloudformation.ContinueUpdateRollbackOutput, error)
}

// Describe finds a stack by name or id; nil when there is none.
func Describe(ctx context.Context, api API, name string) (*Stack, error) {
	out, err := api.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("stack %s cannot be looked up: %w", name, err)
	}
	for _, s := range out.Stacks {
		return fromAPI(s), nil
	}
	return nil, nil
}

// missing recognises a stack that does not exist: a ValidationError, by its text.
func missing(err error) bool {
	var apiErr smithy.APIError
	return errors.As(err, &apiErr) && apiErr.ErrorCode() == "ValidationError" &&
		strings.Contains(apiErr.ErrorMessage(), "does not exist")
}

func fromAPI(s types.Stack) *Stack {
	out := &Stack{
		Name: aws.ToString(s.StackName), ID: aws.ToString(s.StackId), Status: Status(s.StackStatus),
		Reason: aws.ToString(s.StackStatusReason), Changed: aws.ToTime(s.CreationTime),
		Protected: aws.ToBool(s.EnableTerminationProtection),
		Outputs:   map[string]string{}, Parameters: map[string]string{}, Tags: map[string]string{},
	}
	if r := s.RollbackConfiguration; r != nil {
		out.Monitoring = time.Duration(aws.ToInt32(r.MonitoringTimeInMinutes)) * time.Minute
	}
	if s.LastUpdatedTime != nil {
		out.Changed = *s.LastUpdatedTime
	}
	for _, o := range s.Outputs {
		out.Outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	for _, p := range s.Parameters {
		out.Parameters[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	for _, t := range s.Tags {
		out.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return out
}
