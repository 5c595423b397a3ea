package rollout

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"bitbucket.org/fearless/pipes/shared/clone"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// entry is this run's release in the ledger.
type entry struct {
	start ledger.Record // its Kind is blank before there is one
	live  bool          // and that it came through was written
	tried bool          // or could not be, once
}

// past reads the ledger, and refuses a commit that it holds. A ledger that cannot be read
// refuses everything.
func (d *deployer) past(ctx context.Context, record *image.Record) ([]ledger.Record, error) {
	past, err := d.ledger.Recent(ctx)
	if err != nil {
		return nil, exit.Unablef("%w", err).Hint("the release goes on when it can be read: nothing was changed")
	}
	return past, d.refuseHeld(ctx, ledger.Held(past), record)
}

// settleLedger ends the releases that earlier runs began and did not see end, from what
// the stack runs now that nothing happens to it.
func (d *deployer) settleLedger(ctx context.Context, now *stack.Stack, past []ledger.Record) error {
	if d.s.Action == ActionPreview {
		return nil
	}
	for _, open := range ledger.Unsettled(past) {
		if open.Key() == d.entry.start.Key() {
			continue // our own, and we were overtaken
		}
		written, err := d.ledger.Settle(ctx, open, seen(now), d.by())
		if err != nil {
			return err
		}
		d.rt.Console.Info("The release of commit %.12s that began at %s had no end in the ledger: it is %s now",
			open.Start.Commit, open.Start.Time.Format(time.DateTime), written.Outcome)
		if written.Outcome == ledger.LiveUnproven {
			d.tag(ctx, open.Start.Image.ID)
		}
	}
	return nil
}

// seen is what a stack says of itself.
func seen(now *stack.Stack) ledger.Seen {
	if now == nil {
		return ledger.Seen{}
	}
	return ledger.Seen{
		There: true, Good: now.Status.Good(), Image: now.Parameters[environment.ParameterImage],
		Commit: now.Parameters[environment.ParameterCommit], Settings: now.Parameters[environment.ParameterSettings],
	}
}

// startRecord is what is known of a release before it begins. A blank template is one
// that another run has proposed.
func (d *deployer) startRecord(record *image.Record, parameters map[string]string, template string, past []ledger.Record) ledger.Record {
	r := ledger.Record{
		By: d.by(), Commit: record.Commit, Why: ledger.WhyDeploy,
		Image: ledger.Image{
			ID: record.Image, Name: record.Name, Owner: record.Owner, RootSnapshot: record.RootSnapshot, Inputs: record.Inputs,
			BakedFrom: record.BakedFrom,
		},
		Settings: cmp.Or(parameters[environment.ParameterSettings], ledger.Unknown), Template: ledger.Unknown,
		Schema:   ledger.Schema{Fingerprint: ledger.Unknown, Compatible: ledger.Unknown},
		Migrated: parameters[environment.ParameterRun] == "true", Roles: ledger.Servers{},
	}
	if template != "" {
		r.Template = digest(template)
	}
	for _, role := range d.file.Roles {
		var n int
		if _, err := fmt.Sscan(parameters[role.Capacity()], &n); err == nil {
			r.Roles[role.Name] = n
		}
	}
	if before := ledger.Running(past); before != nil {
		r.Previous = before.Key()
	}
	// Without a clone, or in one that is cut off, it is not known when the commit was made.
	if c, err := clone.Open(d.rt.CloneDir()); err == nil {
		if commit, err := c.Commit(record.Commit); err == nil {
			r.Committed = commit.Time
		}
	}
	return r
}

// beginEnd writes that the environment is about to be destroyed.
func (d *deployer) beginEnd(ctx context.Context, now *stack.Stack) error {
	past, err := d.ledger.Recent(ctx)
	if err != nil {
		return err
	}
	if err := d.settleLedger(ctx, now, past); err != nil || now == nil {
		return err
	}
	start := ledger.Record{
		By: d.by(), Why: ledger.WhyDestroy, Settings: ledger.Unknown, Template: ledger.Unknown,
		Schema: ledger.Schema{Fingerprint: ledger.Unknown, Compatible: ledger.Unknown},
	}
	if before := ledger.Running(past); before != nil {
		start.Previous = before.Key()
	}
	return d.begin(ctx, start)
}

// gone writes that it was.
func (d *deployer) gone(ctx context.Context) error {
	if d.entry.start.Kind == "" {
		return nil
	}
	if err := d.end(ctx, ledger.Record{Outcome: ledger.Gone}); err != nil {
		return exit.Unablef("the stacks are gone, but %w", err).Hint("run the pipe again: it writes that down")
	}
	return nil
}

// by is this run.
func (d *deployer) by() ledger.By {
	s := d.s.Settings
	return ledger.By{
		Who: cmp.Or(s.TriggererUUID, ledger.Unknown), Program: Name + " " + cmp.Or(d.rt.World.Version, ledger.Unknown),
		Pipeline: s.PipelineURL(), Build: s.BuildNumber,
	}
}

