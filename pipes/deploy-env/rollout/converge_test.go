package rollout_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// looks is how many of the calls that only look there are to one that gets a fault.
const looks = 4

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

var scenes = []lab.Scene{
	{Name: "first create", Set: scene("", good1), Words: []string{"staging runs image"}},
	{Name: "release", Set: scene(good1, good2), Words: []string{"staging runs image"}},
	{Name: "failing release", Set: scene(good1, broken), Code: exit.Refused, Words: []string{"database is missing"}},
	{Name: "preview", Set: scene(good1, good2, "ACTION=preview"), Words: []string{"nothing was changed"}},
	{Name: "preview of nothing", Set: scene("", good1, "ACTION=preview"), Words: []string{"nothing was changed"}},
	{Name: "destroy", Set: scene(good1, good1, "ACTION=destroy"), Words: []string{"staging of shop is gone"}},
}

// scene is a run on a commit where another one runs already, unless before is blank.
func scene(before, commit string, variables ...string) func(*testing.T) lab.Stage {
	return func(t *testing.T) lab.Stage {
		l := newPlaceAt(t, lab.Quick)
		l.file(strings.Replace(stagingFile, "soak: 2m", "soak: 0m", 1))
		at := lab.Stage{
			Run:   func(plan fault.Plan) lab.Outcome { return l.deploy(commit, plan, variables...) },
			State: l.State, Check: l.checkLedger,
		}
		if before == "" {
			return at
		}
		l.deploy(before, nil).Expect(t, exit.Passed)
		if !slices.Contains(variables, "ACTION=destroy") {
			at.Guard = func() func() map[string]int { return l.Guard(serversStack) }
		}
		return at
	}
}

// TestEveryCallCanFail breaks runs at each of their AWS calls in turn and then runs the
// pipe once more: that ends where two undisturbed runs end, and at no moment are fewer
// servers in service than before.
//
// It found, and fails without: that a stack under review, which has no tags, is ours to
// remove; that a preview meets one; that a change set cannot be deleted while it is made.
func TestEveryCallCanFail(t *testing.T) { lab.EveryCallCanFail(t, "deploy-env", looks, scenes...) }
