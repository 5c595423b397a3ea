// Package scratch runs the server of a scratch database for as long as a check takes: one
// process under an unprivileged user, in a directory of its own with its data, its socket
// and its log. Both are gone afterwards, however the check ends.
package scratch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

const (
	// longestParent leaves room for the name of the directory and that of the socket in it:
	// an address of a socket has 107 bytes.
	longestParent = 60

	// patience is how long a server may take to end after its signal.
	patience = 5 * time.Second

	// moment is what the kernel is given to tell that a server has ended whose connections have.
	moment = time.Second
)

// Options say what a server is and what it needs around it.
type Options struct {
	Name      string              // as people know it, such as PostgreSQL
	Directory string              // how the name of its directory begins, such as fearless-postgres-
	Parent    string              // where that is made; "" is the place of temporary files; /tmp when its path is long
	User      *syscall.Credential // who runs it; nil is whoever we are
	Signal    syscall.Signal      // what ends it at once, since nothing of it is kept
}

// Process is a server and its directory.
type Process struct {
	Dir string // for its data, its socket and its log

	options  Options
	patience time.Duration
	moment   time.Duration
	cmd      *exec.Cmd
	ended    chan struct{} // closed when it has
	err      error         // how, to be read after that
}

// New makes the directory of a server that is not started yet. The stack removes it.
func New(o Options, stack *undo.Stack) (*Process, error) {
	parent := o.Parent
	if parent == "" {
		parent = os.TempDir()
	}
	if len(parent) > longestParent {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, o.Directory)
	if err != nil {
		return nil, exit.Unablef("scratch %s: %w", o.Name, err)
	}
	stack.Defer("removing the scratch "+o.Name+"'s directory", func(context.Context) error { return os.RemoveAll(dir) })
	if o.User != nil {
		if err := os.Chown(dir, int(o.User.Uid), int(o.User.Gid)); err != nil {
			return nil, exit.Unablef("scratch %s: %w", o.Name, err)
		}
	}
	return &Process{Dir: dir, options: o, patience: patience, moment: moment, ended: make(chan struct{})}, nil
}

// environment holds nothing of ours: a server needs no secret of the pipeline.
func (p *Process) environment() []string {
	return []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + p.Dir, "TMPDIR=" + p.Dir}
}

// attributes make the leader of a group, so that it can be ended with all that it has
// started. On the death of the pipe the kernel ends it, too; that is bound to the thread
// that started it, which has to be kept.
func (p *Process) attributes(death syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: p.options.User, Setpgid: true, Pdeathsig: death}
}

// Run runs a program that ends by itself, as one that makes the data, and returns what it
// wrote. The end of the context ends it, and is the error then.
func (p *Process) Run(ctx context.Context, program string, args ...string) ([]byte, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = p.Dir, p.environment(), p.attributes(syscall.SIGKILL)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return out, context.Cause(ctx)
	}
	return out, err
}

// Start starts the server and waits until ready says that it is. The stack stops it.
func (p *Process) Start(ctx context.Context, stack *undo.Stack, ready func(context.Context) bool, program string, args ...string) error {
	if err := p.start(program, args); err != nil {
		return exit.Unablef("starting the scratch %s: %w", p.options.Name, err)
	}
	stack.Defer("stopping the scratch "+p.options.Name, p.stop)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.ended:
			return exit.Unablef("%w", p.Gone())
		case <-tick.C:
		}
		if ready(ctx) {
			return nil
		}
	}
}

// start runs the server in a goroutine that keeps its thread.
func (p *Process) start(program string, args []string) error {
	log, err := os.Create(p.log())
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, args...) //nolint:noctx // the undo stack stops it, after its connections were closed
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.Dir, p.environment(), log, log
	cmd.SysProcAttr = p.attributes(p.options.Signal)
	p.cmd = cmd
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.ended)
		}
	}()
	return <-started
}

func (p *Process) log() string { return filepath.Join(p.Dir, "log") }

// User is who runs the programs; nil is whoever we are.
func (p *Process) User() *syscall.Credential { return p.options.User }

// PID is that of the server.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the server has.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Gone is nil while the server runs, and says how it has ended after that.
func (p *Process) Gone() error {
	select {
	case <-p.ended:
	default:
		return nil
	}
	how := "ended"
	if p.err != nil {
		how = p.err.Error()
	}
	log, _ := os.ReadFile(p.log())
	return fmt.Errorf("the scratch %s is gone: %s: %s", p.options.Name, how, LastLines(log))
}

// Explain names the cause that an error of a connection only hints at: that the server is
// gone.
func (p *Process) Explain(err error) error {
	if lost(err) {
		p.lookAgain()
	}
	if gone := p.Gone(); gone != nil {
		return exit.Unablef("%w (%w)", gone, err).
			Hint("The check could not be made. Should it happen again: give the step more memory (size: 2x).")
	}
	return err
}

// lost tells that a connection ended as it does when its server is gone, of which the
// connection may know before we do. Tools hand on no more than the text of an error.
func lost(err error) bool {
	for _, words := range []string{
		"unexpected postmaster exit", "unexpected EOF", "connection reset", "connection refused", "broken pipe", "no such file",
		"invalid connection", "bad connection", // as MariaDB's are
	} {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}

// lookAgain gives the kernel a moment to tell that the server has ended.
func (p *Process) lookAgain() {
	limit := time.NewTimer(p.moment)
	defer limit.Stop()
	select {
	case <-p.ended:
	case <-limit.C:
	}
}

// stop ends the server by its signal, and when that does not help, by force.
func (p *Process) stop(ctx context.Context) error {
	if p.Gone() != nil {
		return nil
	}
	if err := p.cmd.Process.Signal(p.options.Signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	limit := time.NewTimer(p.patience)
	defer limit.Stop()
	select {
	case <-p.ended:
		return nil
	case <-limit.C:
	case <-ctx.Done():
	}
	err := syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.ended
	if errors.Is(err, syscall.ESRCH) {
		return nil // it has ended meanwhile
	}
	return err
}

// LastLines keeps an error readable; the reason comes last.
func LastLines(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-4):], "; ")
}
