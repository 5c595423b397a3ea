package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// longestParent leaves room for the name of the directory and that of the socket in it:
// an address of a socket has 107 bytes.
const longestParent = 60

const superuser = "postgres"

// process is the private server and the directory with its data, socket and log.
type process struct {
	dir   string
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has
	err   error         // how, to be read after that
}

// begin makes the cluster and starts the server on it.
func begin(ctx context.Context, o Options, stack *undo.Stack) (*process, error) {
	bin, err := Binaries(o.Binaries)
	if err != nil {
		return nil, err
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	parent := o.Parent
	if parent == "" {
		parent = os.TempDir()
	}
	if len(parent) > longestParent {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "fearless-postgres-")
	if err != nil {
		return nil, exit.Unablef("scratch PostgreSQL: %w", err)
	}
	stack.Defer("removing the scratch PostgreSQL's directory", func(context.Context) error { return os.RemoveAll(dir) })
	if who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			return nil, exit.Unablef("scratch PostgreSQL: %w", err)
		}
	}
	p := &process{dir: dir, ended: make(chan struct{})}
	if err := p.cluster(ctx, bin, who); err != nil {
		return nil, err
	}
	if err := p.start(bin, who); err != nil {
		return nil, exit.Unablef("starting the scratch PostgreSQL: %w", err)
	}
	stack.Defer("stopping the scratch PostgreSQL", p.stop)
	return p, p.ready(ctx)
}

// environment holds nothing of ours: a server needs no secret of the pipeline.
func environment(dir string) []string {
	return []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir}
}

func (p *process) data() string { return filepath.Join(p.dir, "data") }

// start runs the server: no network, nothing that makes data survive a crash. On the
// death of the pipe the kernel ends it, too; that is bound to the thread that started
// it, hence a goroutine that keeps its thread.
func (p *process) start(bin string, who *syscall.Credential) error {
	log, err := os.Create(p.logFile())
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", p.data()) //nolint:noctx // it is stopped with SIGQUIT by the undo stack, after its connections were closed
	for _, setting := range []string{
		"listen_addresses=", "unix_socket_directories=" + p.dir, "unix_socket_permissions=0700",
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off",
		"wal_level=minimal", "max_wal_senders=0", "max_wal_size=64MB", "jit=off",
		"shared_buffers=64MB", "max_connections=50", "dynamic_shared_memory_type=mmap",
		"log_min_messages=warning", "timezone=UTC", "temp_file_limit=1GB",
	} {
		cmd.Args = append(cmd.Args, "-c", setting)
	}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, environment(p.dir), log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setpgid: true, Pdeathsig: syscall.SIGQUIT}
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

// ready waits for the server's own word, the eighth line of its pid file.
func (p *process) ready(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.ended:
			return exit.Unablef("%w", p.gone())
		case <-tick.C:
		}
		text, err := os.ReadFile(filepath.Join(p.data(), "postmaster.pid"))
		if lines := strings.Split(string(text), "\n"); err == nil && len(lines) > 7 && strings.HasPrefix(lines[7], "ready") {
			return nil
		}
	}
}

// gone is nil while the server runs.
func (p *process) gone() error {
	select {
	case <-p.ended:
	default:
		return nil
	}
	how := "ended"
	if p.err != nil {
		how = p.err.Error()
	}
	log, _ := os.ReadFile(p.logFile())
	return fmt.Errorf("the scratch PostgreSQL is gone: %s: %s", how, lastLines(log))
}

// lookAgain gives the kernel a moment to tell that the server has ended.
func (p *process) lookAgain() {
	limit := time.NewTimer(time.Second)
	defer limit.Stop()
	select {
	case <-p.ended:
	case <-limit.C:
	}
}

// stop ends the server without a checkpoint, since nothing of it is kept.
func (p *process) stop(ctx context.Context) error {
	if p.gone() != nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	limit := time.NewTimer(5 * time.Second)
	defer limit.Stop()
	select {
	case <-p.ended:
		return nil
	case <-limit.C:
	case <-ctx.Done():
	}
	err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
	return err
}

func (p *process) logFile() string { return filepath.Join(p.dir, "log") }

// unprivileged is who runs the server: PostgreSQL refuses to run as root. Nil is
// whoever we are.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(account.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(account.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, exit.Unablef("the scratch PostgreSQL cannot run as root, and there is neither a user postgres nor nobody").
		Hint("Add one to the image of the step, or use the pipe's own image.")
}

// lastLines keeps an error readable; the reason comes last.
func lastLines(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-4):], "; ")
}
