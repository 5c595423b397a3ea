package recall

import (
	"context"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/ledger"
)

// lift lets a commit be deployed again that is held.
func (r *recaller) lift(ctx context.Context) (*Result, error) {
	records, err := r.op.Ledger.Holds(ctx)
	if err != nil {
		return nil, exit.Unablef("%w", err).Hint("nothing was changed")
	}
	held := ledger.Held(records)
	hold, err := r.toLift(records, held)
	if err != nil {
		return nil, err
	}
	r.result.Commit = hold.Commit
	if !slices.ContainsFunc(held, func(h ledger.Record) bool { return h.Commit == hold.Commit }) {
		r.rt.Console.Success("Commit %s is held no more: nothing is done", short(hold.Commit))
		return r.conclude(OutcomeUnchanged), nil
	}
	if _, err := r.op.Ledger.Lift(ctx, ledger.Record{By: r.op.By, Commit: hold.Commit, Image: hold.Image, Reason: r.s.Reason}); err != nil {
		return nil, err
	}
	r.rt.Console.Success("Commit %s may be deployed to %s again; it was held since %s by %s", short(hold.Commit), r.s.Environment, moment(hold.Time), hold.By.Who)
	return r.conclude(OutcomeLifted), nil
}

// toLift finds the hold that is meant, also one that was lifted already.
func (r *recaller) toLift(records, held []ledger.Record) (*ledger.Record, error) {
	found := map[string]*ledger.Record{}
	for _, h := range records {
		if h.Kind == ledger.KindHold && strings.HasPrefix(h.Commit, r.s.Commit) {
			found[h.Commit] = &h
		}
	}
	if len(found) == 1 {
		for _, h := range found {
			return h, nil
		}
	}
	e := exit.Refusedf("commit %s is not held in %s", r.s.Commit, r.s.Environment)
	if len(found) > 1 {
		e = exit.Refusedf("COMMIT: %q is short for %d commits that were held in %s", r.s.Commit, len(found), r.s.Environment)
	}
	if len(held) == 0 {
		return nil, e.Hint("no commit is")
	}
	for _, h := range held {
		e = e.Hint("held since " + moment(h.Time) + ":  COMMIT: '" + h.Commit + "'")
	}
	return nil, e
}
