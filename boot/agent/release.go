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

// releaseFile remembers what became of the release process. Migrations must
// not run twice because systemd started boot again, or a server rebooted.
const releaseFile = "/var/lib/fearless/release.json"

// releaseMark is the content of releaseFile.
type releaseMark struct {
	Instance string `json:"instance"`
	Ended    bool   `json:"ended"`
	Problem  string `json:"problem"` // empty: it succeeded
}

// serveRelease runs the release process and switches the server off.
func (a *agent) serveRelease(ctx context.Context, calls map[string]Call) error {
	var problem error
	if call, ok := calls[contract.ReleaseProcess]; ok {
		problem = a.releaseOnce(ctx, call)
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

// releaseOnce runs the release process unless this server did so before.
func (a *agent) releaseOnce(ctx context.Context, call Call) error {
	file := a.path(releaseFile)
	mark, err := readMark[releaseMark](file)
	if err != nil {
		return fmt.Errorf("cannot tell whether the release process has run: %w", err)
	}
	if mark.Instance == a.instance {
		a.log.say("the release process has run on this server, it is not run again")
		return mark.outcome()
	}
	mark = releaseMark{Instance: a.instance}
	if err := mark.write(file); err != nil {
		return err
	}
	a.reports.set(false, "the release process is running", nil)
	started := time.Now()
	err = a.runRelease(ctx, call)
	a.log.say("release took %s", time.Since(started).Round(time.Second))
	mark.Ended = true
	if err != nil {
		mark.Problem = err.Error()
	}
	return errors.Join(err, mark.write(file))
}

func (a *agent) runRelease(ctx context.Context, call Call) error {
	process, err := a.Start(call)
	if err != nil {
		return fmt.Errorf("the release process cannot be started: %w", err)
	}
	a.log.say("release started")
	life := await(process)
	select {
	case <-life.over:
		process.End(orphanGrace)
		flush(call.Out)
		if life.how != nil {
			return fmt.Errorf("the release process failed: %w", life.how)
		}
		return nil
	case <-ctx.Done():
		process.End(a.userData.DrainTime())
		<-life.over
		flush(call.Out)
		return errors.New("the release process was ended because the server was told to stop")
	}
}

// idle waits on a server whose release process failed: the other processes
// must not meet a database they do not fit, and a restart would not help.
func (a *agent) idle(ctx context.Context, reason error) {
	a.log.say("no other process is started")
	a.reports.set(false, reason.Error(), nil)
	a.ballot.insist(ctx, false, a.userData.ReadyTime())
	<-ctx.Done()
}

func (m releaseMark) outcome() error {
	switch {
	case !m.Ended:
		return errors.New("the release process was cut off when the server went down, and is not run twice: deploy again")
	case m.Problem != "":
		return errors.New(m.Problem)
	}
	return nil
}

func (m releaseMark) write(file string) error {
	if err := writeMark(file, m); err != nil {
		return fmt.Errorf("cannot note the state of the release process: %w", err)
	}
	return nil
}
