package stack_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// play runs a test in simulated time with an account of its own.
func play(t *testing.T, f func(*testing.T, *cloudformation.Client)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, err := localcloud.New(localcloud.Options{Timing: localcloud.CloudLike()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := cloud.Close(); err != nil {
				t.Error(err)
			}
		})
		f(t, cloudformation.New(cloudformation.Options{
			Region: "us-east-1", BaseEndpoint: aws.String("http://cloud.local"), HTTPClient: &http.Client{Transport: cloud.Transport()},
			Credentials: credentials.NewStaticCredentialsProvider("AKIATEST000000000000", "secret", ""),
		}))
	})
}

// template is a stack of one parameter and one security group.
func template(value, description string) string {
	return fmt.Sprintf(`{"AWSTemplateFormatVersion":"2010-09-09","Parameters":{"Word":{"Type":"String","Default":"none"}},
	"Resources":{
	  "Value":{"Type":"AWS::SSM::Parameter","Properties":{"Name":"/stack/value","Type":"String","Value":%q}},
	  "Vpc":{"Type":"AWS::EC2::VPC","Properties":{"CidrBlock":"10.9.0.0/16"}},
	  "Group":{"Type":"AWS::EC2::SecurityGroup","Properties":{"GroupDescription":%q,"VpcId":{"Ref":"Vpc"}}}},
	"Outputs":{"Said":{"Value":{"Ref":"Word"}}}}`, value, description)
}

// apply proposes and executes; it returns the stack, what happened, and the changes.
func apply(t *testing.T, api *cloudformation.Client, p stack.Proposal) (*stack.Stack, []stack.Event, *stack.ChangeSet) {
	t.Helper()
	now, err := stack.Describe(t.Context(), api, p.Stack)
	if err != nil {
		t.Fatal(err)
	}
	after := ""
	if p.Exists = now != nil; p.Exists {
		latest, err := stack.Latest(t.Context(), api, now.ID)
		if err != nil {
			t.Fatal(err)
		}
		after = latest.ID
	}
	changed, err := stack.Propose(t.Context(), api, p)
	if err != nil {
		t.Fatal(err)
	}
	if changed.Empty {
		return now, nil, changed
	}
	if err := stack.Execute(t.Context(), api, changed, "token-"+p.Name); err != nil {
		t.Fatal(err)
	}
	final, events, err := stack.Follow(t.Context(), api, p.Stack, after, func(context.Context, *stack.Stack, []stack.Event) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return final, events, changed
}

func TestLifeOfAStack(t *testing.T) {
	play(t, func(t *testing.T, api *cloudformation.Client) {
		if s, err := stack.Describe(t.Context(), api, "shop"); s != nil || err != nil {
			t.Fatalf("before it was made: %+v, %v", s, err)
		}
		p := stack.Proposal{Stack: "shop", Name: "first", Body: template("one", "g"), Tags: map[string]string{"a": "b"}, Parameters: map[string]string{"Word": "hello"}}
		made, events, _ := apply(t, api, p)
		if made.Status != stack.CreateComplete || made.Outputs["Said"] != "hello" || made.Tags["a"] != "b" || made.Parameters["Word"] != "hello" {
			t.Fatalf("%+v", made)
		}
		if last := events[len(events)-1]; last.Token != "token-first" || stack.Cause(events) != nil {
			t.Errorf("the last event is %+v", last)
		}

		p.Name = "same"
		if _, _, changed := apply(t, api, p); !changed.Empty {
			t.Errorf("nothing changed, but: %+v", changed)
		}

		p.Name, p.Body = "second", template("two", "another")
		after, events, changed := apply(t, api, p)
		if after.Status != stack.UpdateComplete {
			t.Errorf("%+v\n%+v", after, events)
		}
		var lines []string
		for _, c := range changed.Changes {
			lines = append(lines, fmt.Sprint(c.Action, " ", c.LogicalID, " ", c.Properties, " ", c.Replaces()))
		}
		want := []string{"Modify Group [GroupDescription] true", "Modify Value [Value] false"}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Error(diff)
		}

		gone, _, err := stack.Delete(t.Context(), api, after, "", func(context.Context, *stack.Stack, []stack.Event) error { return nil })
		if err != nil || gone.Status != stack.DeleteComplete {
			t.Errorf("%+v, %v", gone, err)
		}
	})
}

func TestFailedCreateNamesItsCause(t *testing.T) {
	play(t, func(t *testing.T, api *cloudformation.Client) {
		body := strings.Replace(template("one", "g"), `"10.9.0.0/16"`, `"10.9.0.0/99"`, 1)
		final, events, _ := apply(t, api, stack.Proposal{Stack: "shop", Name: "first", Body: body})
		cause := stack.Cause(events)
		if final.Status != stack.RollbackComplete || !final.Status.Dead() || cause == nil || cause.LogicalID != "Vpc" {
			t.Errorf("%+v, cause %+v", final, cause)
		}
	})
}

// A killed run leaves its change set behind; the next one of the same name replaces it.
func TestLeftoverChangeSet(t *testing.T) {
	play(t, func(t *testing.T, api *cloudformation.Client) {
		p := stack.Proposal{Stack: "shop", Name: "target", Body: template("one", "g")}
		if _, err := stack.Propose(t.Context(), api, p); err != nil {
			t.Fatal(err)
		}
		changed, err := stack.Propose(t.Context(), api, p)
		if err != nil {
			t.Fatal(err)
		}
		if err := stack.Discard(t.Context(), api, changed); err != nil {
			t.Error(err)
		}
		if err := stack.Discard(t.Context(), api, changed); err != nil {
			t.Errorf("discarding it again: %v", err)
		}
	})
}

func TestCause(t *testing.T) {
	t.Parallel()
	event := func(id, status, reason string) stack.Event {
		return stack.Event{LogicalID: id, Type: "AWS::X::Y", Status: status, Reason: reason}
	}
	own := stack.Event{LogicalID: "shop", Type: "AWS::CloudFormation::Stack", Status: "UPDATE_FAILED", Reason: "because"}
	if got := stack.Cause([]stack.Event{event("A", "CREATE_COMPLETE", "")}); got != nil {
		t.Errorf("%+v", got)
	}
	events := []stack.Event{own, event("B", "CREATE_FAILED", "Resource creation cancelled"), event("C", "CREATE_FAILED", "the reason"), event("D", "UPDATE_FAILED", "later")}
	if got := stack.Cause(events); got == nil || got.LogicalID != "C" {
		t.Errorf("%+v", got)
	}
	if got := stack.Cause(events[:2]); got == nil || got.LogicalID != "shop" {
		t.Errorf("%+v", got)
	}
}

// A run that was killed a moment ago has left a change set that is still worked out: it
// cannot be deleted before that.
func TestNameInUse(t *testing.T) {
	play(t, func(t *testing.T, api *cloudformation.Client) {
		body := template("one", "first")
		if _, err := api.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
			StackName: aws.String("shop"), ChangeSetName: aws.String("release"), ChangeSetType: types.ChangeSetTypeCreate, TemplateBody: &body,
		}); err != nil {
			t.Fatal(err)
		}
		if err := stack.Pause(t.Context(), 3*time.Second); err != nil { // it is not pending any more
			t.Fatal(err)
		}
		cs, err := stack.Propose(t.Context(), api, stack.Proposal{Stack: "shop", Name: "release", Body: template("two", "second")})
		if err != nil || cs.Empty || len(cs.Changes) != 3 {
			t.Errorf("%+v, %v", cs, err)
		}
	})
}
