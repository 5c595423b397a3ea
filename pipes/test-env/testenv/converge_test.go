package testenv_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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
	before    func(*place)
	variables []string
	code      exit.Code // of an undisturbed run, the first and the second
	words     []string  // of the second run in any case
}

var scenes = []scene{
	{name: "create", variables: []string{"COMMIT=" + good1}, words: []string{"shows commit 111111111111"}},
	{name: "create again", before: func(l *place) { l.create(good1) }, variables: []string{"COMMIT=" + good1, "TTL=2d"}, words: []string{"shows commit 111111111111 until Mon 3 Jan"}},
	{name: "never healthy", variables: []string{"COMMIT=" + broken}, code: exit.Refused, words: []string{"database is missing"}},
	{name: "extend", before: func(l *place) { l.create(good1) }, variables: []string{"ACTION=extend", "COMMIT=" + good1, "TTL=2d"}, words: []string{"until Mon 3 Jan"}},
	{name: "list", before: func(l *place) { l.create(good1) }, variables: []string{"ACTION=list"}, words: []string{"1 test environments of shop"}},
	{name: "destroy", before: func(l *place) { l.create(good1); l.create(good2) }, variables: []string{"ACTION=destroy", "COMMIT=" + good1}, words: []string{"of commit 111111111111"}},
	{name: "reap", before: func(l *place) {
		l.create(good1, "TTL=1h")
		l.create(broken, "TTL=1h", "KEEP_FAILED=true")
		l.create(good2)
		l.Cloud.FailSchedules("fearless/", "not now", 1000)
		pass(9 * time.Hour)
	}, variables: []string{"ACTION=reap"}, words: []string{"left: 0"}},
}

// TestEveryCallCanFail breaks runs at each of their AWS calls in turn and then runs the
// pipe once more: that ends where two undisturbed runs end. At no moment is there a stack
// without a schedule that ends it.
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
	lab.Say("test-env, simulated time: %d faults at %d AWS calls of %d kinds of runs, %d runs", len(fault.Kinds), calls, len(scenes), runs.Load())
}

func (s scene) prepare(t *testing.T) *place {
	l := newPlace(t)
	if s.before != nil {
		s.before(l)
	}
	return l
}

// state is what somebody pays for, and what will end it.
func (l *place) state() []string {
	all := l.shown()
	for _, a := range l.armed() {
		name, _, _ := strings.Cut(a, " ")
		all = append(all, "schedule "+name)
	}
	return append(all, fmt.Sprintf("%d servers", l.servers()), l.balanced())
}

// undisturbed is the scene without faults: its calls, and how the account looks after
// two runs.
func (s scene) undisturbed(t *testing.T) (log []fault.Call, want []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := s.prepare(t)
		log = l.run(nil, s.variables...).Expect(t, s.code, s.words...).Calls
		l.run(nil, s.variables...).Expect(t, s.code, s.words...)
		want = l.state()
	})
	return log, want
}

func (s scene) breakAndRepeat(t *testing.T, plan fault.Plan, want []string) {
	l := s.prepare(t)
	first := l.run(plan, s.variables...)
	if first.Code != s.code && first.Code != exit.Unable {
		t.Errorf("the disturbed run ends with exit code %d", first.Code)
	}
	second := l.run(nil, s.variables...).Expect(t, s.code, s.words...)
	if diff := cmp.Diff(want, l.state()); diff != "" {
		t.Errorf("the account after both runs (-want +got):\n%s", diff)
	}
	if t.Failed() {
		t.Logf("the first run (exit code %d):\n%s\nthe second run (exit code %d):\n%s", first.Code, first.Log, second.Code, second.Log)
	}
}
