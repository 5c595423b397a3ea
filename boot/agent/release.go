package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	if call, ok := calls[contract.ReleaseProcess]; !ok {
		a.log.say("the Procfile has no release process, nothing to do")
		a.reports.set(true, "", nil)
	} else if err := a.releaseOnce(ctx, call); err != nil {
		a.reports.set(false, err.Error(), nil)
	} else {
		a.reports.set(true, "", nil)
	}
	select {
	case <-ctx.Done():
	case <-time.After(lingering):
		a.PowerOff()
	}
	return nil
}

// releaseOnce runs the release process unless this server did so before.
func (a *agent) releaseOnce(ctx context.Context, call Call) error {
	file := a.path(releaseFile)
	mark, err := readMark(file)
	if err != nil {
		return err
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

func readMark(file string) (releaseMark, error) {
	var mark releaseMark
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return mark, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &mark)
	}
	if err != nil {
		return mark, fmt.Errorf("cannot tell whether the release process has run: %w", err)
	}
	return mark, nil
}

// write replaces the file at once: half a mark is worse than none.
func (m releaseMark) write(file string) error {
	data, err := json.Marshal(m)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = os.WriteFile(file+".new", data, 0o644)
	}
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		return fmt.Errorf("cannot note the state of the release process: %w", err)
	}
	return nil
}
