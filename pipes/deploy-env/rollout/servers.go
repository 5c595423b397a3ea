package rollout

import (
	"context"
	"fmt"
	"time"

	"bitbucket.org/fearless/pipes/shared/clone"
	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/release"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// servers releases the image. CloudFormation does the rest, or goes back by itself.
func (d *deployer) servers(ctx context.Context, record *image.Record, base map[string]string) (*Result, error) {
	name := d.file.ServersStack()
	settings, err := d.settingsDigest(ctx)
	if err != nil {
		return nil, unable(err)
	}
	values := environment.Values{Image: record.Image, Commit: record.Commit, Base: base, SettingsDigest: settings}
	_, target, err := d.proposal(name, d.file.Servers(values))
	if err != nil {
		return nil, err
	}
	now, ours, err := d.op.Settle(ctx, name, target)
	if err != nil {
		return nil, unable(err)
	}
	past, err := d.past(ctx, record) // once more: much may have happened while we waited
	if err != nil {
		return nil, err
	}
	d.before = ledger.Running(past)
	if ours {
		return d.follow(ctx, now, record, past)
	}
	if err := d.op.SettleLedger(ctx, now, past); err != nil {
		return nil, err
	}
	d.rt.Console.Heading("Servers %s", name)
	live, err := d.live(ctx, now)
	if err != nil {
		return nil, err
	}
	values.Capacity = d.op.Sizes(live)
	values.RunRelease = d.runsRelease(now, record)
	p, _, err := d.proposal(name, d.file.Servers(values))
	if err != nil {
		return nil, err
	}
	p.Exists, p.Monitoring = now != nil, d.file.Soak
	if now == nil {
		p.Monitoring = 0 // there are no old servers to keep
	}
	return d.release(ctx, live, p, target, record, past)
}

// live is what runs now, without what an earlier update has left behind.
func (d *deployer) live(ctx context.Context, now *stack.Stack) (*release.Live, error) {
	live, err := d.op.Live(ctx, now)
	if err != nil {
		return nil, err
	}
	if left := live.Leftovers(); left != "" && d.s.Action == ActionPreview {
		d.remark("An earlier update has left old servers behind, which a deploy would remove: %s", left)
		return live, nil
	}
	return live, unable(d.op.RemoveLeftovers(ctx, live))
}

// release proposes, explains and applies.
func (d *deployer) release(ctx context.Context, live *release.Live, p stack.Proposal, target string, record *image.Record, past []ledger.Record) (*Result, error) {
	changed, err := d.propose(ctx, p)
	if err != nil {
		return nil, err
	}
	if !changed.Empty && release.OnlySizes(changed.Changes) {
		if err := stack.Discard(ctx, d.op.CFN, changed); err != nil {
			return nil, unable(err)
		}
		changed.Empty, changed.Changes = true, nil
	}
	d.foresee("Servers", p.Stack, changed.Changes)
	if changed.Empty {
		already := fmt.Sprintf("%s runs image %s already", d.file.Environment, record.Image)
		if d.s.Action == ActionPreview {
			return d.previewResult(ctx, record, already)
		}
		d.rt.Console.Success("%s", already)
		return d.result(record, OutcomeUnchanged), nil
	}
	d.print(changed.Changes)
	if err := d.checkHealthChecks(ctx, live, changed); err != nil {
		return nil, err
	}
	if d.s.Action == ActionPreview {
		if err := d.discard(ctx, changed); err != nil {
			return nil, err
		}
		return d.previewResult(ctx, record, "This is a preview: nothing was changed")
	}
	if err := d.op.Begin(ctx, d.startRecord(record, p.Parameters, p.Body, past)); err != nil {
		if left := d.discard(ctx, changed); left != nil {
			d.rt.Console.Warn("%v", left)
		}
		return nil, err
	}
	r := d.what(record)
	r.Sizes = d.op.Sizes(live)
	ended, err := d.op.Apply(ctx, live.Stack, changed, target, p.Monitoring, r)
	if err != nil {
		return nil, err
	}
	return d.conclude(ctx, ended, record)
}

// follow goes along with an update to our own target that is under way already.
func (d *deployer) follow(ctx context.Context, now *stack.Stack, record *image.Record, past []ledger.Record) (*Result, error) {
	if err := d.op.Adopt(ctx, d.startRecord(record, now.Parameters, "", past), past); err != nil {
		return nil, err
	}
	ended, err := d.op.Follow(ctx, now)
	if err != nil {
		return nil, err
	}
	return d.conclude(ctx, ended, record)
}

// startRecord is what is known of a release before it begins.
func (d *deployer) startRecord(record *image.Record, parameters map[string]string, template string, past []ledger.Record) ledger.Record {
	r := d.op.StartRecord(ledger.WhyDeploy, record.Commit, release.ImageOf(record), parameters, template, past)
	r.Schema = d.schema(record.Commit, ledger.Running(past))
	// Without a clone, or in one that is cut off, it is not known when the commit was made.
	if c, err := clone.Open(d.rt.CloneDir()); err == nil {
		if commit, err := c.Commit(record.Commit); err == nil {
			r.Committed = commit.Time
		}
	}
	return r
}

// what is the release, for those who follow it.
func (d *deployer) what(record *image.Record) release.Release {
	return release.Release{
		Image: record.Image, What: fmt.Sprintf("the release of image %s to %s", record.Image, d.file.Environment),
	}
}

// conclude says how it ended, and why.
func (d *deployer) conclude(ctx context.Context, ended *release.Ending, record *image.Record) (*Result, error) {
	became, err := d.op.Conclude(ctx, ended, d.what(record))
	switch {
	case became == ledger.RolledBack || became == ledger.Cancelled:
		return d.result(record, OutcomeRolledBack), err
	case became == ledger.Failed:
		return d.result(record, OutcomeFailed), err
	case err != nil:
		return nil, err
	}
	d.rt.Console.Success("%s runs image %s of commit %.12s", d.file.Environment, record.Image, record.Commit)
	d.wayBack(ended.Stack)
	return d.result(record, OutcomeReleased), nil
}

func (d *deployer) propose(ctx context.Context, p stack.Proposal) (*stack.ChangeSet, error) {
	if d.s.Action == ActionPreview {
		if !p.Exists {
			return sketch(p)
		}
		p.Name += "-preview" // by its usual name it would take away what a deploy is about to execute
	}
	changed, err := d.op.Propose(ctx, p)
	return changed, d.roleProblem(p.Role, err)
}

func (d *deployer) print(changes []stack.Change) {
	for _, line := range release.Explain(changes) {
		d.rt.Console.Plain("  %s", line)
	}
}

func (d *deployer) result(record *image.Record, outcome string) *Result {
	return &Result{
		Application: d.s.Application, Environment: d.s.Environment, Commit: record.Commit, Image: record.Image,
		Outcome: outcome, Seconds: time.Since(d.rt.Started).Seconds(), Took: console.Duration(time.Since(d.rt.Started)),
	}
}
