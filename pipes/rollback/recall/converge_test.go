package recall_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// looks is how many of the calls that only look there are to one that gets a fault.
const looks = 16

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// scene is a run that is disturbed, and what was there before. It is run again by the same
// pipeline, as somebody does who presses the button for a failed step.
type scene struct {
	name      string
	before    func(p *place)
	ask       string
	variables []string
	code      exit.Code // of an undisturbed run
	runs      byte      // in the end
	held      string    // commits
}

var scenes = []scene{
	{name: "previous", before: func(p *place) { p.live("12") }, ask: "previous", runs: '1', held: "2"},
	{name: "further back", before: func(p *place) { p.live("123") }, ask: commit('1'), runs: '1', held: "3"},
	{name: "in a soak, back to what was", before: func(p *place) { p.live("12"); p.leave('3') }, ask: "previous", runs: '2', held: "3"},
	{name: "in a soak, further back", before: func(p *place) { p.live("12"); p.leave('3') }, ask: commit('1'), runs: '1', held: "32"},
	{name: "failing", before: func(p *place) { p.live("12"); p.ail("web") }, ask: "previous", code: exit.Refused, runs: '2', held: "2"},
	{name: "plan", before: func(p *place) { p.live("12") }, ask: "previous", variables: []string{"ACTION=plan"}, runs: '2'},
	{name: "lift", before: func(p *place) { p.live("12"); p.hold('1') }, ask: commit('1'), variables: []string{"ACTION=lift-hold", "REASON=it was the network"}, runs: '2'},
}

// leave begins a release whose run is killed, and waits for its soak.
func (p *place) leave(c byte) {
	p.deploy(c, fault.On("cloudformation:ExecuteChangeSet", 1, fault.KilledAfter), "SOAK=10m")
	p.When("the soak has begun", p.soaking)
}

func (s scene) run(p *place, plan fault.Plan) lab.Outcome {
	return p.rollback(s.ask, plan, append([]string{"BITBUCKET_BUILD_NUMBER=42", "BITBUCKET_REPO_FULL_NAME=acme/shop"}, s.variables...)...)
}

// prepare makes the account in which the scene plays.
func (s scene) prepare(t *testing.T) *place {
	p := newPlace(t, lab.Quick, "123")
	p.File(production, strings.Replace(file, "soak: 2m", "soak: 0m", 1)+"release: {when: never}\n")
	s.before(p)
	return p
}

// TestEveryCallCanFail breaks runs at each of their AWS calls in turn and then runs the
// pipe once more: that ends where two undisturbed runs end, and at no moment are fewer
// servers in service than before.
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
	lab.Say("rollback, simulated time: %d faults at %d AWS calls of %d kinds of runs, %d runs", len(fault.Kinds), calls, len(scenes), runs.Load())
}

// undisturbed is the scene without faults: its calls, and how the account looks after two
// runs.
func (s scene) undisturbed(t *testing.T) (log []fault.Call, want []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := s.prepare(t)
		log = s.run(p, nil).Expect(t, s.code).Calls
		s.run(p, nil).Expect(t, s.code)
		want = p.State()
		s.check(p)
	})
	return log, want
}

// check holds the ledger against what is to be in the end: no release is open, what is live
// there is what runs, and what is held is what was left.
func (s scene) check(p *place) {
	p.T.Helper()
	records := p.Records(production)
	if open := ledger.Unsettled(records); len(open) > 0 && s.code == exit.Passed && len(s.variables) == 0 {
		p.T.Errorf("%d releases are open: %v", len(open), p.Tale(production))
	}
	if now := ledger.Running(records); now == nil || now.Start.Commit != commit(s.runs) {
		p.T.Errorf("the ledger says that %v is live: %v", now, p.Tale(production))
	}
	held := map[byte]bool{}
	for _, h := range ledger.Held(records) {
		held[h.Commit[0]] = true
	}
	for _, c := range []byte(s.held) {
		if !held[c] {
			p.T.Errorf("commit %c is not held: %v", c, p.Tale(production))
		}
	}
	if len(held) != len(s.held) {
		p.T.Errorf("held: %v", p.Tale(production))
	}
}

func (s scene) breakAndRepeat(t *testing.T, plan fault.Plan, want []string) {
	p := s.prepare(t)
	stop := p.GuardLeast(servers, map[string]int{"web": 2, "worker": 1})
	first := s.run(p, plan)
	if first.Code != s.code && first.Code != exit.Unable {
		t.Errorf("the disturbed run ends with exit code %d", first.Code)
	}
	second := s.run(p, nil).Expect(t, s.code)
	stop()
	s.check(p)
	p.same(want, p.State())
	if t.Failed() {
		t.Logf("the first run (exit code %d):\n%s\nthe second run (exit code %d):\n%s", first.Code, first.Log, second.Code, second.Log)
	}
}
