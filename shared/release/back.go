package release

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// Cancel stops the update that a stack is in and follows the way back to its end. An update
// that has come too far to be stopped is an Overtaken.
func (o *Operator) Cancel(ctx context.Context, now *stack.Stack) error {
	latest, err := stack.Latest(ctx, o.CFN, now.ID)
	if err != nil {
		return unable(err)
	}
	o.Console.Warn("Cancelling the update of stack %s%s", now.Name, startedBy(latest.Token))
	_, err = o.CFN.CancelUpdateStack(ctx, &cloudformation.CancelUpdateStackInput{
		StackName: &now.ID, ClientRequestToken: aws.String(o.token(Digest("cancel", latest.ID))),
	})
	if err != nil {
		err = fmt.Errorf("the update of stack %s cannot be cancelled: %w", now.Name, err)
		if tooLate(err) {
			return Overtaken{unable(err)}
		}
		return unable(err)
	}
	final, events, err := stack.Follow(ctx, o.CFN, now.ID, latest.ID, o.Quietly)
	if err != nil {
		return exit.Unablef("%w; CloudFormation takes the update back meanwhile", err).Hint("run the pipe again")
	}
	if final.Status == stack.UpdateRollbackFailed {
		o.Console.Warn("Taking the update back has failed: %s", Why(final, events))
	}
	return nil
}

// tooLate recognises the refusal to cancel what is not under way any more.
func tooLate(err error) bool {
	var refused smithy.APIError
	return errors.As(err, &refused) && refused.ErrorCode() == "ValidationError" &&
		strings.Contains(refused.ErrorMessage(), "cannot be called from current stack status")
}

// Mend continues a rollback of CloudFormation that has failed.
func (o *Operator) Mend(ctx context.Context, now *stack.Stack) error {
	return unable(o.continueRollback(ctx, now))
}

// Wait waits for an operation of somebody else to end.
func (o *Operator) Wait(ctx context.Context, now *stack.Stack) error {
	_, err := o.waitOrFollow(ctx, now, "")
	return unable(err)
}

// Confirm ends a release that no update of its own has brought: what it brings is what the
// stack came back to when another one was stopped, or an earlier run has brought it and was
// killed. The balancer is asked first.
func (o *Operator) Confirm(ctx context.Context, now *stack.Stack, r Release) error {
	if err := o.endCheck(ctx, now, r.Image); err != nil {
		return err
	}
	return o.succeeded(ctx, ledger.Durations{})
}

// Stopped writes that releases which began and did not end were stopped by this run.
func (o *Operator) Stopped(ctx context.Context, stopped []ledger.Release, why string) {
	for _, open := range stopped {
		if open.Key() == o.entry.start.Key() {
			continue
		}
		if _, err := o.Ledger.End(ctx, open.Start, ledger.Record{By: o.By, Outcome: ledger.Cancelled, Failure: why}); err != nil {
			o.Console.Warn("%v; the next run of a pipe settles it", err)
		}
	}
}

// Entered is the start that this run has written, or taken over; its Kind is blank before.
func (o *Operator) Entered() ledger.Record { return o.entry.start }
