package recall

import (
	"context"
	"fmt"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/release"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// look gathers the facts.
func (r *recaller) look(ctx context.Context) (*facts, error) {
	s := *r.s
	if r.commit != "" {
		s.Commit = r.commit
	}
	f := &facts{s: &s, began: r.rt.Started, pipeline: r.s.PipelineURL()}
	var err error
	if f.servers, err = stack.Describe(ctx, r.op.CFN, r.stackName()); err != nil {
		return nil, unable(err)
	}
	if f.servers != nil {
		if err := r.op.Own(f.servers); err != nil {
			return nil, err
		}
	}
	if f.here, err = read(ctx, r.op.Ledger, s.Commit); err != nil {
		return nil, refusing(err)
	}
	if f.proven = f.here; r.proof != r.op.Ledger {
		commit := s.Commit
		if found, _, unclear := f.pick(); unclear == nil && commit == Previous {
			commit = found
		}
		if f.proven, err = read(ctx, r.proof, commit); err != nil {
			return nil, refusing(err)
		}
	}
	if r.s.Action == ActionPlan {
		if err := r.readAll(ctx, f); err != nil {
			return nil, err
		}
	}
	return f, r.readTemplate(ctx, f)
}

// refusing is the error of a ledger that cannot be read: it never allows anything.
func refusing(err error) error {
	return exit.Unablef("%w", err).Hint("a rollback goes on when it can be read: nothing was changed")
}

// margin is how many records beyond those that are needed are read: more than are written
// at the same time.
const margin = 16

// read reads holds and releases back to the last one of a commit that came through, or of
// previous, and some way beyond. A short hash may stand for several, so all is read.
func read(ctx context.Context, l *ledger.Ledger, commit string) ([]ledger.Record, error) {
	records, err := l.Holds(ctx)
	if err != nil {
		return nil, err
	}
	n, most := 0, 0
	began := "" // key of the start of the release that is looked for
	for r, err := range l.Walk(ctx) {
		if err != nil {
			return nil, err
		}
		if n++; most > 0 && n > most {
			break
		}
		records = append(records, r)
		if began == "" {
			began = sought(commit, r, n, records)
		}
		if began != "" && r.Key() == began {
			most = n + margin
		}
	}
	return records, nil
}

// sought is the key of the start of the release that is looked for, should the last of n
// records tell it; else blank.
func sought(commit string, last ledger.Record, n int, records []ledger.Record) string {
	switch {
	case last.Kind == ledger.KindEnd && last.Outcome == ledger.Live && last.Commit == commit:
		return last.Start
	case commit == Previous && n%margin == 0:
		if r := ledger.Previous(records); r != nil {
			return r.Key()
		}
	}
	return ""
}

// readAll reads the rest of the environment's ledger. What is held depends on which commit
// is older (see left), and any may have been live long ago and again lately.
func (r *recaller) readAll(ctx context.Context, f *facts) error {
	records, err := r.op.Ledger.All(ctx, time.Time{})
	if err != nil {
		return refusing(err)
	}
	f.here, f.releasesHere = records, nil
	return nil
}

// readTemplate finds the roles of the servers. A stack that nothing was made in yet has
// none, and cannot be rolled back either.
func (r *recaller) readTemplate(ctx context.Context, f *facts) error {
	if f.servers == nil || f.servers.Status == stack.ReviewInProgress || f.servers.Status == stack.CreateInProgress || f.servers.Status.Dead() {
		return nil
	}
	text, err := r.op.Template(ctx, f.servers)
	if err != nil {
		return err
	}
	f.template = release.Digest(string(text))
	f.roles, err = release.RolesOf(text)
	r.op.Roles = f.roles
	return err
}

// decide finds the commit, its image, and what is to be done; or why not, and what else.
func (r *recaller) decide(ctx context.Context, f *facts) (*target, step, error) {
	commit, how, unclear := f.pick()
	if unclear != nil {
		return nil, "", r.refuse(ctx, f, nil, *unclear)
	}
	if r.commit == "" && f.s.Commit == Previous {
		r.rt.Console.Info("previous is commit %s: %s", short(commit), how)
	}
	r.commit = commit
	t := f.aim(commit)
	if t.proof != nil {
		var err error
		if t.image, err = image.ByID(ctx, r.op.EC2, t.proof.Start.Image.ID); err != nil {
			return nil, "", unable(err)
		}
	}
	next, against, err := f.choose(t)
	if len(against) > 0 {
		err = r.refuse(ctx, f, t, against...)
	}
	return t, next, err
}

// refuse says what speaks against a request, and what would be accepted. For that the
// images of the application are looked up; when they cannot be, nothing is offered.
func (r *recaller) refuse(ctx context.Context, f *facts, t *target, against ...objection) error {
	if t != nil && t.proof == nil {
		against[0] = r.sameImage(ctx, f, t.commit, r.elsewhere(ctx, f, t.commit, against[0]))
	}
	images, err := image.Named(ctx, r.op.EC2, r.s.Application+"-*")
	if err != nil {
		return fmt.Errorf("%w (what would be accepted in its place is not known: %w)", f.refusal(against, nil), err)
	}
	return f.refusal(against, f.offers(images))
}

// elsewhere looks whether the commit came through in another environment, and says by what
// setting that would be proof enough. It is help: what cannot be read is left out.
func (r *recaller) elsewhere(ctx context.Context, f *facts, commit string, o objection) objection {
	if standing, _ := ledger.StandingOf(f.proven, commit); standing != ledger.Untried {
		return o
	}
	names, err := r.op.Ledger.Environments(ctx)
	if err != nil {
		r.rt.Console.Debug("%v", err)
	}
	for _, name := range names {
		if name == r.s.ProvenIn || name == r.s.Environment {
			continue // known
		}
		records, err := read(ctx, r.book(name), commit)
		if err != nil {
			r.rt.Console.Debug("%v", err)
			continue
		}
		if standing, _ := ledger.StandingOf(records, commit); standing == ledger.Proven {
			o.hints = append(o.hints, "it was in "+name+"; if that is proof enough: PROVEN_IN: '"+name+"'")
		}
	}
	return o
}

// sameImage looks whether the commit shares its image with one that was live: a rebase
// gives another hash to the same content.
func (r *recaller) sameImage(ctx context.Context, f *facts, commit string, o objection) objection {
	record, err := image.Index{API: r.op.S3, Bucket: r.op.Bucket}.OfCommit(ctx, r.s.Application, commit)
	if err != nil {
		r.rt.Console.Debug("%v", err)
		return o
	}
	if record == nil {
		return o
	}
	for _, p := range f.releasesOfProof() {
		if p.Start.Image.ID == record.Image && p.Outcome() == ledger.Live {
			o.hints = append(o.hints, "its image is that of commit "+short(p.Start.Commit)+", which was: COMMIT: '"+p.Start.Commit+"'")
			return o
		}
	}
	return o
}
