package linter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// patience is how long a tool that was asked to end may take to do so.
const patience = 5 * time.Second

// ended is a tool that has run to its end.
type ended struct {
	code   int
	stdout string // path of a file with all it wrote
	stderr []byte // the last of it
}

// keptErrors is how much of what a tool says about itself is kept.
const keptErrors = 64 << 10

// child runs a program to its end, whatever its exit code. An error is one that
// no exit code tells: it cannot be started, was cancelled, or was killed.
//
// It gets a group of processes of its own, so that ending it ends what it
// started (the compiler, node), too.
func (r *run) child(ctx context.Context, dir string, environ []string, program string, arguments ...string) (ended, error) {
	scratch, err := r.scratch()
	if err != nil {
		return ended{}, err
	}
	out, err := os.CreateTemp(scratch, "out")
	if err != nil {
		return ended{}, exit.Unablef("no room for the output of %s: %w", r.linter.Name, err)
	}
	defer out.Close()
	problems := &tail{}
	c := exec.CommandContext(ctx, program, arguments...)
	c.Dir, c.Env, c.Stdout, c.Stderr = dir, environ, out, problems
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = patience
	r.Log.Debug("in %s: %s %s", dir, program, strings.Join(arguments, " "))

	killsBefore := host.kills()
	err = c.Run()
	if c.Process != nil && ctx.Err() != nil {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // what did not end when it was asked to
	}
	if c.ProcessState != nil {
		if usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
			r.outcome.Peak = max(r.outcome.Peak, usage.Maxrss*1024)
		}
	}
	end := ended{stdout: out.Name(), stderr: problems.bytes()}
	var failed *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return end, fmt.Errorf("%s was stopped: %w", r.label(), context.Cause(ctx))
	case err == nil:
		return end, nil
	case !errors.As(err, &failed):
		return end, exit.Unablef("%s cannot be started: %w", r.linter.Name, err)
	}
	status, _ := failed.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return end, r.killed(status.Signal(), host.kills() > killsBefore)
	}
	if end.code = failed.ExitCode(); host.kills() > killsBefore {
		return end, r.killed(syscall.SIGKILL, true) // not the tool itself, but a compiler it had started
	}
	return end, nil
}

// killed explains a tool that a signal has ended.
func (r *run) killed(signal syscall.Signal, counted bool) error {
	allowed := ""
	if limit, _ := r.memory(); limit > 0 {
		allowed = fmt.Sprintf(", of which it has %d MB", limit>>20)
	}
	hints := []string{
		"give it more: pipes run in the service docker, so `definitions: {services: {docker: {memory: 3072}}}`, and `size: 2x` on the step when that is more than the step has",
		"or set MEMORY to what there is, so that less is used at a time and it takes longer",
	}
	switch {
	case counted:
		return exit.Unablef("%s ran out of memory%s: the kernel killed it or what it had started", r.label(), allowed).Hint(hints...)
	case signal == syscall.SIGKILL:
		return exit.Unablef("%s was killed, most likely because memory ran out%s", r.label(), allowed).Hint(hints...)
	}
	return exit.Unablef("%s was ended by signal %d (%s)", r.label(), int(signal), signal).
		Hint("run it in the clone to see whether it breaks there, too")
}

// scratch is the folder for files between a tool and us.
func (r *run) scratch() (string, error) {
	if r.temporary == "" {
		dir, err := os.MkdirTemp("", "lint-gate-")
		if err != nil {
			return "", exit.Unablef("no room for temporary files: %w", err)
		}
		r.temporary = dir
	}
	return r.temporary, nil
}

// tail keeps the end of what is written to it.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if len(t.data) > 2*keptErrors {
		t.data = slices.Clone(t.data[len(t.data)-keptErrors:])
	}
	return len(p), nil
}

func (t *tail) bytes() []byte { return bytes.TrimSpace(bytes.ToValidUTF8(t.data, []byte("\uFFFD"))) }

// environ is the environment for tools, with the folder of a program first on
// PATH: what a tool starts by name is then of the same installation.
func (r *run) environ(program string, extra ...string) []string {
	env := slices.Clone(r.Environ)
	if dir := filepath.Dir(program); filepath.IsAbs(program) {
		env = append(env, "PATH="+dir+string(os.PathListSeparator)+value(r.Environ, "PATH"))
	}
	return append(env, extra...)
}

// value is that of a variable; the last one counts, as for a program that is started.
func value(environ []string, name string) string {
	found := ""
	for _, entry := range environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			found = v
		}
	}
	return found
}
