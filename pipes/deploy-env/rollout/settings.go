// Package rollout brings an environment to its file, with the image of a commit.
//
// CloudFormation does the work: it starts the new servers beside the old ones, waits
// until they say that they are ready, keeps both while the release is watched, and goes
// back by itself when anything fails, also when this program is dead by then. What is
// left to us is to say beforehand what will happen, to refuse what must not, to tell what
// is happening, and to find out why when it did not work.
package rollout

import (
	"regexp"
	"time"

	"bitbucket.org/fearless/pipes/shared/account"
	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// Name is the name of the pipe.
const Name = "deploy-env"

// What the pipe can be asked to do.
const (
	ActionDeploy   = "deploy"
	ActionPreview  = "preview"
	ActionTemplate = "template"
	ActionDestroy  = "destroy"
	ActionHistory  = "history"
)

// Settings are the variables of deploy-env.
type Settings struct {
	pipe.Settings
	AWS       account.Settings
	Bitbucket bitbucket.Settings

	Action      string `envconfig:"ACTION" default:"deploy" allowed:"deploy,preview,template,destroy,history" desc:"What to do: deploy; preview, which says what a deploy would change and changes nothing; template, which writes the CloudFormation templates into .fearless; destroy, for an environment that is not protected; or history, which tells of its releases in the log and on a page with plots."`
	Application string `envconfig:"APPLICATION" fallback:"BITBUCKET_REPO_SLUG" required:"true" example:"shop" desc:"Name of the application: lower-case letters, digits and dashes."`
	Environment string `envconfig:"ENVIRONMENT" fallback:"BITBUCKET_DEPLOYMENT_ENVIRONMENT" required:"true" example:"staging" desc:"Environment to deploy to; its file is environments/<environment>.yml."`
	Commit      string `envconfig:"COMMIT" fallback:"BITBUCKET_COMMIT" example:"4f2c9b7a1d3e" desc:"Commit whose image is deployed, full or at least 7 characters. Needed to deploy and to preview."`

	Soak   Soak              `envconfig:"SOAK" example:"10m" desc:"How long the old servers stay beside the new ones while the release is watched, in whole minutes. Default: what the environment file says."`
	Period settings.Duration `envconfig:"PERIOD" default:"365d" example:"90d" desc:"For history: how far to look back."`
	Bucket string            `envconfig:"BUCKET" example:"fearless-111122223333-eu-central-1" desc:"Bucket with the image index, large templates and the servers' logs. Default: fearless-<account>-<region>, made by account.yml."`

	BaseRole    string `envconfig:"BASE_SERVICE_ROLE" example:"arn:aws:iam::111122223333:role/fearless-shop-base" desc:"Role with which CloudFormation changes the base. Default: what account.yml made for the application, or else the rights of this pipe's own role."`
	ServersRole string `envconfig:"SERVERS_SERVICE_ROLE" example:"arn:aws:iam::111122223333:role/fearless-shop-servers" desc:"Role with which CloudFormation changes the servers. Default: what account.yml made for the application, or else the rights of this pipe's own role."`

	AllowReplace   settings.List `envconfig:"ALLOW_REPLACE" example:"Balancer" desc:"Resources of the base that may be replaced, by the names that a refusal tells."`
	AllowInterrupt settings.List `envconfig:"ALLOW_INTERRUPT" example:"WebTargets" desc:"Target groups whose health check or port may change although servers behind them may not answer it, by the names that a refusal tells."`
}

// Soak is a duration that may be zero, which is not the same as not given.
type Soak struct {
	Given bool
	Time  settings.Duration
}

// Decode reads a duration.
func (s *Soak) Decode(value string) error {
	s.Given = true
	return s.Time.Decode(value)
}

var environmentName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}[a-z0-9]$`)

// longestSoak is what CloudFormation can monitor.
const longestSoak = 3 * time.Hour

// Check finds what is wrong with the settings together, or beyond their types.
func (s *Settings) Check(r *settings.Report) {
	if s.Environment != "" && !environmentName.MatchString(s.Environment) {
		r.Problemf("ENVIRONMENT", "%q is not a name of 2 to 32 lower-case letters, digits and dashes that starts with a letter", s.Environment)
	}
	if s.Commit == "" && (s.Action == ActionDeploy || s.Action == ActionPreview) {
		r.Problemf("COMMIT", "is needed to %s; a pipeline sets BITBUCKET_COMMIT, elsewhere give the hash", s.Action)
	}
	if soak := s.Soak.Time.Std(); s.Soak.Given && (soak > longestSoak || soak%time.Minute != 0) {
		r.Problemf("SOAK", "%s is not a number of whole minutes up to %s", s.Soak.Time, longestSoak)
	}
}

// file is the path of the environment file in the clone.
func (s *Settings) file() string { return "environments/" + s.Environment + ".yml" }
