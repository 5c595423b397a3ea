package tool

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Shell runs commands of the project's.
type Shell struct {
	Environ []string
	Log     func(name, text string) // gets what a command prints
}

// Answer is how a command ended.
type Answer struct {
	Out  string // what it printed
	Err  string // what it printed as an error
	All  string // both, in order
	Code int
}

// LastWords is the last line that says something, where programs give their reason.
func (a Answer) LastWords() string {
	if reason := a.aborted(); reason != "" {
		return reason
	}
	lines := strings.Split(strings.TrimSpace(a.All), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		line := strings.TrimSpace(lines[i])
		if line != "" && strings.Trim(line, "^~-| ") != "" && !strings.HasPrefix(line, "(Background on this error") && !strings.HasPrefix(line, "[SQL:") &&
			!strings.HasPrefix(line, "[parameters:") {
			return line
		}
	}
	return "it printed nothing"
}

// aborted is the reason that Rake gives, which is not at the end: a class, and what went
// wrong, on its line or on one after it. Of a migration Rails first says that it failed,
// and then why. "" is that Rake has not aborted.
func (a Answer) aborted() string {
	_, text, ok := strings.Cut(a.All, " aborted!\n")
	if !ok {
		return ""
	}
	if why, cause, ok := strings.Cut(text, "\nCaused by:\n"); ok && strings.Contains(why, "later migrations canceled") {
		text = cause
	}
	reason := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		reason = strings.TrimSpace(reason + " " + line)
		if line != "" && !strings.HasSuffix(line, ":") {
			break
		}
	}
	return reason
}

// Run runs a line in a folder. More variables come before those of the environment, of
// which none leads to a database. That a command ends with an exit code is no error.
func (s Shell) Run(ctx context.Context, dir, line string, more []string) (Answer, error) {
	answer, err := RunLine(ctx, dir, line, append(overridden(s.Environ, more), more...))
	if s.Log != nil {
		s.Log(line, answer.All)
	}
	return answer, err
}

// RunLine is Run with this environment as it is. What a command leaves running, such as a
// server beside it, is ended with it.
func RunLine(ctx context.Context, dir, line string, environ []string) (Answer, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir, cmd.Env = dir, environ
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = patience
	p, err := newPrinted()
	if err != nil {
		return Answer{}, exit.Unablef("`%s`: %w", line, err)
	}
	defer p.close()
	cmd.Stdout, cmd.Stderr = p.out.in, p.failed.in
	if err = cmd.Start(); err == nil {
		p.read()
		err = cmd.Wait()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it is gone, as a rule
		p.end()
	}
	answer := Answer{Out: p.out.text.String(), Err: p.failed.text.String(), All: p.all.String()}
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return answer, fmt.Errorf("`%s` was still running: %w", line, context.Cause(ctx))
	case p.over:
		return answer, exit.Unablef("`%s` printed more than %d MiB", line, mostPrinted>>20)
	case errors.As(err, &ended) && ended.Exited():
		answer.Code = ended.ExitCode()
		return answer, nil
	case err != nil:
		return answer, exit.Unablef("`%s`: %w", line, err)
	}
	return answer, nil
}

// overridden leaves out what is given anew, and whatever else leads to a database.
func overridden(environ, more []string) []string {
	var all []string
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		again := strings.HasPrefix(name, "PG") || name == "DATABASE_URL"
		for _, m := range more {
			again = again || strings.HasPrefix(m, name+"=")
		}
		if !again {
			all = append(all, v)
		}
	}
	return all
}
