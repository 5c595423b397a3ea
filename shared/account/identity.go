package account

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// patience is how long AWS may take to say who we are. It answers in well
// under a second; an endpoint that hangs is told at once, not at TIMEOUT.
const patience = 20 * time.Second

// identify asks whose credentials these are and stops at the wrong account.
func (session *Session) identify(ctx context.Context, expected string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := sts.NewFromConfig(session.Config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return unidentified(err, session.Method)
	}
	session.Account, session.Caller = aws.ToString(out.Account), aws.ToString(out.Arn)
	if session.Account == "" {
		return exit.Unablef("AWS did not say which account %s belongs to", session.Method)
	}
	if expected != "" && expected != session.Account {
		return exit.Invalidf("AWS_ACCOUNT_ID is %s, but these credentials belong to account %s: %s (by %s)",
			expected, session.Account, session.Caller, session.Method).
			Hint("nothing was changed; correct AWS_ACCOUNT_ID or the credentials")
	}
	return nil
}

// unidentified explains the refusals that have a usual cause.
func unidentified(err error, method string) error {
	e := exit.Unablef("AWS does not say who we are, with %s: %w", method, err)
	var answer smithy.APIError
	if !errors.As(err, &answer) {
		return e
	}
	switch answer.ErrorCode() {
	case "InvalidClientTokenId":
		return e.Hint("the access key does not exist (any more), or belongs to a session whose AWS_SESSION_TOKEN is missing")
	case "SignatureDoesNotMatch":
		return e.Hint("AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID")
	case "ExpiredToken":
		return e.Hint("the session of these keys has ended; OIDC needs no keys that end")
	}
	return e
}
