package rollout_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// rights are what account.yml allows, as the test of that template keeps it on record:
// actions by the name of the role.
var rights = sync.OnceValue(func() map[string]map[string]bool {
	text, err := os.ReadFile("../../../tools/account/testdata/rights.txt")
	if err != nil {
		panic(err)
	}
	allowed := map[string]map[string]bool{}
	role := ""
	for line := range strings.Lines(string(text)) {
		if line[0] != ' ' {
			role = strings.TrimSpace(line)
			allowed[role] = map[string]bool{}
		}
		if actions, ok := strings.CutPrefix(strings.TrimSpace(line), "Allow "); ok {
			for action := range strings.SplitSeq(actions, ", ") {
				allowed[role][action] = true
			}
		}
	}
	return allowed
})

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

// checkRights holds the calls of a run, of any story, against the role that it would have
// in a real account.
func (l *lab) checkRights(calls []fault.Call, variables []string) {
	l.t.Helper()
	role := roleOf(variables)
	for _, action := range slices.Sorted(maps.Keys(actionsOf(calls))) {
		if !rights()[role][action] {
			l.t.Errorf("the pipe calls %s, and %s does not allow it", action, role)
		}
	}
}

func actionsOf(calls []fault.Call) map[string]bool {
	used := map[string]bool{}
	for _, call := range calls {
		used[iamAction(call.Service+":"+call.Action)] = true
	}
	return used
}

// iamAction is the name of the right that a call needs.
func iamAction(call string) string {
	switch call {
	case "s3:ListObjectsV2":
		return "s3:ListBucket"
	case "s3:HeadObject":
		return "s3:GetObject"
	}
	return call
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
	story(t, func(t *testing.T, l *lab) {
		used := map[string]map[string]bool{deployRole: {}, planRole: {}}
		collect := func(o outcome, variables ...string) {
			maps.Copy(used[roleOf(variables)], actionsOf(o.calls))
		}
		l.cloud.PutParameter("/shop/staging/greeting", "hello", false)
		settings := "settings: [/shop/staging]\nrelease: {when: always}\n" + stagingFile
		l.file(settings)
		collect(l.deploy(good1, nil, "ACTION=preview").expect(t, exit.Passed, "+ Vpc"), "ACTION=preview")
		collect(l.deploy(broken, nil).expect(t, exit.Refused))
		collect(l.deploy(good1, nil).expect(t, exit.Passed, "never came to life"))
		collect(l.meanwhile(time.Minute, func() { l.resize("WebGroup", 0, 3) }, good2).expect(t, exit.Passed))

		var all sync.WaitGroup
		var first, second, third outcome
		all.Go(func() { first = l.deploy(good1, nil) })
		time.Sleep(40 * time.Second) //nolint:forbidigo // simulated
		all.Go(func() { second = l.deploy(good1, nil) })
		all.Go(func() { third = l.deploy(good2, nil, "ACTION=preview") })
		all.Wait()
		collect(first.expect(t, exit.Passed))
		collect(second.expect(t, exit.Passed, "following it"))
		collect(third.expect(t, exit.Passed, "waiting for that to end"), "ACTION=preview")
		l.file(strings.Replace(settings, "/health", "/well", 1))
		collect(l.deploy(good1, nil, "ACTION=preview").expect(t, exit.Refused, "out of service"), "ACTION=preview")
		l.file(settings)

		l.cloud.RefuseDelete("WorkerGroup", "not now", 1)
		collect(l.deploy(good2, nil).expect(t, exit.Unable, "left over"))
		collect(l.deploy(good2, nil).expect(t, exit.Passed))

		l.file(settings + manyRoles())
		collect(l.deploy(good2, nil, "ACTION=preview").expect(t, exit.Passed, "nothing was changed"), "ACTION=preview")
		l.file(strings.Replace(settings, "/health", "/well", 1) + manyRoles()) // its template is written, then it is refused
		collect(l.deploy(good2, nil).expect(t, exit.Refused, "out of service"))
		collect(l.deploy(good2, nil, "ACTION=destroy").expect(t, exit.Passed))

		for role, calls := range used {
			for _, action := range slices.Sorted(maps.Keys(rights()[role])) {
				if !calls[action] && asides[action] == "" {
					t.Errorf("%s allows %s, and the pipe does not need it", role, action)
				}
			}
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
	story(t, func(t *testing.T, l *lab) {
		l.deploy(good1, nil).expect(t, exit.Passed)
		l.file(stagingFile + manyRoles())
		l.deploy(good1, nil, "ACTION=preview").expect(t, exit.Passed, "nothing was changed")
		for key := range l.cloud.Objects(l.cloud.Bucket()) {
			if strings.HasPrefix(key, "templates/") {
				t.Errorf("a preview wrote %s", key)
			}
		}
		for _, s := range l.cloud.Stacks() {
			if s.Status == "REVIEW_IN_PROGRESS" {
				t.Errorf("a preview left stack %s behind", s.Name)
			}
		}
	})
}
