package recall

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/release"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// what is the rollback, for those who follow it.
func (r *recaller) what(to version) release.Release {
	return release.Release{
		Image: to.Image, What: fmt.Sprintf("the rollback of %s to image %s of commit %s", r.s.Environment, to.Image, short(to.Commit)),
	}
}

// begin writes into the ledger what is about to happen, and then who may not come back.
// The holds come before the update: they count from the moment that somebody has judged,
// no deploy slips in between, and a run that is killed leaves none unwritten.
func (r *recaller) begin(ctx context.Context, f *facts, t *target, parameters map[string]string) error {
	if err := r.op.Begin(ctx, r.startRecord(f, t, parameters)); err != nil {
		return err
	}
	if !r.s.Hold {
		return nil
	}
	if err := r.readAll(ctx, f); err != nil {
		return err
	}
	for _, bad := range f.toHold(t.version()) {
		_, err := r.op.Ledger.Hold(ctx, ledger.Record{
			By: r.op.By, Commit: bad.Commit, Image: ledger.Image{ID: bad.Image}, Why: ledger.WhyRollback, Reason: r.s.Reason,
		})
		if err != nil {
			return fmt.Errorf("commit %s cannot be held: %w; nothing was changed", short(bad.Commit), err)
		}
		r.result.Held = append(r.result.Held, bad.Commit)
		r.rt.Console.Info("Commit %s is held in %s from now on", short(bad.Commit), r.s.Environment)
	}
	return nil
}

// startRecord is what is known of the rollback before it begins. The database stays as it
// is, so the schema is that of the last release.
func (r *recaller) startRecord(f *facts, t *target, parameters map[string]string) ledger.Record {
	start := r.op.StartRecord(ledger.WhyRollback, t.commit, t.proof.Start.Image, parameters, "", f.here)
	start.Template, start.Committed, start.Reason = f.template, t.proof.Start.Committed, r.s.Reason
	for _, last := range f.releases() {
		if last.Start.Migrated || alive(last) {
			start.Schema.Fingerprint = last.Start.Schema.Fingerprint
			break
		}
	}
	return start
}

// update proposes, explains and applies: the live template with the older image, as many
// servers as there are, no release process, and no soak, since what is live is worse.
func (r *recaller) update(ctx context.Context, f *facts, t *target) (*Result, error) {
	if err := r.op.SettleLedger(ctx, f.servers, f.here); err != nil {
		return nil, err
	}
	live, err := r.op.Live(ctx, f.servers)
	if err != nil {
		return nil, err
	}
	if err := r.op.RemoveLeftovers(ctx, live); err != nil {
		return nil, unable(err)
	}
	role, err := r.serviceRole(ctx)
	if err != nil {
		return nil, err
	}
	sizes := r.op.Sizes(live)
	digest := release.Digest(Name, f.servers.Name, t.commit, t.proof.Start.Image.ID)
	p := stack.Proposal{
		Stack: f.servers.Name, Exists: true, Name: r.op.ProposalName(digest), Tags: f.servers.Tags, Role: role,
		Parameters: r.parameters(f, t, sizes),
	}
	asked := time.Now()
	changed, err := r.op.Propose(ctx, p)
	r.waited(asked)
	if err != nil {
		return nil, release.RoleProblem(err, role, "SERVERS_SERVICE_ROLE", "fearless-"+r.s.Application+"-"+Name)
	}
	r.rt.Console.Heading("Servers %s", f.servers.Name)
	for _, line := range release.Explain(changed.Changes) {
		r.rt.Console.Plain("  %s", line)
	}
	if err := r.begin(ctx, f, t, p.Parameters); err != nil {
		if left := stack.Discard(ctx, r.op.CFN, changed); left != nil {
			r.rt.Console.Warn("%v", left)
		}
		return nil, err
	}
	what := r.what(t.version())
	what.Sizes = sizes
	ended, err := r.op.Apply(ctx, live.Stack, changed, digest, 0, what)
	if err != nil {
		return nil, err
	}
	return r.ended(ctx, ended, t.version())
}

// parameters are those of the live stack with another image and commit.
func (r *recaller) parameters(f *facts, t *target, sizes map[string]int) map[string]string {
	p := maps.Clone(f.servers.Parameters)
	p[environment.ParameterImage], p[environment.ParameterCommit] = t.proof.Start.Image.ID, t.commit
	p[environment.ParameterRun] = "false"
	for _, role := range f.roles {
		p[role.Capacity] = strconv.Itoa(sizes[role.Name])
	}
	return p
}

