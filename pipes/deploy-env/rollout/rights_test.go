package rollout_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
)

// Roles of account.yml.
const (
	deployRole = "fearless-" + application + "-deploy-env"
	planRole   = "fearless-" + application + "-plan"
)

// roleOf is the role that a run takes by default.
func roleOf(variables []string) string {
	if slices.Contains(variables, "ACTION=preview") || slices.Contains(variables, "ACTION=history") {
		return planRole
	}
	return deployRole
}

// asides are rights that no call is named after, or that this story does not come to need,
// by the reason.
var asides = map[string]string{
	"iam:PassRole":                          "AWS asks for it when a service role is handed over",
	"cloudformation:GetTemplate":            "for the plan of a rollback",
	"cloudformation:ContinueUpdateRollback": "for a rollback that failed, which the story of stuck stacks makes",
}

// TestRolesFitTheCalls: the roles allow nothing that deploys, previews, failures, cleaning
// up and destroying do not need. That they allow what is needed is checked in every story.
func TestRolesFitTheCalls(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		used := map[string]map[string]bool{deployRole: {}, planRole: {}}
		collect := func(o lab.Outcome, variables ...string) {
			maps.Copy(used[roleOf(variables)], lab.Actions(o.Calls))
		}
		l.Cloud.PutParameter("/shop/staging/greeting", "hello", false)
		settings := "settings: [/shop/staging]\nrelease: {when: always}\n" + stagingFile
		l.file(settings)
		collect(l.deploy(good1, nil, "ACTION=preview").Expect(t, exit.Passed, "+ Vpc"), "ACTION=preview")
		collect(l.deploy(broken, nil).Expect(t, exit.Refused))
		collect(l.deploy(good1, nil).Expect(t, exit.Passed, "never came to life"))
		collect(l.meanwhile(time.Minute, func() { l.resize("WebGroup", 0, 3) }, good2).Expect(t, exit.Passed))

		var all sync.WaitGroup
		var first, second, third lab.Outcome
		all.Go(func() { first = l.deploy(good1, nil) })
		time.Sleep(40 * time.Second) //nolint:forbidigo // simulated
		all.Go(func() { second = l.deploy(good1, nil) })
		all.Go(func() { third = l.deploy(good2, nil, "ACTION=preview") })
		all.Wait()
		collect(first.Expect(t, exit.Passed))
		collect(second.Expect(t, exit.Passed, "following it"))
		collect(third.Expect(t, exit.Passed, "waiting for that to end"), "ACTION=preview")
		l.file(strings.Replace(settings, "/health", "/well", 1))
		collect(l.deploy(good1, nil, "ACTION=preview").Expect(t, exit.Refused, "out of service"), "ACTION=preview")
		l.file(settings)

		l.Cloud.RefuseDelete("WorkerGroup", "not now", 1)
		collect(l.deploy(good2, nil).Expect(t, exit.Unable, "left over"))
		collect(l.deploy(good2, nil).Expect(t, exit.Passed))

		l.file(settings + manyRoles())
		collect(l.deploy(good2, nil, "ACTION=preview").Expect(t, exit.Passed, "nothing was changed"), "ACTION=preview")
		l.file(strings.Replace(settings, "/health", "/well", 1) + manyRoles()) // its template is written, then it is refused
		collect(l.deploy(good2, nil).Expect(t, exit.Refused, "out of service"))
		collect(l.deploy(good2, nil, "ACTION=destroy").Expect(t, exit.Passed))

		for role, calls := range used {
			lab.CheckNeeded(t, role, calls, asides)
		}
	})
}

// manyRoles make a template that is too large to be sent in a call.
func manyRoles() string {
	var b strings.Builder
	for n := range 12 {
		fmt.Fprintf(&b, "  extra-%c: {processes: [worker], ready: %q}\n", 'a'+n, "true "+strings.Repeat("x", 900))
	}
	return b.String()
}

// A preview writes its template where no deploy reads it.
func TestPreviewsKeepToThemselves(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.file(stagingFile + manyRoles())
		l.deploy(good1, nil, "ACTION=preview").Expect(t, exit.Passed, "nothing was changed")
		for key := range l.Cloud.Objects(l.Cloud.Bucket()) {
			if strings.HasPrefix(key, "templates/") {
				t.Errorf("a preview wrote %s", key)
			}
		}
		for _, s := range l.Cloud.Stacks() {
			if s.Status == "REVIEW_IN_PROGRESS" {
				t.Errorf("a preview left stack %s behind", s.Name)
			}
		}
	})
}
