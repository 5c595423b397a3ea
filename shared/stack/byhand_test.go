package stack_test

import (
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/stack"
)

func TestByHand(t *testing.T) {
	t.Parallel()
	s := &stack.Stack{Name: "shop-production", Parameters: map[string]string{"ImageId": "ami-2", "Commit": "22", "Subnets": "a,b", "RunRelease": "true"}}
	want := "aws cloudformation update-stack --region eu-central-1 --stack-name shop-production --use-previous-template --no-disable-rollback" +
		` --rollback-configuration '{"MonitoringTimeInMinutes":0,"RollbackTriggers":[]}' --parameters` +
		" ParameterKey=Commit,ParameterValue=11 ParameterKey=ImageId,ParameterValue=ami-1 ParameterKey=RunRelease,UsePreviousValue=true ParameterKey=Subnets,UsePreviousValue=true"
	if got := stack.ByHand(s, "eu-central-1", map[string]string{"ImageId": "ami-1", "Commit": "11", "Other": "x"}); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	odd := &stack.Stack{Name: "shop", Parameters: map[string]string{"Odd": ""}}
	if got, want := stack.ByHand(odd, "r", map[string]string{"Odd": "it's $HOME"}), ` --parameters 'ParameterKey=Odd,ParameterValue=it'\''s $HOME'`; !strings.HasSuffix(got, want) {
		t.Errorf("%s does not end with %s", got, want)
	}
}
