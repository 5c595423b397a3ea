package recall

import (
	"fmt"
	"slices"

	"bitbucket.org/fearless/pipes/shared/ledger"
)

// tell says once, before anything is touched, what will happen and what will not.
func (r *recaller) tell(f *facts, t *target, next step) {
	if r.told {
		return
	}
	r.told = true
	log, at := r.rt.Console, f.position()
	r.result.Commit, r.result.Image = t.commit, at.live.Image
	if t.proof != nil {
		r.result.Image = t.proof.Start.Image.ID
	}
	if next == stepNone {
		return
	}
	r.result.From = at.live.Commit
	if at.coming.Commit != "" && at.coming != t.version() {
		r.result.From = at.coming.Commit
	}
	log.Heading("Rollback of %s to commit %s", r.s.Environment, short(t.commit))
	log.Plain("  %s of commit %s, live in %s since %s%s", t.proof.Start.Image.ID, short(t.commit), r.s.ProvenIn, moment(t.proof.At), by(t.proof.Start))
	r.result.Undone, r.result.Kept = f.undone(t), f.kept(t)
	for _, part := range []struct {
		title string
		lines []string
	}{{"What is undone:", r.result.Undone}, {"What is not undone:", r.result.Kept}} {
		if len(part.lines) > 0 {
			log.Plain("%s", part.title)
		}
		for _, line := range part.lines {
			log.Plain("  - %s", line)
		}
	}
	for _, line := range []string{f.aboutSchema(t), f.about(next), f.expected()} {
		if line != "" {
			log.Info("%s", line)
		}
	}
	if !r.s.Hold || r.s.Action != ActionPlan {
		return // else it is said when it is done, and not before all of the ledger is read
	}
	for _, bad := range f.toHold(t.version()) {
		log.Info("Commit %s will be held: no deploy whose history contains it", short(bad.Commit))
	}
}

// about says what has to happen first.
func (f *facts) about(next step) string {
	switch at := f.position(); next {
	case stepCancel:
		return fmt.Sprintf("First the release of commit %s, which is in progress, is cancelled", short(at.coming.Commit))
	case stepWait:
		return fmt.Sprintf("First the stack has to come to rest: it is %s, which cannot be stopped", f.servers.Status)
	case stepMend:
		return "First the last rollback of CloudFormation, which failed, is continued"
	case stepFollow:
		return "An update to it is in progress already, and is followed"
	}
	return ""
}

// toHold are the versions that are left and not held yet.
func (f *facts) toHold(to version) []version {
	var bad []version
	for _, v := range f.left(to) {
		if !slices.ContainsFunc(ledger.Held(f.here), func(h ledger.Record) bool { return h.Commit == v.Commit }) {
			bad = append(bad, v)
		}
	}
	return bad
}

// isHeld reports whether a version must not run: its commit, or its image by another one.
func isHeld(records []ledger.Record, v version) bool {
	return slices.ContainsFunc(ledger.Held(records), func(h ledger.Record) bool {
		return h.Commit == v.Commit || h.Image.ID != "" && h.Image.ID == v.Image
	})
}
