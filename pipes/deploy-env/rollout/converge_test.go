package rollout_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// looks is how many of the calls that only look there are to one that gets a fault.
const looks = 4

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// scene is a run that is disturbed, and what was there before.
type scene struct {
	name      string
	before    string // the commit that runs, if any
	commit    string
	variables []string
	code      exit.Code // of an undisturbed run
	words     []string  // of the second run in any case
}

var scenes = []scene{
	{name: "first create", commit: good1, words: []string{"staging runs image"}},
	{name: "release", before: good1, commit: good2, words: []string{"staging runs image"}},
	{name: "failing release", before: good1, commit: broken, code: exit.Refused, words: []string{"database is missing"}},
	{name: "preview", before: good1, commit: good2, variables: []string{"ACTION=preview"}, words: []string{"nothing was changed"}},
	{name: "preview of nothing", commit: good1, variables: []string{"ACTION=preview"}, words: []string{"nothing was changed"}},
	{name: "destroy", before: good1, commit: good1, variables: []string{"ACTION=destroy"}, words: []string{"staging of shop is gone"}},
}

func (s scene) run(l *place, plan fault.Plan) lab.Outcome {
	return l.deploy(s.commit, plan, s.variables...)
}

// prepare makes the account in which the scene plays.
func (s scene) prepare(t *testing.T) *place {
	l := newPlaceAt(t, lab.Quick)
	l.file(strings.Replace(stagingFile, "soak: 2m", "soak: 0m", 1))
	if s.before != "" {
		l.deploy(s.before, nil).Expect(t, exit.Passed)
	}
	return l
}

// TestEveryCallCanFail breaks runs at each of their AWS calls in turn and then runs the
// pipe once more: that ends where two undisturbed runs end, and at no moment are fewer
// servers in service than before.
//
// It found, and fails without: that a stack under review, which has no tags, is ours to
// remove; that a preview meets one; that a change set cannot be deleted while it is made.
func TestEveryCallCanFail(t *testing.T) {
	var runs atomic.Int64
	calls := 0
	t.Run("in", func(t *testing.T) {
		for _, s := range scenes {
			log, want := s.undisturbed(t)
			calls += len(log)
			for _, c := range lab.Sweep(log, looks) {
				t.Run(fmt.Sprintf("%s/%s/%d", s.name, c.Name, c.N), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						runs.Add(2)
						s.breakAndRepeat(t, c.Plan(c.N), want)
					})
				})
			}
		}
	})
	lab.Say("deploy-env, simulated time: %d faults at %d AWS calls of %d kinds of runs, %d runs", len(fault.Kinds), calls, len(scenes), runs.Load())
}

// undisturbed is the scene without faults: its calls, and how the account looks after
// two runs.
func (s scene) undisturbed(t *testing.T) (log []fault.Call, want []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := s.prepare(t)
		log = s.run(l, nil).Expect(t, s.code, s.words...).Calls
		s.run(l, nil).Expect(t, s.code, s.words...)
		want = l.State()
	})
	return log, want
}

func (s scene) breakAndRepeat(t *testing.T, plan fault.Plan, want []string) {
	l := s.prepare(t)
	stop := func() map[string]int { return nil }
	if s.before != "" && !slices.Contains(s.variables, "ACTION=destroy") {
		stop = l.Guard(serversStack)
	}
	first := s.run(l, plan)
	if first.Code != s.code && first.Code != exit.Unable {
		t.Errorf("the disturbed run ends with exit code %d", first.Code)
	}
	second := s.run(l, nil).Expect(t, s.code, s.words...)
	stop()
	l.checkLedger()
	if diff := cmp.Diff(want, l.State()); diff != "" {
		t.Errorf("the account after both runs (-want +got):\n%s", diff)
	}
	if t.Failed() {
		t.Logf("the first run (exit code %d):\n%s\nthe second run (exit code %d):\n%s", first.Code, first.Log, second.Code, second.Log)
	}
}
