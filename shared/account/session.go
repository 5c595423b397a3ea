package account

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Margin is what a session lasts beyond TIMEOUT, for cleaning up and for
// clocks that differ.
const Margin = 15 * time.Minute

// attempts of one call, the first included. The SDK's 3 do not outlast the
// throttling of a busy account; its adaptive mode would slow down calls that
// nobody throttles.
const attempts = 5

// Options are what a pipe wants of its session.
type Options struct {
	Pipe, Application string
	// Role ends the name of the role that is taken by default,
	// fearless-<application>-<role>; blank is the pipe.
	Role string
	// Duration of an OIDC session: TIMEOUT + Margin. Less than 15 minutes
	// becomes 15, which is the least AWS gives.
	Duration time.Duration
	// Transport carries every call; nil is the SDK's own.
	Transport http.RoundTripper
	// SessionName shows up in CloudTrail; blank is fearless-<pipe>.
	SessionName string
}

// Session is an open session. Clients made from Config use the right
// credentials, retries and endpoints.
type Session struct {
	Config  aws.Config
	Account string
	Caller  string // ARN
	Region  string
	Method  string    // how the credentials were found, for people
	Expires time.Time // when an OIDC session ends, else zero
	// PathStyle: S3 stands behind a configured address, where buckets are no
	// host names.
	PathStyle bool
	Notes     []string // warnings for the log
}

// Open finds credentials and asks AWS whose they are. An account other than
// AWS_ACCOUNT_ID is exit.Invalid.
func Open(ctx context.Context, s Settings, o Options) (*Session, error) {
	s = s.trimmed()
	session := &Session{Region: s.Region, PathStyle: s.Endpoint != "" || s.EndpointS3 != ""}
	role := s.role(o)
	var err error
	switch {
	case s.Token != "" && role != "":
		err = session.withToken(ctx, s, o, role)
	case s.AccessKey != "":
		session.Config = newConfig(s, o)
		session.Config.Credentials = credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, s.SessionToken)
		session.Method = "the access key " + s.AccessKey
	default:
		err = session.withDefaults(ctx, s, o)
	}
	if err != nil {
		return nil, err
	}
	if s.Token == "" && s.OIDCRole != "" {
		session.Notes = append(session.Notes, fmt.Sprintf(
			"AWS_OIDC_ROLE_ARN is set, but the step has no OIDC token (oidc: true is missing in it); using %s instead", session.Method))
	}
	if err := session.identify(ctx, s.Account); err != nil {
		return nil, err
	}
	return session, nil
}

// String says where we are and who, for the log.
func (s *Session) String() string {
	return fmt.Sprintf("account %s, region %s, as %s (by %s)", s.Account, s.Region, s.Caller, s.Method)
}

// retryer tries each call so often, however many calls were tried again before. By itself
// the SDK stops trying when some hundred calls had to be repeated, which a throttled
// account does to a pipe that looks on for half an hour.
func retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.RateLimiter = attempts, ratelimit.None })
}

// idle is how many connections to one service are kept for the next call: as many as a
// pipe ever makes at once. The SDK keeps 10, and closes the others after each call.
const idle = 128

// newClient is the SDK's own, but for that.
func newClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = idle })
}

// newConfig is made of the settings alone: what is set for other programs of
// the container (profiles, config files, metadata) must not steer a pipe that
// was told whose credentials to use.
func newConfig(s Settings, o Options) aws.Config {
	c := aws.Config{
		Region: s.Region, RetryMode: aws.RetryModeStandard, RetryMaxAttempts: attempts, Retryer: retryer, HTTPClient: newClient(),
	}
	if o.Transport != nil {
		c.HTTPClient = &http.Client{Transport: o.Transport}
	}
	s.point(&c)
	return c
}

// withDefaults leaves it to the SDK, which reads the process environment and
// files by itself: profiles, SSO, and the roles of containers and servers
// cannot be had in another way.
func (session *Session) withDefaults(ctx context.Context, s Settings, o Options) error {
	options := []func(*config.LoadOptions) error{
		config.WithRegion(s.Region), config.WithRetryMode(aws.RetryModeStandard), config.WithRetryMaxAttempts(attempts), config.WithRetryer(retryer),
		config.WithHTTPClient(newClient()),
	}
	if o.Transport != nil {
		options = append(options, config.WithHTTPClient(&http.Client{Transport: o.Transport}))
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return exit.Unablef("the AWS configuration cannot be loaded: %w", err)
	}
	s.point(&c)
	session.Config = c

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := c.Credentials.Retrieve(ctx)
	if err != nil {
		return exit.Invalidf("no AWS credentials: %w", err).Hint(
			"write `oidc: true` into the step and set AWS_OIDC_ROLE_ARN or AWS_ACCOUNT_ID,",
			"or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	session.Method = "the SDK's default chain: " + found.Source
	return nil
}

// role is the role to take with a token: the one given, or the one that
// account.yml makes for this pipe.
func (s Settings) role(o Options) string {
	switch {
	case s.OIDCRole != "":
		return s.OIDCRole
	case s.Account == "":
		return ""
	}
	return fmt.Sprintf("arn:%s:iam::%s:role/fearless-%s-%s", partition(s.Region), s.Account, o.Application, cmp.Or(o.Role, o.Pipe))
}

// partition is the part of AWS a region belongs to.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
