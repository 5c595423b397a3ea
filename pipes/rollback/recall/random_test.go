package recall

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// world is an environment that random things happen to.
type world struct {
	*history
	t     *testing.T
	rng   *rand.Rand
	live  byte
	next  byte
	tale  []string
	picks int
}

func (w *world) note(format string, args ...any) {
	w.tale = append(w.tale, fmt.Sprintf(format, args...))
}

// deploy releases a new commit, or one again, with an outcome that chance gives.
func (w *world) deploy() {
	c := w.next
	if w.next++; w.rng.IntN(4) == 0 {
		w.next--
		c = 'a' + byte(w.rng.IntN(int(w.next-'a')))
		if w.images["ami-"+string(c)] == nil || slices.ContainsFunc(ledger.Held(w.records), func(h ledger.Record) bool { return h.Commit == commit(c) }) {
			return
		}
	}
	outcome := []ledger.Outcome{ledger.Live, ledger.Live, ledger.Live, ledger.LiveUnproven, ledger.RolledBack, ledger.Failed, ledger.Cancelled}[w.rng.IntN(7)]
	w.release(c, outcome)
	if outcome == ledger.Live || outcome == ledger.LiveUnproven {
		w.live = c
	}
	w.note("deploy %c: %s", c, outcome)
}

// sweep removes images as ami-bake does: all but what runs and those of the last releases
// that came through and are no longer wanted, of which some are kept.
func (w *world) sweep(keep int) {
	kept := []string{"ami-" + string(w.live)}
	held := ledger.Held(w.records)
	for _, r := range ledger.Releases(w.records) {
		isHeld := slices.ContainsFunc(held, func(h ledger.Record) bool { return h.Commit == r.Start.Commit })
		there := w.images[r.Start.Image.ID] != nil // what is gone already is no way back, and takes no place
		if there && r.Outcome() == ledger.Live && !isHeld && !slices.Contains(kept, r.Start.Image.ID) && len(kept) <= keep {
			kept = append(kept, r.Start.Image.ID)
		}
	}
	for id := range w.images {
		if !slices.Contains(kept, id) {
			w.images[id] = nil
		}
	}
	w.note("sweep: %v stay", kept)
}

// rollback asks for something, and does what is decided. What is chosen must have come
// through once, be there, and not be held.
func (w *world) rollback() {
	ask := Previous
	if w.rng.IntN(2) == 0 {
		ask = commit('a' + byte(w.rng.IntN(int(w.next-'a'))))
	}
	f := w.facts(ask, stackOf(w.live, stack.UpdateComplete))
	chosen, next, err := w.decide(f)
	w.note("rollback to %.8s: %s, %v", ask, next, err)
	if err != nil || next == stepNone {
		return
	}
	w.picks++
	proven := slices.ContainsFunc(w.records, func(r ledger.Record) bool {
		return r.Kind == ledger.KindEnd && r.Commit == chosen.commit && r.Outcome == ledger.Live && r.Image.ID == chosen.proof.Start.Image.ID
	})
	if !proven || w.images[chosen.proof.Start.Image.ID] == nil ||
		slices.ContainsFunc(ledger.Held(w.records), func(h ledger.Record) bool { return h.Commit == chosen.commit }) {
		w.t.Errorf("commit %.4s is chosen", chosen.commit)
	}
	for _, v := range f.left(chosen.version()) {
		w.hold(v.Commit[0])
	}
	outcome := ledger.Live
	if w.rng.IntN(5) == 0 {
		outcome = ledger.RolledBack
	} else {
		w.live = chosen.commit[0]
	}
	w.release(chosen.commit[0], outcome, why(ledger.WhyRollback))
}

// hasWayBack reports whether anything would be accepted.
func (w *world) hasWayBack() bool {
	return len(w.facts(Previous, stackOf(w.live, stack.UpdateComplete)).offers(w.all())) > 0
}

// TestRandomHistories: whatever happened before, what is chosen has come through once, and
// a sweep never takes the last way back.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	const histories, events = 40, 40
	picks := 0
	for seed := range uint64(histories) {
		w := &world{history: newHistory("production"), t: t, rng: rand.New(rand.NewPCG(seed, 5)), live: 'a', next: 'b'}
		w.release('a', ledger.Live)
		for range events {
			switch n := w.rng.IntN(10); {
			case n < 5 && w.next < 'z':
				w.deploy()
			case n < 7:
				before := w.hasWayBack()
				w.sweep(1 + w.rng.IntN(4))
				if before && !w.hasWayBack() {
					t.Fatalf("seed %d: the sweep took the last way back: %v", seed, w.tale)
				}
			default:
				w.rollback()
			}
			w.at = w.at.Add(time.Minute)
		}
		picks += w.picks
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, w.tale)
		}
	}
	if picks < histories {
		t.Errorf("only %d rollbacks in %d histories", picks, histories)
	}
}
