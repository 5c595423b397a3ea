package recall

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// histories is how many are tried; a few hundred take minutes.
var histories = flag.Uint64("histories", 3, "how many random histories of an environment are tried")

// world is an environment that random things happen to. Its ledger is a real one, in the
// bucket of the local cloud; its images are in memory.
type world struct {
	*history
	t    *testing.T
	rng  *rand.Rand
	book *ledger.Ledger

	live  byte
	next  byte
	tale  []string
	picks int
}

func (w *world) note(format string, args ...any) {
	w.tale = append(w.tale, fmt.Sprintf(format, args...))
}

// release writes a whole release into the ledger; at times nobody writes its end.
func (w *world) release(c byte, outcome ledger.Outcome, why string) {
	w.begin(c, func(r *ledger.Record) { r.Why = why })
	start, err := w.book.Start(w.t.Context(), w.records[len(w.records)-1])
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.book.End(w.t.Context(), start, ledger.Record{Outcome: outcome}); err != nil {
		w.t.Fatal(err)
	}
	w.reread()
}

// reread reads the ledger as it is now.
func (w *world) reread() {
	var err error
	if w.records, err = w.book.All(w.t.Context(), time.Time{}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) holds(c byte) bool {
	return slices.ContainsFunc(ledger.Held(w.records), func(h ledger.Record) bool { return h.Commit == commit(c) })
}

// deploy releases a new commit, or one again, with an outcome that chance gives.
func (w *world) deploy() {
	c := w.next
	if w.next++; w.rng.IntN(4) == 0 {
		w.next--
		c = 'a' + byte(w.rng.IntN(int(w.next-'a')))
		if w.images["ami-"+string(c)] == nil || w.holds(c) {
			return
		}
	}
	outcome := []ledger.Outcome{ledger.Live, ledger.Live, ledger.Live, ledger.LiveUnproven, ledger.RolledBack, ledger.Failed, ledger.Cancelled}[w.rng.IntN(7)]
	w.release(c, outcome, ledger.WhyDeploy)
	if outcome == ledger.Live || outcome == ledger.LiveUnproven {
		w.live = c
	}
	w.note("deploy %c: %s", c, outcome)
}

// sweep removes images as ami-bake does: all but what runs and what the ledger keeps.
func (w *world) sweep(keep int) {
	kept, err := w.book.Keep(w.t.Context(), keep)
	if err != nil {
		w.t.Fatal(err)
	}
	for id := range w.images {
		if id != "ami-"+string(w.live) && !slices.ContainsFunc(kept, func(k ledger.Kept) bool { return k.Image == id }) {
			w.images[id] = nil
		}
	}
	w.note("sweep keeps %d: %v", keep, kept)
}

// rollback asks for something, and does what is decided. What is chosen must have come
// through once, be there, and not be held. And who reads no more of the ledger than a run
// does must come to the same as who reads it all.
func (w *world) rollback() {
	ask := Previous
	if w.rng.IntN(2) == 0 {
		ask = commit('a' + byte(w.rng.IntN(int(w.next-'a'))))
	}
	f := w.facts(ask, stackOf(w.live, stack.UpdateComplete))
	chosen, next, err := w.decide(f)
	w.note("rollback to %.8s: %s, %v", ask, next, err)
	w.checkReading(ask, f, chosen, next, err)
	if err != nil || next == stepNone {
		return
	}
	w.picks++
	proven := slices.ContainsFunc(w.records, func(r ledger.Record) bool {
		return r.Kind == ledger.KindEnd && r.Commit == chosen.commit && r.Outcome == ledger.Live && r.Image.ID == chosen.proof.Start.Image.ID
	})
	if !proven || w.images[chosen.proof.Start.Image.ID] == nil || w.holds(chosen.commit[0]) {
		w.t.Errorf("commit %.4s is chosen", chosen.commit)
	}
	for _, v := range f.left(chosen.version()) {
		if _, err := w.book.Hold(w.t.Context(), ledger.Record{Commit: v.Commit, Image: ledger.Image{ID: v.Image}}); err != nil {
			w.t.Fatal(err)
		}
	}
	outcome := ledger.Live
	if w.rng.IntN(5) == 0 {
		outcome = ledger.RolledBack
	} else {
		w.live = chosen.commit[0]
	}
	w.release(chosen.commit[0], outcome, ledger.WhyRollback)
}

func (w *world) checkReading(ask string, all *facts, chosen *target, next step, err error) {
	records, unreadable := read(w.t.Context(), w.Ledger(), ask)
	if unreadable != nil {
		w.t.Fatal(unreadable)
	}
	f := w.facts(ask, all.servers)
	f.here, f.proven = records, records
	again, step, refused := w.decide(f)
	if step != next || (refused == nil) != (err == nil) {
		w.t.Errorf("%d of %d records: %s, %v, and all of them: %s, %v", len(records), len(w.records), step, refused, next, err)
		return
	}
	if err != nil || next == stepNone {
		return
	}
	if again.commit != chosen.commit || again.proof.Key() != chosen.proof.Key() {
		w.t.Errorf("%d of %d records: commit %.4s, and all of them: %.4s", len(records), len(w.records), again.commit, chosen.commit)
	}
}

// Ledger is the same one, of somebody who has read nothing of it yet.
func (w *world) Ledger() *ledger.Ledger {
	return &ledger.Ledger{API: w.book.API, Bucket: w.book.Bucket, Application: w.book.Application, Environment: w.book.Environment}
}

// hasWayBack reports whether anything would be accepted.
func (w *world) hasWayBack() bool {
	return len(w.facts(Previous, stackOf(w.live, stack.UpdateComplete)).offers(w.all())) > 0
}

// TestRandomHistories: whatever happened before, what is chosen has come through once, and
// a sweep never takes the last way back.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	const events = 40
	picks := 0
	for seed := range *histories {
		synctest.Test(t, func(t *testing.T) { picks += play(t, seed, events) })
	}
	if picks < int(*histories) {
		t.Errorf("only %d rollbacks in %d histories", picks, *histories)
	}
}

// play lets so many random things happen, and counts the rollbacks among them.
func play(t *testing.T, seed uint64, events int) int {
	l := lab.New(t, lab.Quick)
	w := &world{history: newHistory("production"), t: t, rng: rand.New(rand.NewPCG(seed, 5)), book: l.Ledger("production"), live: 'a', next: 'b'}
	w.release('a', ledger.Live, ledger.WhyDeploy)
	for range events {
		l.Sleep(time.Hour)
		switch n := w.rng.IntN(10); {
		case n < 5 && w.next < 'z':
			w.deploy()
		case n < 7:
			before := w.hasWayBack()
			w.sweep(2 + w.rng.IntN(4))
			if before && !w.hasWayBack() {
				t.Errorf("the sweep took the last way back")
			}
		default:
			w.rollback()
		}
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, w.tale)
		}
	}
	return w.picks
}
