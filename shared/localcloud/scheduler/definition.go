package scheduler

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// deleteStack is the universal target that calls DeleteStack.
const deleteStack = "arn:aws:scheduler:::aws-sdk:cloudformation:deleteStack"

// Bounds of a retry policy; the upper ones are also what counts without one.
const (
	minAge, maxAge = 60, 86_400 // seconds
	maxRetries     = 185
	maxDescription = 512
	maxToken       = 64
)

var (
	names   = regexp.MustCompile(`^[0-9a-zA-Z_.-]{1,64}$`)
	oneTime = regexp.MustCompile(`^at\((.+)\)$`)
)

// definition is what a caller says of a schedule: a field for every parameter
// that is understood.
type definition struct {
	Name, GroupName            string
	Description                string
	ScheduleExpression         string
	ScheduleExpressionTimezone string
	State                      string
	ActionAfterCompletion      string
	FlexibleTimeWindow         struct{ Mode string }
	Target                     target

	at      time.Time
	deletes Deletion
}

type target struct {
	Arn         string `json:"Arn"`
	Input       string `json:"Input,omitempty"`
	RoleArn     string `json:"RoleArn"`
	RetryPolicy *retry `json:"RetryPolicy,omitempty"`
}

type retry struct {
	MaximumEventAgeInSeconds *int `json:"MaximumEventAgeInSeconds,omitempty"`
	MaximumRetryAttempts     *int `json:"MaximumRetryAttempts,omitempty"`
}

// retries are how often the target is called again, and for how long.
func (d definition) retries() (attempts int, age time.Duration) {
	attempts, seconds := maxRetries, maxAge
	if policy := d.Target.RetryPolicy; policy != nil && policy.MaximumRetryAttempts != nil {
		attempts = *policy.MaximumRetryAttempts
	}
	if policy := d.Target.RetryPolicy; policy != nil && policy.MaximumEventAgeInSeconds != nil {
		seconds = *policy.MaximumEventAgeInSeconds
	}
	return attempts, time.Duration(seconds) * time.Second
}

// complete fills in what was left out and refuses what is wrong. Parameters
// that are left out of an update fall back as they do in a create.
func (d *definition) complete(takes func(role string) bool) *wire.Error {
	for _, fallback := range []struct {
		value *string
		is    string
	}{
		{&d.GroupName, defaultGroup}, {&d.State, "ENABLED"}, {&d.ActionAfterCompletion, "NONE"}, {&d.ScheduleExpressionTimezone, "UTC"},
	} {
		if *fallback.value == "" {
			*fallback.value = fallback.is
		}
	}
	switch {
	case !names.MatchString(d.Name) || !names.MatchString(d.GroupName):
		return invalid("Names of schedules and groups have 1 to 64 of the characters 0-9 a-z A-Z - _ . : %q in %q", d.Name, d.GroupName)
	case len(d.Description) > maxDescription:
		return invalid("Description must have length less than or equal to %d", maxDescription)
	case d.FlexibleTimeWindow.Mode == "":
		return invalid("FlexibleTimeWindow.Mode must not be null")
	case d.FlexibleTimeWindow.Mode != "OFF":
		return wire.Unsupported("FlexibleTimeWindow.Mode %s", d.FlexibleTimeWindow.Mode)
	case d.State != "ENABLED":
		return wire.Unsupported("State %s", d.State)
	case d.ActionAfterCompletion != "NONE" && d.ActionAfterCompletion != "DELETE":
		return invalid("ActionAfterCompletion must be one of NONE, DELETE: %s", d.ActionAfterCompletion)
	}
	if failure := d.readTime(); failure != nil {
		return failure
	}
	return d.readTarget(takes)
}

// readTime reads at(yyyy-mm-ddThh:mm:ss), the only expression we schedule by.
func (d *definition) readTime() *wire.Error {
	if d.ScheduleExpressionTimezone != "UTC" {
		return wire.Unsupported("ScheduleExpressionTimezone %s", d.ScheduleExpressionTimezone)
	}
	if strings.HasPrefix(d.ScheduleExpression, "rate(") || strings.HasPrefix(d.ScheduleExpression, "cron(") {
		return wire.Unsupported("schedules that come again: %s", d.ScheduleExpression)
	}
	m := oneTime.FindStringSubmatch(d.ScheduleExpression)
	if m == nil {
		return invalid("Invalid Schedule Expression %s.", d.ScheduleExpression)
	}
	at, err := time.Parse("2006-01-02T15:04:05", m[1])
	if err != nil {
		return invalid("Invalid Schedule Expression %s.", d.ScheduleExpression)
	}
	if !at.After(time.Now()) {
		return invalid("Invalid Schedule Expression %s. The time is in the past.", d.ScheduleExpression)
	}
	d.at = at
	return nil
}

func (d *definition) readTarget(takes func(role string) bool) *wire.Error {
	t := d.Target
	attempts, age := d.retries()
	switch {
	case t.Arn == "" || t.RoleArn == "":
		return invalid("A target needs an Arn and a RoleArn")
	case t.Arn != deleteStack:
		return wire.Unsupported("the target %s", t.Arn)
	case attempts < 0 || attempts > maxRetries:
		return invalid("MaximumRetryAttempts must be between 0 and %d: %d", maxRetries, attempts)
	case age < minAge*time.Second || age > maxAge*time.Second:
		return invalid("MaximumEventAgeInSeconds must be between %d and %d: %d", minAge, maxAge, age/time.Second)
	case !takes(t.RoleArn):
		return invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")
	}
	input := json.NewDecoder(bytes.NewReader([]byte(t.Input)))
	input.DisallowUnknownFields()
	if err := input.Decode(&d.deletes); err != nil {
		return wire.Unsupported("the Input of %s: %v", deleteStack, err)
	}
	if d.deletes.StackName == "" {
		return wire.Unsupported("the Input of %s without a StackName", deleteStack)
	}
	return nil
}
