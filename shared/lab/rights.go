package lab

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// rights are what account.yml allows, as the test of that template keeps it on record:
// actions by the name of the role.
var rights = sync.OnceValue(func() map[string]map[string]bool {
	_, here, _, _ := runtime.Caller(0)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(here), "../../tools/account/testdata/rights.txt"))
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

// Rights are the actions that a role of account.yml allows, sorted.
func Rights(role string) []string { return slices.Sorted(maps.Keys(rights()[role])) }

// Within holds the calls of a run against the role of account.yml that it would have in a
// real account: the cloud itself lets everybody do everything.
func (o Outcome) Within(t testing.TB, role string) Outcome {
	t.Helper()
	if rights()[role] == nil {
		t.Errorf("account.yml has no role %s", role)
		return o
	}
	for _, action := range slices.Sorted(maps.Keys(Actions(o.Calls))) {
		if !rights()[role][action] {
			t.Errorf("the pipe calls %s, and %s does not allow it", action, role)
		}
	}
	return o
}

// Actions are the rights that calls need, by their names in IAM.
func Actions(calls []fault.Call) map[string]bool {
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
	case "s3:DeleteObjects":
		return "s3:DeleteObject"
	}
	return call
}

// CheckNeeded wants every right of a role to be among those that were used, or among the
// asides, which say why no call is named after them.
func CheckNeeded(t testing.TB, role string, used map[string]bool, asides map[string]string) {
	t.Helper()
	for _, action := range Rights(role) {
		if !used[action] && asides[action] == "" {
			t.Errorf("%s allows %s, and the pipe does not need it", role, action)
		}
	}
}