// begin writes the start of a release. When that cannot be done, nothing is.
func (d *deployer) begin(ctx context.Context, start ledger.Record) error {
	if d.entry.start.Kind != "" {
		return nil // we were overtaken, and try again
	}
	written, err := d.ledger.Start(ctx, start)
	if err != nil {
		return exit.Unablef("%w; nothing was changed", err)
	}
	d.entry.start = written
	return nil
}

// adopt takes over the start of a run that has left its update to itself. One that is
// still alive writes the same end, and that does no harm.
func (d *deployer) adopt(ctx context.Context, start ledger.Record, past []ledger.Record) error {
	for _, open := range ledger.Unsettled(past) {
		if s := open.Start; s.Image.ID == start.Image.ID && s.Commit == start.Commit && s.Settings == start.Settings {
			d.entry.start = s
			return nil
		}
	}
	return d.begin(ctx, start)
}

// cameThrough writes that the release is live as soon as nothing can take it back, while
// the old servers are still being removed. It is written once more when those are gone.
func (d *deployer) cameThrough(ctx context.Context, took ledger.Durations) {
	if d.entry.start.Kind == "" || d.entry.live || d.entry.tried {
		return
	}
	d.entry.tried = true
	if err := d.end(ctx, ledger.Record{Outcome: ledger.Live, Durations: took}); err != nil {
		d.rt.Console.Warn("%v; trying again when the old servers are gone", err)
		return
	}
	d.entry.live = true
}

// succeeded writes the success with all its figures, and marks the image.
func (d *deployer) succeeded(ctx context.Context, took ledger.Durations) error {
	if d.entry.start.Kind == "" {
		return nil
	}
	err := d.end(ctx, ledger.Record{Outcome: ledger.Live, Durations: took})
	switch {
	case err != nil && d.entry.live:
		d.rt.Console.Warn("The ledger knows that the release is live, but not how long it took: %v", err)
	case err != nil:
		return exit.Unablef("image %s is live, but %w", d.entry.start.Image.ID, err).
			Hint("run the pipe again: it writes down that the release is live, though unproven")
	}
	d.tag(ctx, d.entry.start.Image.ID)
	return nil
}

// failed writes that the release did not come through. That it failed is what the run
// ends with in any case.
func (d *deployer) failed(ctx context.Context, final *stack.Stack, why string, took ledger.Durations) {
	if d.entry.start.Kind == "" {
		return
	}
	end := ledger.Record{Outcome: ledger.Failed, Failure: why, Durations: took}
	if final.Status == stack.UpdateRollbackComplete {
		end.Outcome = ledger.RolledBack
	}
	if err := d.end(ctx, end); err != nil {
		d.rt.Console.Warn("%v; the next run of the pipe settles it", err)
	}
}

func (d *deployer) end(ctx context.Context, end ledger.Record) error {
	end.By, end.Durations.Total = d.by(), ledger.Took(time.Since(d.entry.start.Time))
	_, err := d.ledger.End(ctx, d.entry.start, end)
	return err
}

// tag says on the image itself that it is live, for people who look at images. What
// counts is the ledger, so that it cannot be said is no failure.
func (d *deployer) tag(ctx context.Context, id string) {
	_, err := d.ec2.CreateTags(ctx, &ec2.CreateTagsInput{
		Resources: []string{id},
		Tags:      image.Tags(map[string]string{image.TagDeployed + d.s.Environment: time.Now().UTC().Format(time.RFC3339)}),
	})
	if err != nil {
		d.rt.Console.Warn("Image %s cannot be tagged as deployed: %v", id, err)
	}
}

// moments are those between the parts of an update; zero where they did not come.
type moments struct {
	ready    time.Time // the first server
	complete time.Time // the last resource
	cleanup  time.Time // the end of the soak
	end      time.Time
}

func momentsOf(events []stack.Event) moments {
	var m moments
	for _, e := range events {
		switch {
		case e.Own() && e.Status == string(stack.UpdateCompleteCleanup):
			m.cleanup = e.Time
		case e.Own() && e.Status == string(stack.UpdateComplete):
			m.end = e.Time
		case e.Own() || !m.cleanup.IsZero():
		case completes(e):
			m.complete = e.Time
		case m.ready.IsZero() && saysReady(e):
			m.ready = e.Time
		}
	}
	return m
}

// durations splits an update into its parts, from its events, which are in order.
func durations(events []stack.Event) ledger.Durations {
	if len(events) == 0 {
		return ledger.Durations{}
	}
	m := momentsOf(events)
	between := func(from, to time.Time) ledger.Seconds {
		if from.IsZero() || to.IsZero() || to.Before(from) {
			return ledger.Seconds{}
		}
		return ledger.Took(to.Sub(from))
	}
	return ledger.Durations{
		Boot: between(events[0].Time, m.ready), Health: between(m.ready, m.complete), Soak: between(m.complete, m.cleanup), Cleanup: between(m.cleanup, m.end),
	}
}

// saysReady recognises the word of a server of a group. The one of the release process
// comes before, and says that it is done.
func saysReady(e stack.Event) bool {
	m := signal.FindStringSubmatch(e.Reason)
	return m != nil && m[1] == "SUCCESS" && e.LogicalID != releaseID
}
