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
)

// Event is one line of a stack's diary.
type Event struct {
	ID        string
	Time      time.Time
	LogicalID string
	Physical  string
	Type      string
	Status    string
	Reason    string
	Token     string // of the operation that it belongs to
}

// Failed reports whether the event tells of a failure.
func (e Event) Failed() bool { return strings.HasSuffix(e.Status, "_FAILED") }

// Own reports whether the event is about the stack itself.
func (e Event) Own() bool { return e.Type == "AWS::CloudFormation::Stack" }

// errEnough ends the reading of pages.
var errEnough = errors.New("enough")

// Events reads what happened after the event with the given id, the oldest first. An
// empty id reads the whole diary.
func Events(ctx context.Context, api API, stackID, after string) ([]Event, error) {
	var found []Event
	err := pages(ctx, api, stackID, func(e Event) error {
		if e.ID == after {
			return errEnough
		}
		found = append(found, e)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	slices.Reverse(found)
	return found, nil
}

// Latest is the newest event, from which on a run wants to read; empty for none.
func Latest(ctx context.Context, api API, stackID string) (Event, error) {
	var latest Event
	err := pages(ctx, api, stackID, func(e Event) error {
		latest = e
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return Event{}, err
	}
	return latest, nil
}

// Operation reads what has happened since the operation under way, or else the last one,
// began, the oldest first. The words that a create or an update begins with come up but
// once in it, also when it is taken back.
func Operation(ctx context.Context, api API, stackID string) ([]Event, error) {
	var found []Event
	err := pages(ctx, api, stackID, func(e Event) error {
		found = append(found, e)
		if e.Own() && (e.Status == "CREATE_IN_PROGRESS" || e.Status == "UPDATE_IN_PROGRESS" || e.Status == "DELETE_IN_PROGRESS") {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	slices.Reverse(found)
	return found, nil
}

// pages hands over events, the newest first, as CloudFormation does.
func pages(ctx context.Context, api API, stackID string, take func(Event) error) error {
	p := cloudformation.NewDescribeStackEventsPaginator(api, &cloudformation.DescribeStackEventsInput{StackName: &stackID})
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("the events of stack %s cannot be read: %w", stackID, err)
		}
		for _, e := range page.StackEvents {
			if err := take(Event{
				ID: aws.ToString(e.EventId), Time: aws.ToTime(e.Timestamp), LogicalID: aws.ToString(e.LogicalResourceId),
				Physical: aws.ToString(e.PhysicalResourceId), Type: aws.ToString(e.ResourceType),
				Status: string(e.ResourceStatus), Reason: aws.ToString(e.ResourceStatusReason), Token: aws.ToString(e.ClientRequestToken),
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Cause is the first failure among events that are in order: later ones are mostly
// consequences, and those that were merely cancelled say nothing. Nil: none failed.
func Cause(events []Event) *Event {
	for i, e := range events {
		if e.Failed() && !e.Own() && !strings.Contains(e.Reason, "cancelled") {
			return &events[i]
		}
	}
	for i, e := range events {
		if e.Failed() {
			return &events[i]
		}
	}
	return nil
}
