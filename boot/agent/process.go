package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"bitbucket.org/fearless/pipes/boot/group"
)

// Call is a command to be started.
type Call struct {
	Shell   string // for sh -c
	Dir     string
	Environ []string
	Out     io.Writer // takes standard output and standard error
	Port    int       // the PORT in Environ; 0: none
}

// Process is a started command with everything that it started.
type Process interface {
	// Wait returns when the command has ended: nil for exit code 0, else how.
	Wait() error
	// End tells everything to end, waits, kills what is left after grace, and
	// returns when nothing is left. It also clears up after a command that
	// ended by itself.
	End(grace time.Duration)
}

// Starter starts a command.
type Starter func(Call) (Process, error)

// lifetime waits for a process while others do something else.
type lifetime struct {
	over chan struct{}
	how  error // as Wait says it, once over is closed
}

func await(p Process) *lifetime {
	l := &lifetime{over: make(chan struct{})}
	go func() { defer close(l.over); l.how = p.Wait() }()
	return l
}

// System starts real processes; credential nil means as the user of boot.
func System(credential *syscall.Credential) Starter {
	return func(call Call) (Process, error) {
		read, write, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		cmd := exec.Command("/bin/sh", "-c", call.Shell) //nolint:noctx // End ends it, with its whole group
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = call.Dir, call.Environ, write, write
		cmd.SysProcAttr = attributes(credential)
		err = cmd.Start()
		_ = write.Close()
		if err != nil {
			_ = read.Close()
			return nil, err
		}
		p := &family{leader: cmd, output: read, copied: make(chan struct{})}
		go func() { defer close(p.copied); _, _ = io.Copy(call.Out, read) }()
		return p, nil
	}
}

// family is a process group. Signals go to all of it: a shell that stays as
// the parent of the program passes nothing on.
type family struct {
	leader *exec.Cmd
	output *os.File
	copied chan struct{}
}

// Wait says how the leader of the group ended.
func (f *family) Wait() error {
	err := f.leader.Wait()
	var failed *exec.ExitError
	if !errors.As(err, &failed) {
		return err
	}
	status, ok := failed.Sys().(syscall.WaitStatus)
	switch {
	case !ok || !status.Signaled():
		return fmt.Errorf("exit code %d", failed.ExitCode())
	case status.Signal() == syscall.SIGKILL:
		return errors.New("killed, most likely because the memory ran out")
	}
	return fmt.Errorf("ended by signal: %s", status.Signal())
}

// End ends the whole group.
func (f *family) End(grace time.Duration) {
	group.End(f.leader.Process.Pid, grace)
	// What left the group may still hold the pipe; it cannot hold us.
	_ = f.output.SetReadDeadline(time.Now().Add(time.Second))
	<-f.copied
	_ = f.output.Close()
}
