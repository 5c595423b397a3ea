package rollout_test

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
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

// every asks for the whole matrix, which takes minutes. Without it the calls that change
// something get every fault, and every fourth of those that only look gets one, in turn.
var every = flag.Bool("every", false, "put every fault on every AWS call, also on those that only look")

// said are figures to be seen without -v.
var said []string

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(400) // many small accounts, and memory enough
	code := m.Run()
	for _, line := range said {
		fmt.Println(line)
	}
	os.Exit(code)
}

// patience is how often the SDK makes a call before it gives up.
const patience = 5

// faults are what is put on single calls of a run, one call and one fault at a time.
var faults = []struct {
	kind string
	plan func(n int) fault.Plan
}{
	{"server error", func(n int) fault.Plan { return fault.Burst(n, patience, fault.Error(500, "InternalFailure")) }},
	{"refusal", func(n int) fault.Plan { return fault.At(n, fault.Error(403, "AccessDenied")) }},
	{"lost reply", func(n int) fault.Plan { return fault.At(n, fault.Lost) }},
	{"throttling", func(n int) fault.Plan { return fault.Burst(n, patience, fault.Throttle) }},
	{"kill before", func(n int) fault.Plan { return fault.At(n, fault.KilledBefore) }},
	{"kill after", func(n int) fault.Plan { return fault.At(n, fault.KilledAfter) }},
}

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
	var sweep fault.Sweep
	t.Run("in", func(t *testing.T) {
		for _, s := range scenes {
			log, want := s.undisturbed(t)
			calls += len(log)
			for n := 1; n <= len(log); n++ {
				for turn, f := range faults {
					if !*every && !writes(log[n-1]) && n%(4*len(faults)) != 4*turn {
						continue
					}
					if !sweep.Next() {
						continue
					}
					t.Run(fmt.Sprintf("%s/%s/%d", s.name, f.kind, n), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							runs.Add(2)
							s.breakAndRepeat(t, f.plan(n), want)
						})
					})
				}
			}
		}
	})
	said = append(said, fmt.Sprintf("deploy-env, simulated time: %d faults at %d AWS calls of %d kinds of runs, %d runs", len(faults), calls, len(scenes), runs.Load()))
}

// writes tells whether a call may change something.
func writes(c fault.Call) bool {
	return !slices.ContainsFunc([]string{"Describe", "List", "Get"}, func(verb string) bool { return strings.HasPrefix(c.Action, verb) })
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
