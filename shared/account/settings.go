// Package account opens a session with AWS: with Bitbucket's OIDC token, else
// with keys, else as the SDK does by default. It says who we are and where
// before anything is changed, and refuses an account nobody expected.
package account

import (
	"net/url"
	"regexp"
	"strings"

	"bitbucket.org/fearless/pipes/shared/settings"
)

// Settings are the variables of every pipe that works in AWS.
type Settings struct {
	Region   string `envconfig:"AWS_DEFAULT_REGION" fallback:"AWS_REGION" required:"true" inherit:"true" example:"eu-central-1" desc:"AWS region."`
	OIDCRole string `envconfig:"AWS_OIDC_ROLE_ARN" inherit:"true" example:"arn:aws:iam::111122223333:role/fearless-shop-ami-bake" desc:"Role to take with the step's OIDC token (the step needs oidc: true). Default, when AWS_ACCOUNT_ID is set: that account's role fearless-<application>-<pipe>."`
	Account  string `envconfig:"AWS_ACCOUNT_ID" inherit:"true" example:"111122223333" desc:"The account to work in; any other one is refused."`

	AccessKey    string `envconfig:"AWS_ACCESS_KEY_ID" inherit:"true" desc:"Access key, where there is no OIDC."`
	SecretKey    string `envconfig:"AWS_SECRET_ACCESS_KEY" inherit:"true" secret:"true" desc:"Secret of the access key."`
	SessionToken string `envconfig:"AWS_SESSION_TOKEN" inherit:"true" secret:"true" desc:"Session token of a temporary access key."`

	Token string `envconfig:"BITBUCKET_STEP_OIDC_TOKEN" context:"true" secret:"true" where:"write oidc: true into the step" desc:"The step's OIDC token."`

	Endpoint    string `envconfig:"AWS_ENDPOINT_URL" context:"true" desc:"Address of all AWS services."`
	EndpointS3  string `envconfig:"AWS_ENDPOINT_URL_S3" context:"true" desc:"Address of S3."`
	EndpointEC2 string `envconfig:"AWS_ENDPOINT_URL_EC2" context:"true" desc:"Address of EC2."`
	EndpointSSM string `envconfig:"AWS_ENDPOINT_URL_SSM" context:"true" desc:"Address of Systems Manager."`
	EndpointSTS string `envconfig:"AWS_ENDPOINT_URL_STS" context:"true" desc:"Address of STS."`

	EndpointCloudFormation string `envconfig:"AWS_ENDPOINT_URL_CLOUDFORMATION" context:"true" desc:"Address of CloudFormation."`
	EndpointAutoScaling    string `envconfig:"AWS_ENDPOINT_URL_AUTO_SCALING" context:"true" desc:"Address of EC2 Auto Scaling."`
	EndpointBalancing      string `envconfig:"AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2" context:"true" desc:"Address of Elastic Load Balancing."`
}

var (
	regionName = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}$`)
	zoneName   = regexp.MustCompile(`^([a-z]{2,}(-[a-z]+)+-[0-9]{1,2})[a-z]$`)
	accountID  = regexp.MustCompile(`^[0-9]{12}$`)
	roleARN    = regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/[\w+=,.@/-]+$`)
)

// Check finds values that are no region, account, role or address, and those
// that do not go together.
func (s *Settings) Check(r *settings.Report) {
	if zone := zoneName.FindStringSubmatch(s.Region); zone != nil {
		r.Problemf("AWS_DEFAULT_REGION", "%q is an availability zone; its region is %s", s.Region, zone[1])
	} else if s.Region != "" && !regionName.MatchString(s.Region) {
		r.Problemf("AWS_DEFAULT_REGION", "%q is not the name of a region; for example eu-central-1", s.Region)
	}
	if s.Account != "" && !accountID.MatchString(s.Account) {
		r.Problemf("AWS_ACCOUNT_ID", "%q is not an account; expected: 12 digits, in quotes in YAML", s.Account)
	}
	if s.OIDCRole != "" {
		switch role := roleARN.FindStringSubmatch(s.OIDCRole); {
		case role == nil:
			r.Problemf("AWS_OIDC_ROLE_ARN", "%q is not a role; for example arn:aws:iam::111122223333:role/name", s.OIDCRole)
		case s.Account != "" && role[1] != s.Account:
			r.Problemf("AWS_OIDC_ROLE_ARN", "is a role of account %s, but AWS_ACCOUNT_ID is %s", role[1], s.Account)
		}
	}
	s.checkKeys(r)
	for name, value := range s.endpoints() {
		if u, err := url.Parse(value); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			r.Problemf(name, "%q is not an address; for example http://localhost:4566", value)
		}
	}
}

// checkKeys refuses half a pair: falling through to other credentials would
// end in an account nobody asked for.
func (s *Settings) checkKeys(r *settings.Report) {
	switch {
	case s.AccessKey != "" && s.SecretKey == "":
		r.Problemf("AWS_SECRET_ACCESS_KEY", "not set, but AWS_ACCESS_KEY_ID is; give both or none")
	case s.AccessKey == "" && s.SecretKey != "":
		r.Problemf("AWS_ACCESS_KEY_ID", "not set, but AWS_SECRET_ACCESS_KEY is; give both or none")
	case s.SessionToken != "" && s.AccessKey == "":
		r.Problemf("AWS_SESSION_TOKEN", "is of no use without AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
}

// trimmed is without the line end that comes with pasting a secret.
func (s Settings) trimmed() Settings {
	for _, field := range []*string{&s.Region, &s.OIDCRole, &s.Account, &s.AccessKey, &s.SecretKey, &s.SessionToken, &s.Token} {
		*field = strings.TrimSpace(*field)
	}
	return s
}
