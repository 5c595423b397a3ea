package lab_test

import (
	"slices"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// complaints is a test that only remembers how often it has failed.
type complaints struct {
	testing.TB
	lines int
}

func (c *complaints) Helper()               {}
func (c *complaints) Errorf(string, ...any) { c.lines++ }

func TestRightsAreHeldAgainstTheCalls(t *testing.T) {
	const role = "fearless-shop-plan"
	o := lab.Outcome{Code: exit.Refused, Log: "all is well", Calls: []fault.Call{{Service: "s3", Action: "HeadObject"}, {Service: "ec2", Action: "RunInstances"}}}
	for name, test := range map[string]struct {
		check func(*complaints)
		want  int
	}{
		"the wrong code and word": {func(c *complaints) { o.Expect(c, exit.Passed, "well", "bad") }, 2},
		"a call too many":         {func(c *complaints) { o.Within(c, role) }, 1},
		"no such role":            {func(c *complaints) { o.Within(c, "fearless-shop-none") }, 1},
		"rights too many": {func(c *complaints) {
			lab.CheckNeeded(c, role, lab.Actions(o.Calls), map[string]string{"s3:ListBucket": "for a reason"})
		},
			len(lab.Rights(role)) - 2},
	} {
		c := &complaints{TB: t}
		if test.check(c); c.lines != test.want {
			t.Errorf("%s: %d complaints, want %d", name, c.lines, test.want)
		}
	}
	if !slices.Contains(lab.Rights(role), "s3:GetObject") {
		t.Error("a right that the role has was not read")
	}
}
