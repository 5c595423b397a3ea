package cloudformation_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"
)

// create makes the stack in one call.
func (d *desk) create(doc document, token string, onFailure types.OnFailure) (id string, err error) {
	out, err := d.client.CreateStack(d.t.Context(), &cfn.CreateStackInput{
		StackName: aws.String("shop"), TemplateBody: aws.String(doc.String()), ClientRequestToken: aws.String(token), OnFailure: onFailure,
		Tags: []types.Tag{{Key: aws.String("kind"), Value: aws.String("test")}},
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.StackId), nil
}

func TestCreateStack(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		id, err := d.create(chain(2, "a"), "one", "")
		if err != nil {
			t.Fatal(err)
		}
		out, err := d.client.DescribeStacks(t.Context(), &cfn.DescribeStacksInput{StackName: &id})
		if err != nil || out.Stacks[0].StackStatus != types.StackStatusCreateInProgress || len(out.Stacks[0].Tags) != 1 {
			t.Errorf("%v %+v", err, out)
		}
		if again, err := d.create(chain(2, "a"), "one", ""); err != nil || again != id {
			t.Errorf("the same request again: %v, stack %s", err, again)
		}
		_, err = d.create(chain(2, "a"), "two", "")
		wantCode(t, err, "AlreadyExistsException", "Stack [shop] already exists")
		if got := d.settled(); got != "CREATE_COMPLETE" {
			t.Error(got, d.events())
		}
	})
}

// What becomes of a create that fails.
func TestCreateStackFails(t *testing.T) {
	for onFailure, want := range map[types.OnFailure][]string{
		"":                       {"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"},
		types.OnFailureDoNothing: {"CREATE_IN_PROGRESS", "CREATE_FAILED"},
		types.OnFailureDelete:    {"CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"},
	} {
		simulate(t, func(t *testing.T, d *desk) {
			d.things.refuse("create T1", errors.New("no"))
			id, err := d.create(chain(3, "a"), "one", onFailure)
			if err != nil {
				t.Fatal(err)
			}
			for range 300 {
				pass(time.Second)
			}
			var states []string
			pages, err := d.client.DescribeStackEvents(t.Context(), &cfn.DescribeStackEventsInput{StackName: &id})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range slices.Backward(pages.StackEvents) {
				if aws.ToString(e.ResourceType) == "AWS::CloudFormation::Stack" {
					states = append(states, string(e.ResourceStatus))
				}
			}
			if diff := cmp.Diff(want, states); diff != "" {
				t.Error(diff)
			}
			if left := len(d.things.snapshot()); (left > 0) != (onFailure == types.OnFailureDoNothing) {
				t.Errorf("%d things are left", left)
			}
		})
	}
}
