package rollout

import (
	"context"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// servers releases the image. CloudFormation does the rest, or goes back by itself.
func (d *deployer) servers(ctx context.Context, record *image.Record, base map[string]string) (*Result, error) {
	name := d.file.ServersStack()
	settings, err := d.settingsDigest(ctx)
	if err != nil {
		return nil, unable(err)
	}
	values := environment.Values{
		Image: record.Image, Commit: record.Commit, Base: base, SettingsDigest: settings,
		RunRelease: d.file.Release.When != environment.WhenNever && d.file.HasRelease(record.Processes),
	}
	_, target, err := d.proposal(name, d.file.Servers(values))
	if err != nil {
		return nil, err
	}
	now, ours, err := d.settle(ctx, name, target)
	if err != nil {
		return nil, unable(err)
	}
	if ours {
		return d.follow(ctx, now, record)
	}
	physical := map[string]string{}
	if now != nil {
		if physical, err = d.resources(ctx, now); err != nil {
			return nil, unable(err)
		}
	}
	if values.Capacity, err = d.capacities(ctx, physical); err != nil {
		return nil, unable(err)
	}
	if now != nil && now.Parameters[environment.ParameterImage] == record.Image {
		// The release process ran when this image came, and its server is kept as it is:
		// another value would be a change, and there may be no other.
		values.RunRelease = now.Parameters[environment.ParameterRun] == "true"
	}
	p, _, err := d.proposal(name, d.file.Servers(values))
	if err != nil {
		return nil, err
	}
	p.Exists, p.Monitoring = now != nil, d.file.Soak
	if now == nil {
		p.Monitoring = 0 // there are no old servers to keep
	}
	return d.release(ctx, now, p, target, record, values.Capacity)
}

// release proposes, explains and applies.
func (d *deployer) release(ctx context.Context, now *stack.Stack, p stack.Proposal, target string, record *image.Record, sizes map[string]int) (*Result, error) {
	d.rt.Console.Heading("Servers %s", p.Stack)
	changed, err := d.propose(ctx, p)
	if err != nil {
		return nil, err
	}
	if changed.Empty {
		d.rt.Console.Success("%s runs image %s already", d.file.Environment, record.Image)
		return d.result(record, OutcomeUnchanged), nil
	}
	d.print(changed.Changes)
	if d.s.Action == ActionPreview {
		if err := d.discard(ctx, now, changed); err != nil {
			return nil, err
		}
		d.rt.Console.Success("This is a preview: nothing was changed")
		return d.result(record, OutcomePreviewed), nil
	}
	wanted := map[string]int{}
	for _, role := range d.file.Roles {
		wanted[role.Group()] = sizes[role.Name]
	}
	story := newStory(d.rt.Console, d.file, wanted, p.Monitoring)
	final, events, err := d.apply(ctx, now, changed, d.token(target), story)
	if err != nil {
		return nil, err
	}
	return d.conclude(ctx, final, events, story, record)
}

// follow goes along with an update to our own target that is under way already.
func (d *deployer) follow(ctx context.Context, now *stack.Stack, record *image.Record) (*Result, error) {
	d.rt.Console.Info("An update to the same image is under way already: following it")
	story := newStory(d.rt.Console, d.file, map[string]int{}, d.file.Soak)
	latest, err := stack.Latest(ctx, d.cfn, now.ID)
	if err != nil {
		return nil, unable(err)
	}
	final, events, err := stack.Follow(ctx, d.cfn, now.ID, latest.ID, d.listening(story))
	if err != nil {
		return nil, d.leftRunning(ctx, err)
	}
	return d.conclude(ctx, final, events, story, record)
}

// apply executes a change set and follows it to its end.
func (d *deployer) apply(ctx context.Context, now *stack.Stack, changed *stack.ChangeSet, token string, story *story) (*stack.Stack, []stack.Event, error) {
	after := ""
	if now != nil {
		latest, err := stack.Latest(ctx, d.cfn, now.ID)
		if err != nil {
			return nil, nil, unable(err)
		}
		after = latest.ID
	}
	if err := stack.Execute(ctx, d.cfn, changed, token); err != nil {
		return nil, nil, unable(err)
	}
	final, events, err := stack.Follow(ctx, d.cfn, changed.Stack, after, d.listening(story))
	if err != nil {
		return nil, nil, d.leftRunning(ctx, err)
	}
	return final, events, nil
}

// leftRunning says that the update goes on without us. It is not cancelled: half of it
// may be live, and CloudFormation ends it well or takes it back with or without us.
func (d *deployer) leftRunning(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return unable(err)
	}
	return exit.Unablef("%w; the update goes on in CloudFormation", err).
		Hint("run the pipe again to follow it")
}

// conclude says how it ended, and why.
func (d *deployer) conclude(ctx context.Context, final *stack.Stack, events []stack.Event, story *story, record *image.Record) (*Result, error) {
	if !final.Status.Good() {
		why := outcome(final, events)
		if story.words != "" {
			why = story.words
		}
		e := exit.Refusedf("the release of image %s to %s failed: %s", record.Image, d.file.Environment, why)
		if final.Status == stack.UpdateRollbackComplete {
			return d.result(record, OutcomeRolledBack), e.Hint("the servers from before go on serving: nothing of them was touched")
		}
		return d.result(record, OutcomeFailed), e.Hint("stack " + final.Name + " is " + string(final.Status))
	}
	if err := d.endCheck(ctx, final, record.Image); err != nil {
		return nil, err
	}
	d.rt.Console.Success("%s runs image %s of commit %.12s", d.file.Environment, record.Image, record.Commit)
	return d.result(record, OutcomeReleased), nil
}

func (d *deployer) propose(ctx context.Context, p stack.Proposal) (*stack.ChangeSet, error) {
	if !environment.Inline([]byte(p.Body)) {
		url, err := d.uploadTemplate(ctx, p)
		if err != nil {
			return nil, err
		}
		p.Body, p.URL = "", url
	}
	changed, err := stack.Propose(ctx, d.cfn, p)
	return changed, unable(err)
}

func (d *deployer) print(changes []stack.Change) {
	for _, line := range explain(changes) {
		d.rt.Console.Plain("  %s", line)
	}
}

func (d *deployer) result(record *image.Record, outcome string) *Result {
	return &Result{
		Application: d.s.Application, Environment: d.s.Environment, Commit: record.Commit, Image: record.Image,
		Outcome: outcome, Seconds: time.Since(d.rt.Started).Seconds(), Took: console.Duration(time.Since(d.rt.Started)),
	}
}
