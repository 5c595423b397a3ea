// Package recall brings back a commit that was live before.
//
// It is for whoever is awake: no clone, no build, no rights beyond starting a pipeline.
// So everything that could speak against it is found out before anything is touched, and
// a refusal says what would be accepted. What happens then is an update of the stack of
// the servers by CloudFormation, like any release: new servers of the old image start
// beside the bad ones and take over when all of them are ready.
//
// The reading order is that of a run: run.go, facts.go, then pick.go, judge.go, schema.go
// and step.go, which decide and touch nothing, then act.go.
package recall

import (
	"regexp"
	"strings"

	"bitbucket.org/fearless/pipes/shared/account"
	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// Name is the name of the pipe.
const Name = "rollback"

// What the pipe can be asked to do.
const (
	ActionRollback = "rollback"
	ActionPlan     = "plan"
	ActionLiftHold = "lift-hold"
)

// Previous as a commit is the last good release before the one that is live.
const Previous = "previous"

// Settings are the variables of rollback.
type Settings struct {
	pipe.Settings
	AWS       account.Settings
	Bitbucket bitbucket.Settings

	Action      string `envconfig:"ACTION" default:"rollback" allowed:"rollback,plan,lift-hold" desc:"What to do: rollback; plan, which says what a rollback would do, what it would undo and what not, and changes nothing; or lift-hold, which lets a commit be deployed again that a rollback has held."`
	Commit      string `envconfig:"COMMIT" required:"true" example:"previous" desc:"Commit to go back to, full or at least 7 characters, or previous: the last good release before the one that is live. For lift-hold, the commit that is held."`
	Application string `envconfig:"APPLICATION" fallback:"BITBUCKET_REPO_SLUG" required:"true" example:"shop" desc:"Name of the application: lower-case letters, digits and dashes."`
	Environment string `envconfig:"ENVIRONMENT" default:"production" example:"staging" desc:"Environment to roll back."`
	ProvenIn    string `envconfig:"PROVEN_IN" default:"production" example:"staging" desc:"Environment in which the commit must have been live before."`
	Reason      string `envconfig:"REASON" example:"orders are lost" desc:"Why, for those who read the ledger later. Needed for lift-hold."`

	Interrupt    bool          `envconfig:"INTERRUPT" default:"true" desc:"Cancel a release that is in progress. With false, the rollback is refused meanwhile."`
	Hold         bool          `envconfig:"HOLD" default:"true" desc:"Refuse from now on every deploy whose history contains the commit that is rolled away from. With false, when the commit was not what was bad."`
	AcceptSchema settings.List `envconfig:"ACCEPT_SCHEMA" example:"9f2c41d07be3" desc:"Schemas of the database with which the older commit may run although they are recorded as incompatible, by the fingerprints or commits that a refusal tells."`
	AcceptHealth settings.List `envconfig:"ACCEPT_HEALTH" example:"/ready" desc:"Health paths that the older commit answers although it was live with others, by the names that a refusal tells."`

	Bucket      string `envconfig:"BUCKET" example:"fearless-111122223333-eu-central-1" desc:"Bucket with the ledger, the image index and the servers' logs. Default: fearless-<account>-<region>, made by account.yml."`
	ServersRole string `envconfig:"SERVERS_SERVICE_ROLE" example:"arn:aws:iam::111122223333:role/fearless-shop-servers" desc:"Role with which CloudFormation changes the servers. Default: what account.yml made for the application, or else the rights of this pipe's own role."`
}

var (
	environmentName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}[a-z0-9]$`)
	hash            = regexp.MustCompile(`^[0-9a-f]{7,40}$`)
)

// fullHash is the length of a hash that is not shortened.
const fullHash = 40

// Check finds what is wrong with the settings together, or beyond their types.
func (s *Settings) Check(r *settings.Report) {
	for name, value := range map[string]string{"ENVIRONMENT": s.Environment, "PROVEN_IN": s.ProvenIn} {
		if value != "" && !environmentName.MatchString(value) {
			r.Problemf(name, "%q is not a name of 2 to 32 lower-case letters, digits and dashes that starts with a letter", value)
		}
	}
	s.Commit = strings.ToLower(s.Commit)
	lifts := s.Action == ActionLiftHold
	switch {
	case s.Commit == "":
	case s.Commit == Previous && lifts:
		r.Problemf("COMMIT", "%q is no commit that can be held; expected: its hash, as the hold says it", s.Commit)
	case s.Commit != Previous && !hash.MatchString(s.Commit):
		r.Problemf("COMMIT", "%q is neither %s nor a hash of 7 to 40 hexadecimal digits", s.Commit, Previous)
	}
	if s.Reason == "" && lifts {
		r.Problemf("REASON", "is needed to lift a hold: somebody has held the commit for a reason")
	}
}
