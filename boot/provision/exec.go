package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"bitbucket.org/fearless/pipes/boot/group"
)

// grace is how long a script may take to end after SIGTERM.
const grace = 10 * time.Second

// Exec runs a call as a process group of its own. When the context ends the
// group gets SIGTERM and, after 10 s, SIGKILL. When the script ends by itself,
// what it left running in the background is ended the same way: a process that
// writes while the disk is frozen would be a different image each time.
func Exec(ctx context.Context, call ScriptCall) (int, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return -1, err
	}
	defer read.Close()
	cmd := exec.Command(call.Argv[0], call.Argv[1:]...) //nolint:noctx // the context ends the whole group, see below
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = call.Dir, call.Environ, write, write
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	_ = write.Close()
	if err != nil {
		return -1, err
	}
	copied, ended := make(chan struct{}), make(chan error, 1)
	go func() { _, _ = io.Copy(call.Out, read); close(copied) }()
	go func() { ended <- cmd.Wait() }()

	select {
	case err = <-ended:
	case <-ctx.Done():
		group.End(cmd.Process.Pid, grace)
		err = <-ended
	}
	if group.End(cmd.Process.Pid, grace) {
		fmt.Fprintln(call.Out, "boot: background processes of the script were ended")
	}
	// A daemon that left the group may hold the pipe; it cannot hold us.
	_ = read.SetReadDeadline(time.Now().Add(2 * time.Second))
	<-copied
	return exitCode(err)
}

// exitCode tells a script that ended with a code from one that was killed.
func exitCode(err error) (int, error) {
	var failed *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case !errors.As(err, &failed):
		return -1, err
	}
	status, ok := failed.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return failed.ExitCode(), nil
	}
	if status.Signal() == syscall.SIGKILL {
		return -1, errors.New("it was killed, most likely because the memory ran out")
	}
	return -1, fmt.Errorf("it was ended by a signal: %s", status.Signal())
}
