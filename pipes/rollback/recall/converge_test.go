package recall_test

import (
	"os"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// looks is how many of the calls that only look there are to one that gets a fault.
const looks = 16

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

var scenes = []lab.Scene{
	{Name: "previous", Set: scene{before: func(p *place) { p.live("12") }, ask: "previous", runs: '1', held: "2"}.set},
	{Name: "further back", Set: scene{before: func(p *place) { p.live("123") }, ask: commit('1'), runs: '1', held: "3"}.set},
	{Name: "in a soak, back to what was", Set: scene{before: func(p *place) { p.live("12"); p.leave('3') }, ask: "previous", runs: '2', held: "3"}.set},
	{Name: "in a soak, further back", Set: scene{before: func(p *place) { p.live("12"); p.leave('3') }, ask: commit('1'), runs: '1', held: "32"}.set},
	{Name: "failing", Set: scene{before: func(p *place) { p.live("12"); p.ail("web") }, ask: "previous", runs: '2', held: "2", open: true}.set, Code: exit.Refused},
	{Name: "plan", Set: scene{before: func(p *place) { p.live("12") }, ask: "previous", variables: []string{"ACTION=plan"}, runs: '2'}.set},
	{Name: "lift", Set: scene{before: func(p *place) { p.live("12"); p.hold('1') }, ask: commit('1'), variables: []string{"ACTION=lift-hold", "REASON=it was the network"}, runs: '2'}.set},
}

// scene is what there was before a run, and what is to be in the end. The run is made again
// by the same pipeline, as somebody does who presses the button for a failed step.
type scene struct {
	before    func(p *place)
	ask       string
	variables []string
	runs      byte   // in the end
	held      string // commits
	open      bool   // releases may be
}

// leave begins a release whose run is killed, and waits for its soak.
func (p *place) leave(c byte) {
	p.deploy(c, fault.On("cloudformation:ExecuteChangeSet", 1, fault.KilledAfter), "SOAK=10m")
	p.When("the soak has begun", p.soaking)
}

// set makes the account in which the scene plays.
func (s scene) set(t *testing.T) lab.Stage {
	p := newPlace(t, lab.Quick, "123")
	p.File(production, strings.Replace(file, "soak: 2m", "soak: 0m", 1)+"release: {when: never}\n")
	s.before(p)
	variables := append([]string{"BITBUCKET_BUILD_NUMBER=42", "BITBUCKET_REPO_FULL_NAME=acme/shop"}, s.variables...)
	return lab.Stage{
		Run:   func(plan fault.Plan) lab.Outcome { return p.rollback(s.ask, plan, variables...) },
		Guard: func() func() map[string]int { return p.GuardLeast(servers, map[string]int{"web": 2, "worker": 1}) },
		Check: func() { s.check(p) }, State: p.State,
	}
}

// TestEveryCallCanFail breaks runs at each of their AWS calls in turn and then runs the
// pipe once more: that ends where two undisturbed runs end, and at no moment are fewer
// servers in service than before.
func TestEveryCallCanFail(t *testing.T) { lab.EveryCallCanFail(t, "rollback", looks, scenes...) }

// check holds the ledger against what is to be in the end: no release is open, what is live
// there is what runs, and what is held is what was left.
func (s scene) check(p *place) {
	p.T.Helper()
	records := p.Records(production)
	if open := ledger.Unsettled(records); len(open) > 0 && !s.open {
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
