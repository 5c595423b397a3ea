// Package testenv shows a commit to somebody: the image of the commit on one small server
// behind testing's balancer, with an address of its own, for a day.
//
// What it makes is paid for until somebody takes it away, so its end comes first. A
// schedule that deletes the stack is armed before the stack is made; CloudFormation
// deletes a stack of which the creation fails; and a nightly run finds by tags what both
// have missed. None of that needs this program to be alive, or the branch to exist.
package testenv

import (
	"fmt"
	"regexp"
	"time"
	_ "time/tzdata" // TIME_ZONE works in an image without zones

	"bitbucket.org/fearless/pipes/shared/account"
	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// Name is the name of the pipe.
const Name = "test-env"

// What the pipe can be asked to do.
const (
	ActionCreate  = "create"
	ActionExtend  = "extend"
	ActionList    = "list"
	ActionDestroy = "destroy"
	ActionReap    = "reap"
)

// Settings are the variables of test-env.
type Settings struct {
	pipe.Settings
	AWS       account.Settings
	Bitbucket bitbucket.Settings

	Action      string `envconfig:"ACTION" default:"create" allowed:"create,extend,list,destroy,reap" desc:"What to do: create the test environment of a commit, or extend its time; list those that there are; destroy one; or reap, once a night, what should be gone and is not."`
	Application string `envconfig:"APPLICATION" fallback:"BITBUCKET_REPO_SLUG" required:"true" example:"shop" desc:"Name of the application: lower-case letters, digits and dashes."`
	Commit      string `envconfig:"COMMIT" fallback:"BITBUCKET_COMMIT" example:"4f2c9b7a1d3e" desc:"Commit to show, to extend or to destroy, full or at least 7 characters."`

	TTL      Span   `envconfig:"TTL" example:"8h" desc:"How long the environment is there: a time from now on, or a moment such as 2026-11-24T18:00:00Z. Default: until tonight."`
	Night    Clock  `envconfig:"NIGHT" default:"20:00" desc:"When it is tonight. One that is created in the last hour before stays until the next night."`
	TimeZone string `envconfig:"TIME_ZONE" default:"UTC" example:"Europe/Berlin" desc:"Time zone of NIGHT, and of the times in the log."`

	MaxEnvironments int           `envconfig:"MAX_ENVIRONMENTS" default:"10" desc:"How many test environments the application may have at a time, at most 90."`
	KeepFailed      bool          `envconfig:"KEEP_FAILED" default:"false" desc:"Keep an environment that does not become healthy until its time is over, for somebody to look at."`
	Seed            string        `envconfig:"SEED" example:"bin/manage loaddata demo" desc:"Command that is run once on the server, after the release process: data to look at. Default: seed of environments/test.yml."`
	Processes       settings.List `envconfig:"PROCESSES" example:"web, worker" desc:"Process types of the Procfile that the server runs. Default: processes of environments/test.yml, or all."`
	Instance        string        `envconfig:"INSTANCE" example:"t4g.small" desc:"Type of the server. Default: instance of environments/test.yml, or t4g.micro for arm64 images and t3.micro for others."`

	Bucket       string `envconfig:"BUCKET" example:"fearless-111122223333-eu-central-1" desc:"Bucket with the image index and the servers' logs. Default: fearless-<account>-<region>, made by account.yml."`
	ServiceRole  string `envconfig:"TEST_SERVICE_ROLE" example:"arn:aws:iam::111122223333:role/fearless-shop-test" desc:"Role with which CloudFormation makes and deletes test environments. Default: what account.yml made for the application."`
	ScheduleRole string `envconfig:"SCHEDULE_ROLE" example:"arn:aws:iam::111122223333:role/fearless-shop-reaper" desc:"Role with which EventBridge Scheduler deletes a test environment when its time is over. Default: what account.yml made for the application."`
}

// mostEnvironments is how many fit behind one balancer, which has 100 target groups, with
// room for testing itself.
const mostEnvironments = 90

var (
	hash         = regexp.MustCompile(`^[0-9a-f]{7,40}$`)
	instanceType = regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z0-9-]+$`)
)

// Check finds what is wrong with the settings together, or beyond their types.
func (s *Settings) Check(r *settings.Report) {
	if s.Application != "" {
		if err := environment.CheckApplication(s.Application); err != nil {
			r.Problemf("APPLICATION", "%s", err)
		}
	}
	if s.names() {
		s.checkCommit(r)
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil {
		r.Problemf("TIME_ZONE", "%q is no time zone; expected a name such as Europe/Berlin, or UTC", s.TimeZone)
	}
	if n := s.MaxEnvironments; (n < 1 || n > mostEnvironments) && !r.Failed("MAX_ENVIRONMENTS") {
		r.Problemf("MAX_ENVIRONMENTS", "%d is not within 1 and %d; a balancer has 100 target groups", n, mostEnvironments)
	}
	if s.Instance != "" && !instanceType.MatchString(s.Instance) {
		r.Problemf("INSTANCE", "%q is not a type of server such as t4g.micro", s.Instance)
	}
	if len(s.Seed) > 1000 {
		r.Problemf("SEED", "is longer than 1000 characters; put it into a script of the repository")
	}
}

// names reports whether the action is about one commit.
func (s *Settings) names() bool { return s.Action != ActionList && s.Action != ActionReap }

func (s *Settings) checkCommit(r *settings.Report) {
	switch {
	case s.Commit == "":
		r.Problemf("COMMIT", "is needed to %s; a pipeline sets BITBUCKET_COMMIT, elsewhere give the hash", s.Action)
	case !hash.MatchString(s.Commit) && s.Action == ActionDestroy:
		r.Problemf("COMMIT", "%q is not a hash of 7 to 40 hexadecimal digits; test environments are destroyed by their commit, and nothing else is destroyed by this pipe", s.Commit)
	case !hash.MatchString(s.Commit):
		r.Problemf("COMMIT", "%q is not a hash of 7 to 40 hexadecimal digits", s.Commit)
	}
}

// Span is a time from now on, or a moment.
type Span struct {
	For   settings.Duration
	Until time.Time // zero: For says it
}

// Decode reads either form.
func (s *Span) Decode(value string) error {
	if moment, err := time.Parse(time.RFC3339, value); err == nil {
		s.Until = moment
		return nil
	}
	if err := s.For.Decode(value); err != nil {
		return fmt.Errorf("%w; expected a duration such as 8h or 2d, or a moment such as 2026-11-24T18:00:00Z", err)
	}
	return nil
}

// Clock is a time of the day.
type Clock struct{ Hour, Minute int }

// Decode reads 20:00.
func (c *Clock) Decode(value string) error {
	at, err := time.Parse("15:04", value)
	if err != nil {
		return fmt.Errorf("is not a time of the day such as 20:00")
	}
	c.Hour, c.Minute = at.Hour(), at.Minute()
	return nil
}

// zone is the time zone, which Check has found to exist.
func (s *Settings) zone() *time.Location {
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// expiry is when an environment ends that begins now.
func (s *Settings) expiry(now time.Time) (time.Time, error) {
	var end time.Time
	switch {
	case !s.TTL.Until.IsZero():
		end = s.TTL.Until
	case s.TTL.For != 0:
		end = now.Add(s.TTL.For.Std())
	default:
		return tonight(now, s.Night, s.zone()), nil
	}
	switch left := end.Sub(now); {
	case left <= 0:
		return end, exit.Invalidf("TTL: %s is in the past", end.Format(time.RFC3339))
	case left < shortest:
		return end, exit.Invalidf("TTL: the environment would be gone in %s, which is less than it takes to create one; at least %s", settings.Duration(left.Round(time.Second)), settings.Duration(shortest))
	case left > longest:
		return end, exit.Invalidf("TTL: %s is too long, at most %s; a later run can extend it", settings.Duration(left.Round(time.Hour)), settings.Duration(longest))
	}
	return end.Truncate(time.Second), nil
}
