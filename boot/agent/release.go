package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// lingering is how long a release server stays after its work, so that its log
// is uploaded and can be asked for more than once.
const lingering = time.Minute

// errand is a command that runs once on a server. Its file remembers what became of it:
// migrations must not run twice because systemd started boot again, or a server rebooted.
type errand struct{ name, what, file string }

// The errands.
var (
	release = errand{"release", "the release process", "/var/lib/fearless/release.json"}
	seeding = errand{"seed", "the seed command", "/var/lib/fearless/seed.json"}
)

// errandMark is the content of an errand's file.
type errandMark struct {
	Instance string `json:"instance"`
	Ended    bool   `json:"ended"`
	Problem  string `json:"problem"` // empty: it succeeded
}

// serveRelease runs the release process and switches the server off.
func (a *agent) serveRelease(ctx context.Context, calls map[string]Call) error {
	var problem error
	if call, ok := calls[contract.ReleaseProcess]; ok {
		problem = a.once(ctx, release, call)
	} else {
		a.log.say("the Procfile has no release process, nothing to do")
	}
	off := time.After(lingering)
	if problem != nil {
		a.reports.set(false, problem.Error(), nil)
	} else {
		a.reports.set(true, "", nil)
	}
	a.ballot.insist(ctx, problem == nil, lingering)
	select {
	case <-ctx.Done():
	case <-off:
		a.PowerOff()
	}
	return nil
}

// once runs an errand unless this server did so before.
func (a *agent) once(ctx context.Context, e errand, call Call) error {
	file := a.path(e.file)
	mark, err := readMark[errandMark](file)
	if err != nil {
		return fmt.Errorf("cannot tell whether %s has run: %w", e.what, err)
	}
	if mark.Instance == a.instance {
		a.log.say("%s has run on this server, it is not run again", e.what)
		return mark.outcome(e)
	}
	mark = errandMark{Instance: a.instance}
	if err := mark.write(e, file); err != nil {
		return err
	}
	a.reports.set(false, e.what+" is running", nil)
	started := time.Now()
	err = a.run(ctx, e, call)
	a.log.say("%s took %s", e.name, time.Since(started).Round(time.Second))
	mark.Ended = true
	if err != nil {
		mark.Problem = err.Error()
	}
	return errors.Join(err, mark.write(e, file))
}

func (a *agent) run(ctx context.Context, e errand, call Call) error {
	process, err := a.Start(call)
	if err != nil {
		return fmt.Errorf("%s cannot be started: %w", e.what, err)
	}
	a.log.say("%s started", e.name)
	life := await(process)
	select {
	case <-life.over:
		process.End(orphanGrace)
		flush(call.Out)
		if life.how != nil {
			return fmt.Errorf("%s failed: %w", e.what, life.how)
		}
		return nil
	case <-ctx.Done():
		process.End(a.userData.DrainTime())
		<-life.over
		flush(call.Out)
		return fmt.Errorf("%s was ended because the server was told to stop", e.what)
	}
}

// idle waits on a server of which an errand failed: the other processes must not meet a
// database they do not fit, and a restart would not help.
func (a *agent) idle(ctx context.Context, reason error) {
	a.log.say("no other process is started")
	a.reports.set(false, reason.Error(), nil)
	a.ballot.insist(ctx, false, a.userData.ReadyTime())
	<-ctx.Done()
}

func (m errandMark) outcome(e errand) error {
	switch {
	case !m.Ended:
		return fmt.Errorf("%s was cut off when the server went down, and is not run twice: deploy again", e.what)
	case m.Problem != "":
		return errors.New(m.Problem)
	}
	return nil
}

func (m errandMark) write(e errand, file string) error {
	if err := writeMark(file, m); err != nil {
		return fmt.Errorf("cannot note the state of %s: %w", e.what, err)
	}
	return nil
}
