package rollout_test

import (
	"context"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// made makes a stack by the hand of somebody else.
func (l *place) made(name string, tags map[string]string) {
	l.T.Helper()
	ctx, api := l.T.Context(), l.Reach().CFN
	changed, err := stack.Propose(ctx, api, stack.Proposal{
		Stack: name, Name: "by-hand", Tags: tags,
		Body: `{"AWSTemplateFormatVersion":"2010-09-09","Resources":{"P":{"Type":"AWS::SSM::Parameter","Properties":{"Type":"String","Value":"1"}}}}`,
	})
	if err != nil {
		l.T.Fatal(err)
	}
	if err := stack.Execute(ctx, api, changed, ""); err != nil {
		l.T.Fatal(err)
	}
	if _, _, err := stack.Follow(ctx, api, name, "", func(context.Context, *stack.Stack, []stack.Event) error { return nil }); err != nil {
		l.T.Fatal(err)
	}
}

// A stack of our name that we did not make is nobody's to change, not even to destroy.
func TestStackOfSomebodyElse(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.made("shop-staging", map[string]string{"team": "shop"})
		for _, action := range []string{"deploy", "preview", "destroy"} {
			l.deploy(good1, nil, "ACTION="+action).Expect(t, exit.Refused, "stack shop-staging was not made by this pipe for staging of shop", "rename the application")
		}
		if n := len(l.Cloud.Stacks()); n != 1 {
			t.Errorf("there are %d stacks: something was made before it was refused", n)
		}
	})
}

func TestBaseOfAnotherEnvironment(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.made("shop-staging-base", map[string]string{"fearless:application": "shop", "fearless:environment": "production"})
		l.deploy(good1, nil).Expect(t, exit.Refused, "stack shop-staging-base was not made by this pipe", `"production" of "shop"`)
	})
}
