package rollout

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// live is what the servers of an environment are before a release.
type live struct {
	stack    *stack.Stack // nil: there is none yet
	physical map[string]string
	groups   []group
}

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
	now, ours, err := d.settle(ctx, name, target)
	if err != nil {
		return nil, unable(err)
	}
	past, err := d.past(ctx, record) // once more: much may have happened while we waited
	if err != nil {
		return nil, err
	}
	if ours {
		return d.follow(ctx, now, record, past)
	}
	if err := d.settleLedger(ctx, now, past); err != nil {
		return nil, err
	}
	d.rt.Console.Heading("Servers %s", name)
	live, err := d.live(ctx, now)
	if err != nil {
		return nil, unable(err)
	}
	if err := d.removeLeftovers(ctx, live); err != nil {
		return nil, unable(err)
	}
	values.Capacity = d.sizes(live.groups, live.physical)
	values.RunRelease = d.runsRelease(now, record)
	p, _, err := d.proposal(name, d.file.Servers(values))
	if err != nil {
		return nil, err
	}
	p.Exists, p.Monitoring = now != nil, d.file.Soak
	if now == nil {
		p.Monitoring = 0 // there are no old servers to keep
	}
	return d.release(ctx, live, p, target, record, values.Capacity, past)
}

func (d *deployer) live(ctx context.Context, now *stack.Stack) (*live, error) {
	l := &live{stack: now}
	if now == nil {
		return l, nil
	}
	var err error
	if l.physical, err = d.resources(ctx, now); err != nil {
		return nil, err
	}
	l.groups, err = d.groups(ctx, now.ID)
	return l, err
}

// release proposes, explains and applies.
func (d *deployer) release(ctx context.Context, live *live, p stack.Proposal, target string, record *image.Record, sizes map[string]int, past []ledger.Record) (*Result, error) {
	changed, err := d.propose(ctx, p)
	if err != nil {
		return nil, err
	}
	if !changed.Empty && onlySizes(changed.Changes) {
		if err := stack.Discard(ctx, d.cfn, changed); err != nil {
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
	if err := d.begin(ctx, d.startRecord(record, p.Parameters, p.Body, past)); err != nil {
		if left := d.discard(ctx, changed); left != nil {
			d.rt.Console.Warn("%v", left)
		}
		return nil, err
	}
	wanted := map[string]int{}
	for _, role := range d.file.Roles {
		wanted[role.Group()] = sizes[role.Name]
	}
	story := newStory(d.rt.Console, d.file, wanted, p.Monitoring)
	final, events, err := d.apply(ctx, live.stack, changed, d.token(target), story)
	if err != nil {
		return nil, err
	}
	return d.conclude(ctx, final, events, story, record)
}

// follow goes along with an update to our own target that is under way already, from its
// beginning: what has happened before counts.
func (d *deployer) follow(ctx context.Context, now *stack.Stack, record *image.Record, past []ledger.Record) (*Result, error) {
	earlier, err := stack.Operation(ctx, d.cfn, now.ID)
	if err != nil {
		return nil, unable(err)
	}
	after, by := "", ""
	if len(earlier) > 0 {
		after, by = earlier[len(earlier)-1].ID, startedBy(earlier[0].Token)
	}
	d.rt.Console.Info("An update to the same image is under way already%s: following it", by)
	if err := d.adopt(ctx, d.startRecord(record, now.Parameters, "", past), past); err != nil {
		return nil, err
	}
	wanted := map[string]int{}
	for _, role := range d.file.Roles {
		wanted[role.Group()], _ = strconv.Atoi(now.Parameters[role.Capacity()]) // without one none is known
	}
	story := newStory(d.rt.Console, d.file, wanted, now.Monitoring)
	story.catchUp(earlier)
	final, events, err := stack.Follow(ctx, d.cfn, now.ID, after, d.listening(story))
	if err != nil {
		return nil, leftRunning(err)
	}
	return d.conclude(ctx, final, append(earlier, events...), story, record)
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
		return nil, nil, contested(err)
	}
	final, events, err := stack.Follow(ctx, d.cfn, changed.Stack, after, d.listening(story))
	if err != nil {
		return nil, nil, leftRunning(err)
	}
	return final, events, nil
}

// leftRunning says that the update goes on without us. It is not cancelled: half of it
// may be live, and CloudFormation ends it well or takes it back with or without us.
func leftRunning(err error) error {
	return exit.Unablef("%w; the update goes on in CloudFormation", err).
		Hint("run the pipe again to follow it")
}

// conclude says how it ended, and why.
func (d *deployer) conclude(ctx context.Context, final *stack.Stack, events []stack.Event, story *story, record *image.Record) (*Result, error) {
	if !final.Status.Good() {
		why, launch := story.failure(final, events)
		d.failed(ctx, final, why, durations(events))
		e := exit.Refusedf("the release of image %s to %s failed: %s", record.Image, d.file.Environment, why)
		if launch != nil {
			e = exit.Unablef("%w", e.Err).Hint(launch.hints()...)
		}
		if final.Status == stack.UpdateRollbackComplete {
			return d.result(record, OutcomeRolledBack), e.Hint("the release from before goes on: " + story.kept())
		}
		return d.result(record, OutcomeFailed), e.Hint("stack " + final.Name + " is " + string(final.Status))
	}
	if err := d.succeeded(ctx, durations(events)); err != nil {
		return nil, err
	}
	if err := d.endCheck(ctx, final, record.Image); err != nil {
		return nil, err
	}
	d.rt.Console.Success("%s runs image %s of commit %.12s", d.file.Environment, record.Image, record.Commit)
	return d.result(record, OutcomeReleased), nil
}

func (d *deployer) propose(ctx context.Context, p stack.Proposal) (*stack.ChangeSet, error) {
	if d.s.Action == ActionPreview {
		if !p.Exists {
			return sketch(p)
		}
		p.Name += "-preview" // by its usual name it would take away what a deploy is about to execute
	}
	if !environment.Inline([]byte(p.Body)) {
		url, err := d.uploadTemplate(ctx, p)
		if err != nil {
			return nil, err
		}
		p.Body, p.URL = "", url
	}
	changed, err := stack.Propose(ctx, d.cfn, p)
	return changed, contested(d.roleProblem(p.Role, err))
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
