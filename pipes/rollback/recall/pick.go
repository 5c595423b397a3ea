package recall

import (
	"fmt"
	"strings"

	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// pick finds the full hash of the commit that was asked for, and says how it came to it
// when that is not plain.
func (f *facts) pick() (commit, how string, against *objection) {
	switch {
	case f.s.Commit == Previous:
		return f.previous()
	case len(f.s.Commit) == fullHash:
		return f.s.Commit, "", nil
	}
	found, several := ledger.Find(append(append([]ledger.Record{}, f.proven...), f.here...), f.s.Commit)
	switch {
	case len(several) > 0:
		o := &objection{text: fmt.Sprintf("COMMIT: %q is short for %d commits of the ledger", f.s.Commit, len(several))}
		for _, c := range several {
			o.hints = append(o.hints, "COMMIT: '"+c+"'")
		}
		return "", "", o
	case found == "":
		return "", "", &objection{text: fmt.Sprintf("no release of %s was of a commit that begins with %s", f.s.ProvenIn, f.s.Commit)}
	}
	return found, "", nil
}

// previous is the last good release before the one that is live, with some exceptions for
// whom it would lead too far back: who asks twice for the same thing means it once.
func (f *facts) previous() (commit, how string, against *objection) {
	if r := f.rollbackUnderWay(); r != nil {
		return r.Start.Commit, fmt.Sprintf("the rollback to it began at %s, and this run sees to its end", moment(r.Start.Time)), nil
	}
	now := f.position()
	coming := now.coming.Commit != "" && now.coming != now.live
	goingBack := f.servers != nil && strings.HasPrefix(string(f.servers.Status), "UPDATE_ROLLBACK_") && f.servers.Status != stack.UpdateRollbackComplete
	if now.live.Commit != "" && (coming || goingBack) {
		// What is coming counts as the live one: that is what somebody wants to be rid of.
		return now.live.Commit, "it is what the release in progress was to replace", nil
	}
	if r := before(f.here, now.live); r != nil {
		how = "the last good release before the one that is live"
		if live := ledger.Running(f.here); live != nil && live.Start.Why == ledger.WhyRollback {
			how += ", which is itself a rollback, of " + moment(live.Start.Time) + by(live.Start)
		}
		return r.Start.Commit, how, nil
	}
	return "", "", &objection{text: fmt.Sprintf("there is no release of %s before the one that is live that came through and is not held", f.s.Environment)}
}

// rollbackUnderWay is a rollback that this run belongs to: one that has no end yet, that
// came to its end since we began, or that an earlier attempt of the same pipeline began.
func (f *facts) rollbackUnderWay() *ledger.Release {
	all := f.releases()
	if len(all) == 0 || all[0].Start.Why != ledger.WhyRollback {
		return nil // the newest release decides: after it, nobody goes on with an older one
	}
	r := all[0]
	ours := f.pipeline != "" && r.Start.By.Pipeline == f.pipeline
	if r.Open() || alive(r) && (ours || r.At.After(f.began)) {
		return &r
	}
	return nil
}

// before is the last release before a version that came through and is not held. The stack
// knows better than the ledger what is live: the run that has released it may be about to
// write that down, or dead.
func before(records []ledger.Record, live version) *ledger.Release {
	if now := ledger.Running(records); now == nil || live.Commit == "" || versionOf(now.Start) == live {
		return ledger.Previous(records)
	} else if good := now.Outcome() == ledger.Live; good && now.Start.Commit != live.Commit && now.Start.Image.ID != live.Image && !isHeld(records, versionOf(now.Start)) {
		return now
	}
	return ledger.Previous(records)
}
