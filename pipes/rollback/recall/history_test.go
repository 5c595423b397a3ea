package recall

import (
	"fmt"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/release"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// history is a ledger in memory, with the images of its releases.
type history struct {
	environment string
	records     []ledger.Record
	images      map[string]*image.Image
	at          time.Time
}

func newHistory(environment string) *history {
	return &history{environment: environment, images: map[string]*image.Image{}, at: time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)}
}

// commit is the full hash that a digit stands for.
func commit(digit byte) string { return strings.Repeat(string(digit), 40) }

// add writes a record an hour after the one before.
func (h *history) add(r ledger.Record) ledger.Record {
	h.at = h.at.Add(time.Hour)
	r.Version, r.Application, r.Environment = 1, "shop", h.environment
	r.Time, r.ID = h.at, fmt.Sprintf("%08x", len(h.records))
	h.records = append(h.records, r)
	return r
}

// begin starts a release of a commit.
func (h *history) begin(c byte, change ...func(*ledger.Record)) ledger.Record {
	id := "ami-" + string(c)
	r := ledger.Record{
		Kind: ledger.KindStart, Commit: commit(c), Why: ledger.WhyDeploy, Settings: "s1", Template: "t1",
		Image:  ledger.Image{ID: id, Owner: "111122223333", RootSnapshot: "snap-" + string(c), Inputs: "in-" + string(c)},
		Schema: ledger.Schema{Fingerprint: ledger.Unknown, Compatible: ledger.Unknown},
		By:     ledger.By{Who: "{ann}", Build: len(h.records)},
	}
	for _, f := range change {
		f(&r)
	}
	if h.images[id] == nil {
		h.images[id] = &image.Image{
			ID: id, Owner: "111122223333", State: image.Available, RootSnapshot: "snap-" + string(c),
			Tags: map[string]string{image.TagInputs: "in-" + string(c), image.TagContract: "1", image.TagProcesses: "release web worker"},
		}
	}
	return h.add(r)
}

// end writes what became of a release.
func (h *history) end(start ledger.Record, outcome ledger.Outcome) {
	r := start
	r.Kind, r.Start, r.Outcome = ledger.KindEnd, start.Key(), outcome
	if outcome == ledger.RolledBack {
		r.Failure = "web: /health answers 500"
	}
	h.add(r)
}

// release is a whole release.
func (h *history) release(c byte, outcome ledger.Outcome, change ...func(*ledger.Record)) {
	h.end(h.begin(c, change...), outcome)
}

func (h *history) hold(c byte) {
	h.add(ledger.Record{Kind: ledger.KindHold, Commit: commit(c), Image: ledger.Image{ID: "ami-" + string(c)}, Reason: "orders were lost", By: ledger.By{Who: "{bob}"}})
}

func (h *history) lift(c byte) {
	h.add(ledger.Record{Kind: ledger.KindLift, Commit: commit(c), Reason: "it was the network"})
}

func why(w string) func(*ledger.Record) { return func(r *ledger.Record) { r.Why = w } }

// migrating is a release that has run migrations.
func migrating(fingerprint, compatible string) func(*ledger.Record) {
	return func(r *ledger.Record) {
		r.Migrated, r.Schema = true, ledger.Schema{Fingerprint: fingerprint, Compatible: compatible}
	}
}

func withSchema(fingerprint string) func(*ledger.Record) {
	return func(r *ledger.Record) { r.Schema.Fingerprint = fingerprint }
}

// stackOf is the stack of the servers with a commit in its parameters.
func stackOf(c byte, status stack.Status) *stack.Stack {
	return &stack.Stack{Name: "shop-production", Status: status, Parameters: map[string]string{
		environment.ParameterCommit: commit(c), environment.ParameterImage: "ami-" + string(c), environment.ParameterSettings: "s1",
	}}
}

// facts are those of somebody who asks for a commit while the stack runs another.
func (h *history) facts(ask string, now *stack.Stack) *facts {
	s := &Settings{Action: ActionRollback, Commit: ask, Application: "shop", Environment: h.environment, ProvenIn: h.environment, Interrupt: true, Hold: true}
	return &facts{s: s, here: h.records, proven: h.records, servers: now, began: h.at.Add(time.Hour), template: "t1", roles: []release.Role{
		{Name: "web", Contract: 1, Processes: []string{"web"}, Health: "/health"}, {Name: "worker", Contract: 1, Processes: []string{"worker"}},
	}}
}

// images are all that the account has.
func (h *history) all() []image.Image {
	var all []image.Image
	for _, img := range h.images {
		if img != nil {
			all = append(all, *img)
		}
	}
	return all
}

// decide does what a run does before it touches anything.
func (h *history) decide(f *facts) (*target, step, error) {
	commit, _, unclear := f.pick()
	if unclear != nil {
		return nil, "", f.refusal([]objection{*unclear}, f.offers(h.all()))
	}
	t := f.aim(commit)
	if t.proof != nil {
		t.image = h.images[t.proof.Start.Image.ID]
	}
	next, against, err := f.choose(t)
	if len(against) > 0 {
		err = f.refusal(against, f.offers(h.all()))
	}
	return t, next, err
}
