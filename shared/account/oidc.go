package account

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// The bounds that AWS sets to a session.
const (
	shortest = 15 * time.Minute
	longest  = 12 * time.Hour
)

// withToken takes the role now and for the whole run: the token lives for an
// hour and could not be used again later in a long run.
func (session *Session) withToken(ctx context.Context, s Settings, o Options, role string) error {
	duration := max(o.Duration, shortest)
	if duration > longest {
		return tooLong(role, duration, errors.New("AWS gives no session of more than 12 hours"))
	}
	session.Config = newConfig(s, o)
	session.Config.Credentials = aws.AnonymousCredentials{}
	asked, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := sts.NewFromConfig(session.Config).AssumeRoleWithWebIdentity(asked, &sts.AssumeRoleWithWebIdentityInput{
		RoleArn:          aws.String(role),
		RoleSessionName:  aws.String(o.sessionName()),
		WebIdentityToken: aws.String(s.Token),
		DurationSeconds:  aws.Int32(int32(duration / time.Second)),
	})
	if err != nil {
		return refused(err, s, role, duration)
	}
	if out.Credentials == nil {
		return exit.Unablef("taking the role %s: STS answered without credentials", role)
	}
	got := out.Credentials
	session.Config.Credentials = credentials.NewStaticCredentialsProvider(
		aws.ToString(got.AccessKeyId), aws.ToString(got.SecretAccessKey), aws.ToString(got.SessionToken))
	session.Expires = aws.ToTime(got.Expiration)
	session.Method = "the step's OIDC token and the role " + role
	return nil
}

// refused turns STS's answer into something that can be acted on.
func refused(err error, s Settings, role string, duration time.Duration) error {
	var answer smithy.APIError
	if !errors.As(err, &answer) {
		return exit.Unablef("taking the role %s: %w", role, err)
	}
	code := answer.ErrorCode()
	if code == "ValidationError" && strings.Contains(answer.ErrorMessage(), "DurationSeconds") {
		return tooLong(role, duration, err)
	}
	e := exit.Unablef("taking the role %s: %w", role, err)
	switch code {
	case "AccessDenied":
		e = e.Hint("the role does not exist, or its trust policy does not accept this step:", claims(s.Token))
		if s.OIDCRole == "" {
			e = e.Hint("AWS_OIDC_ROLE_ARN names another role than this one, which account.yml would have made")
		}
		if s.AccessKey != "" {
			e = e.Hint("an OIDC token is used before access keys; to use the keys, take `oidc: true` out of the step")
		}
	case "InvalidIdentityToken":
		e = e.Hint("the account needs Bitbucket as an OIDC provider with this token's issuer and audience:", claims(s.Token))
	case "ExpiredTokenException":
		e = e.Hint("a step's token lives for an hour: run the pipe earlier in the step, or in a step of its own")
	}
	return e
}

// tooLong is the user's to solve, by either of two numbers.
func tooLong(role string, duration time.Duration, why error) error {
	return exit.Invalidf("TIMEOUT is longer than the role %s can work: a session of %s was asked for (TIMEOUT and %s for cleaning up): %w",
		role, short(duration), short(Margin), why).
		Hint("lower TIMEOUT, or raise the role's maximum session duration (MaxSessionDuration, 12 hours at most)")
}

// short writes whole minutes.
func short(d time.Duration) string { return fmt.Sprintf("%d minutes", int(d.Minutes())) }

var notInName = regexp.MustCompile(`[^\w+=,.@-]+`)

// sessionName fits what AWS accepts: 2 to 64 letters, digits and +=,.@-_.
func (o Options) sessionName() string {
	name := o.SessionName
	if name == "" {
		name = "fearless-" + o.Pipe
	}
	name = notInName.ReplaceAllString(name, "-")
	return name[:min(len(name), 64)]
}

// claims shows what a trust policy can be written against. They are no
// secret; the signature, which makes the token one, stays out.
func claims(token string) string {
	var c struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience any    `json:"aud"` // a text or a list of them
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "the token is not a JWT"
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(payload, &c)
	}
	if err != nil {
		return "the token cannot be read"
	}
	return fmt.Sprintf("iss %s, aud %v, sub %s", c.Issuer, c.Audience, c.Subject)
}
