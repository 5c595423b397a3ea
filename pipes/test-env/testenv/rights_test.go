package testenv_test

import (
	"maps"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
)

// role is that of account.yml for this pipe; every run of every story is held against it.
const role = "fearless-" + application + "-test-env"

// asides are rights that no call is named after, by the reason.
var asides = map[string]string{
	"iam:PassRole":              "AWS asks for it when a role is handed over to CloudFormation, or to a schedule",
	"cloudformation:ListStacks": "AWS asks for it when all stacks are described",
	"s3:ListBucket":             "S3 asks for it before it says that an object is missing",
}

// TestRoleFitsTheCalls: the role allows what creating, giving more time, failing, ending
// and reaping need, and nothing else.
func TestRoleFitsTheCalls(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		used := map[string]bool{}
		collect := func(o lab.Outcome) {
			maps.Copy(used, lab.Actions(o.Calls))
		}
		collect(l.create(good1, "TTL=1h").Expect(t, exit.Passed))
		collect(l.act("extend", good1, "TTL=2h").Expect(t, exit.Passed))
		collect(l.act("list", "").Expect(t, exit.Passed))
		collect(l.act("destroy", good1).Expect(t, exit.Passed))
		collect(l.create(broken).Expect(t, exit.Refused))
		l.Cloud.RefuseLaunch("InsufficientInstanceCapacity", "We currently do not have sufficient t3.micro capacity in the Availability Zone you requested (us-east-1a).", 3)
		collect(l.create(good3, "TTL=1h").Expect(t, exit.Passed, "a server could not be launched"))
		l.cut = true // the balancer is asked instead
		collect(l.create(good2, "TTL=1h").Expect(t, exit.Passed))
		l.Cloud.FailSchedules("", "it is a bad day", 1000)
		pass(26 * time.Hour)
		collect(l.act("reap", "").Expect(t, exit.Passed, "left: 0"))
		lab.CheckNeeded(t, role, used, asides)
	})
}
