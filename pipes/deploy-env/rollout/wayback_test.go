package rollout_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// parameter is one of the command's.
var parameter = regexp.MustCompile(`ParameterKey=(\w+),(?:ParameterValue=([^ ']*)|UsePreviousValue=true)`)

// What the log of a release ends with brings the one before it back. The local cloud knows
// no UpdateStack, so what the command says is done by a change set.
func TestTheWayBackByHand(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		if o := l.deploy(good1, nil).Expect(t, exit.Passed); strings.Contains(o.Log, "by hand") {
			t.Errorf("there is no way back from the first release:\n%s", o.Log)
		}
		o := l.deploy(good2, nil).Expect(t, exit.Passed, "pipe fearless/rollback with ENVIRONMENT: 'staging' and COMMIT: 'previous'", "Or by hand, to commit 111111111111",
			"  aws cloudformation update-stack --region us-east-1 --stack-name shop-staging --use-previous-template")
		ctx, api, name := t.Context(), l.Reach().CFN, serversStack
		in := &cloudformation.CreateChangeSetInput{StackName: &name, ChangeSetName: aws.String("by-hand"), UsePreviousTemplate: aws.Bool(true)}
		for _, m := range parameter.FindAllStringSubmatch(o.Log, -1) {
			p := types.Parameter{ParameterKey: &m[1], ParameterValue: &m[2]}
			if m[2] == "" {
				p.ParameterValue, p.UsePreviousValue = nil, aws.Bool(true)
			}
			in.Parameters = append(in.Parameters, p)
		}
		made, err := api.CreateChangeSet(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second) //nolint:forbidigo // simulated
		if _, err := api.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: made.Id, DisableRollback: aws.Bool(false)}); err != nil {
			t.Fatal(err)
		}
		l.until("UPDATE_IN_PROGRESS")
		l.until("UPDATE_COMPLETE")
		l.checkRunning("after the command", "shop-111111111111 4")
		if o := l.deploy(broken, nil).Expect(t, exit.Refused); strings.Contains(o.Log, "by hand") {
			t.Errorf("a release that failed needs no way back:\n%s", o.Log)
		}
	})
}