// follow goes along with an update to the target that somebody else has begun.
func (r *recaller) follow(ctx context.Context, f *facts, t *target) (*Result, error) {
	if err := r.op.Adopt(ctx, r.startRecord(f, t, f.servers.Parameters), f.here); err != nil {
		return nil, err
	}
	if err := r.begin(ctx, f, t, nil); err != nil { // the holds, should its own run have died before it wrote them
		return nil, err
	}
	ended, err := r.op.Follow(ctx, f.servers)
	if err != nil {
		return nil, err
	}
	return r.ended(ctx, ended, t.version())
}

// cancel stops the release in progress. What it goes back to is looked at then.
func (r *recaller) cancel(ctx context.Context, f *facts, t *target) error {
	var before map[string]string // parameters of what it goes back to, as far as the ledger has them
	if now := ledger.Running(f.here); now != nil {
		before = map[string]string{environment.ParameterSettings: now.Start.Settings}
	}
	if err := r.begin(ctx, f, t, before); err != nil {
		return err
	}
	if err := r.op.Cancel(ctx, f.servers); err != nil {
		return err
	}
	coming := f.position().coming
	var stopped []ledger.Release
	for _, open := range ledger.Unsettled(f.here) {
		if versionOf(open.Start) == coming {
			stopped = append(stopped, open)
		}
	}
	r.op.Stopped(ctx, stopped, "a rollback to commit "+short(t.commit)+" has stopped it: "+r.why())
	return nil
}

// arrived ends a run whose target is live. Mostly there was nothing to do. Or the stack came
// back to it when the release in progress was stopped; or an earlier run has brought it
// and was killed before it could say so.
func (r *recaller) arrived(ctx context.Context, f *facts, t *target) (*Result, error) {
	if r.op.Entered().Kind == "" {
		for _, open := range ledger.Unsettled(f.here) {
			if open.Start.Why == ledger.WhyRollback && versionOf(open.Start) == f.position().live {
				if err := r.op.Adopt(ctx, open.Start, f.here); err != nil {
					return nil, err
				}
				break
			}
		}
	}
	if err := r.op.SettleLedger(ctx, f.servers, f.here); err != nil {
		return nil, err
	}
	if r.op.Entered().Kind == "" {
		r.rt.Console.Success("%s runs commit %s already: nothing is done", r.s.Environment, short(t.commit))
		return r.conclude(OutcomeUnchanged), nil
	}
	to := f.position().live
	if err := r.op.Confirm(ctx, f.servers, r.what(to)); err != nil {
		return nil, err
	}
	return r.succeeded(ctx, to), nil
}

// ended says what became of the update.
func (r *recaller) ended(ctx context.Context, ended *release.Ending, to version) (*Result, error) {
	if n := len(ended.Events); n > 0 {
		began := ended.Events[0].Time
		if began.Before(r.rt.Started) { // by somebody else
			began = r.rt.Started
		}
		r.result.World += max(ended.Events[n-1].Time.Sub(began), 0).Seconds()
	}
	became, err := r.op.Conclude(ctx, ended, r.what(to))
	switch {
	case became != ledger.Live:
		return r.conclude(OutcomeFailed), err
	case err != nil:
		return nil, err
	}
	return r.succeeded(ctx, to), nil
}

// succeeded says that the target is live: in the log, and on its commit.
func (r *recaller) succeeded(ctx context.Context, to version) *Result {
	r.rt.Console.Success("%s runs image %s of commit %s again", r.s.Environment, to.Image, short(to.Commit))
	bitbucket.NewReporter(r.s.Bitbucket, bitbucket.Options{
		Commit: to.Commit, Transport: r.rt.World.Transport, Mask: r.rt.Console.Masker(),
	}, r.rt.Console).Status(ctx, bitbucket.Status{
		Key: Name + "." + r.s.Application + "." + r.s.Environment, State: bitbucket.Successful,
		Name: r.s.Environment + " of " + r.s.Application, Description: "runs this commit again: " + r.why(),
	})
	return r.conclude(OutcomeRolledBack)
}
