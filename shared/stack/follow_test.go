package stack_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"bitbucket.org/fearless/pipes/shared/stack"
)

// overtake starts an update in the moment in which the stack is free again.
func overtake(t *testing.T, api *cloudformation.Client, name, body string) {
	t.Helper()
	for {
		time.Sleep(50 * time.Millisecond) //nolint:forbidigo // simulated
		_, err := api.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{StackName: &name, ChangeSetName: aws.String("overtakes"), TemplateBody: &body})
		if err == nil {
			break
		}
	}
	for {
		time.Sleep(50 * time.Millisecond) //nolint:forbidigo // simulated
		if _, err := api.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{
			StackName: &name, ChangeSetName: aws.String("overtakes"), DisableRollback: aws.Bool(false),
		}); err == nil {
			return
		}
	}
}

// Who follows an operation ends with it, also when the next one begins at once.
func TestFollowEndsWithItsOwnOperation(t *testing.T) {
	play(t, func(t *testing.T, api *cloudformation.Client) {
		first := stack.Proposal{Stack: "shop", Name: "first", Body: template("one", "g")}
		made, _, _ := apply(t, api, first)
		before, err := stack.Latest(t.Context(), api, made.ID)
		if err != nil {
			t.Fatal(err)
		}
		changed, err := stack.Propose(t.Context(), api, stack.Proposal{Stack: "shop", Exists: true, Name: "second", Body: template("two", "g")})
		if err != nil {
			t.Fatal(err)
		}
		if err := stack.Execute(t.Context(), api, changed, "ours"); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		both.Go(func() { overtake(t, api, "shop", template("three", "g")) })
		slowly := func(context.Context, *stack.Stack, []stack.Event) error {
			time.Sleep(30 * time.Second) //nolint:forbidigo // simulated
			return nil
		}
		final, events, err := stack.Follow(t.Context(), api, made.ID, before.ID, slowly)
		if err != nil {
			t.Fatal(err)
		}
		both.Wait()
		later, err := stack.Describe(t.Context(), api, made.ID)
		if err != nil {
			t.Fatal(err)
		}
		last := events[len(events)-1]
		if final.Status != stack.UpdateComplete || last.Token != "ours" || last.Status != string(stack.UpdateComplete) || !later.Changed.After(final.Changed) {
			t.Errorf("it ended as %s of %s, after %+v; the stack is %s of %s", final.Status, final.Changed, last, later.Status, later.Changed)
		}
	})
}
