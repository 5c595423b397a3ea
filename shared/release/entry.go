package release

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// entry is this run's release in the ledger.
type entry struct {
	start ledger.Record // its Kind is blank before there is one
	live  bool          // and that it came through was written
	tried bool          // or could not be, once
}

// By is a run of a pipe, as the ledger names it.
func By(name, version string, s pipe.Settings) ledger.By {
	return ledger.By{
		Who: cmp.Or(s.TriggererUUID, ledger.Unknown), Program: name + " " + cmp.Or(version, ledger.Unknown),
		Pipeline: s.PipelineURL(), Build: s.BuildNumber,
	}
}

// SettleLedger ends the releases that earlier runs began and did not see end, from what
// the stack runs now that nothing happens to it.
func (o *Operator) SettleLedger(ctx context.Context, now *stack.Stack, past []ledger.Record) error {
	if o.Look {
		return nil
	}
	for _, open := range ledger.Unsettled(past) {
		if open.Key() == o.entry.start.Key() {
			continue // our own, and we were overtaken
		}
		written, err := o.Ledger.Settle(ctx, open, seen(now), o.By)
		if err != nil {
			return err
		}
		o.Console.Info("The release of commit %.12s that began at %s had no end in the ledger: it is %s now",
			open.Start.Commit, open.Start.Time.Format(time.DateTime), written.Outcome)
		if written.Outcome == ledger.LiveUnproven {
			o.tag(ctx, open.Start.Image.ID)
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

// ImageOf is what the ledger keeps of an image.
func ImageOf(r *image.Record) ledger.Image {
	return ledger.Image{
		ID: r.Image, Name: r.Name, Owner: r.Owner, RootSnapshot: r.RootSnapshot, Inputs: r.Inputs, BakedFrom: r.BakedFrom,
	}
}

// StartRecord is what is known of a release before it begins, from the parameters that the
// stack is given. A blank template is one that another run has proposed.
func (o *Operator) StartRecord(why, commit string, img ledger.Image, parameters map[string]string, template string, past []ledger.Record) ledger.Record {
	r := ledger.Record{
		By: o.By, Commit: commit, Why: why, Image: img,
		Settings: cmp.Or(parameters[environment.ParameterSettings], ledger.Unknown), Template: ledger.Unknown,
		Schema:   ledger.Schema{Fingerprint: ledger.Unknown, Compatible: ledger.Unknown},
		Migrated: parameters[environment.ParameterRun] == "true", Roles: ledger.Servers{},
	}
	if template != "" {
		r.Template = Digest(template)
	}
	for _, role := range o.Roles {
		var n int
		if _, err := fmt.Sscan(parameters[role.Capacity], &n); err == nil {
			r.Roles[role.Name] = n
		}
		if role.Health != "" {
			if r.Health == nil {
				r.Health = map[string]string{}
			}
			r.Health[role.Name] = role.Health
		}
	}
	if before := ledger.Running(past); before != nil {
		r.Previous = before.Key()
	}
	return r
}

// BeginEnd writes that the environment is about to be destroyed; nil: it is not there.
func (o *Operator) BeginEnd(ctx context.Context, now *stack.Stack) error {
	past, err := o.Ledger.Recent(ctx)
	if err != nil {
		return err
	}
	if err := o.SettleLedger(ctx, now, past); err != nil || now == nil {
		return err
	}
	start := ledger.Record{
		By: o.By, Why: ledger.WhyDestroy, Settings: ledger.Unknown, Template: ledger.Unknown,
		Schema: ledger.Schema{Fingerprint: ledger.Unknown, Compatible: ledger.Unknown},
	}
	if before := ledger.Running(past); before != nil {
		start.Previous = before.Key()
	}
	return o.Begin(ctx, start)
}

// Gone writes that it was.
func (o *Operator) Gone(ctx context.Context) error {
	if o.entry.start.Kind == "" {
		return nil
	}
	if err := o.end(ctx, ledger.Record{Outcome: ledger.Gone}); err != nil {
		return exit.Unablef("the stacks are gone, but %w", err).Hint("run the pipe again: it writes that down")
	}
	return nil
}

// Begin writes the start of a release. When that cannot be done, nothing is.
func (o *Operator) Begin(ctx context.Context, start ledger.Record) error {
	if o.entry.start.Kind != "" {
		return nil // we were overtaken, and try again
	}
	written, err := o.Ledger.Start(ctx, start)
	if err != nil {
		return exit.Unablef("%w; nothing was changed", err)
	}
	o.entry.start = written
	return nil
}

// Adopt takes over the start of a run that has left its update to itself. One that is
// still alive writes the same end, and that does no harm.
func (o *Operator) Adopt(ctx context.Context, start ledger.Record, past []ledger.Record) error {
	if o.entry.start.Kind != "" {
		return nil // we began one ourselves before we were overtaken, and end that
	}
	for _, open := range ledger.Unsettled(past) {
		if s := open.Start; s.Image.ID == start.Image.ID && s.Commit == start.Commit && s.Settings == start.Settings {
			o.entry.start = s
			return nil
		}
	}
	return o.Begin(ctx, start)
}

// cameThrough writes that the release is live as soon as nothing can take it back, while
// the old servers are still being removed. It is written once more when those are gone.
func (o *Operator) cameThrough(ctx context.Context, took ledger.Durations) {
	if o.entry.start.Kind == "" || o.entry.live || o.entry.tried {
		return
	}
	o.entry.tried = true
	if err := o.end(ctx, ledger.Record{Outcome: ledger.Live, Durations: took}); err != nil {
		o.Console.Warn("%v; trying again when the old servers are gone", err)
		return
	}
	o.entry.live = true
}

// succeeded writes the success with all its figures, and marks the image.
func (o *Operator) succeeded(ctx context.Context, took ledger.Durations) error {
	if o.entry.start.Kind == "" {
		return nil
	}
	err := o.end(ctx, ledger.Record{Outcome: ledger.Live, Durations: took})
	switch {
	case err != nil && o.entry.live:
		o.Console.Warn("The ledger knows that the release is live, but not how long it took: %v", err)
	case err != nil:
		return exit.Unablef("image %s is live, but %w", o.entry.start.Image.ID, err).
			Hint("run the pipe again: it writes down that the release is live, though unproven")
	}
	o.tag(ctx, o.entry.start.Image.ID)
	return nil
}

// failed writes that the release did not come through. That it failed is what the run
// ends with in any case.
func (o *Operator) failed(ctx context.Context, end ledger.Record) {
	if o.entry.start.Kind == "" {
		return
	}
	if err := o.end(ctx, end); err != nil {
		o.Console.Warn("%v; the next run of the pipe settles it", err)
	}
}

func (o *Operator) end(ctx context.Context, end ledger.Record) error {
	end.By, end.Durations.Total = o.By, ledger.Took(time.Since(o.entry.start.Time))
	_, err := o.Ledger.End(ctx, o.entry.start, end)
	return err
}

// tag says on the image itself that it is live, for people who look at images. What
// counts is the ledger, so that it cannot be said is no failure.
func (o *Operator) tag(ctx context.Context, id string) {
	_, err := o.EC2.CreateTags(ctx, &ec2.CreateTagsInput{
		Resources: []string{id},
		Tags:      image.Tags(map[string]string{image.TagDeployed + o.Environment: time.Now().UTC().Format(time.RFC3339)}),
	})
	if err != nil {
		o.Console.Warn("Image %s cannot be tagged as deployed: %v", id, err)
	}
}
