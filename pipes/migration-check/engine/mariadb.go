package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// startMariaDB starts a private server without a network, in a directory of its own, under
// an unprivileged user. It takes about a second.
func startMariaDB(ctx context.Context, o Options, stack *undo.Stack) (Server, error) {
	install, first := find("mariadb-install-db")
	program, second := find("mariadbd")
	if first != nil || second != nil {
		return nil, exit.Unablef("no MariaDB was found to try the migrations on").
			Hint("Run a MariaDB or MySQL as a service of the step and set SCRATCH_DATABASE_URL: mysql://root:password@127.0.0.1:3306/;",
				"or install one into the step's image (Debian: apt-get install mariadb-server).")
	}
	who, err := mariadbUser()
	if err != nil {
		return nil, err
	}
	parent := os.TempDir()
	if len(parent) > 64 {
		parent = "/tmp" // the path of a socket is short
	}
	dir, err := os.MkdirTemp(parent, "fearless-mariadb-")
	if err != nil {
		return nil, exit.Unablef("scratch MariaDB: %w", err)
	}
	stack.Defer("removing the scratch MariaDB's directory", func(context.Context) error { return os.RemoveAll(dir) })
	if who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			return nil, exit.Unablef("scratch MariaDB: %w", err)
		}
	}
	environ := []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + dir, "TMPDIR=" + dir}
	data := "--datadir=" + filepath.Join(dir, "data")
	cmd := exec.CommandContext(ctx, install, "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, environ, &syscall.SysProcAttr{Credential: who}
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, exit.Unablef("making the scratch MariaDB: mariadb-install-db: %w: %s", err, lastLines(out))
	}
	p := &mariadb{dir: dir, ended: make(chan struct{})}
	p.cmd = exec.Command(program, "--no-defaults", data, "--skip-networking", "--socket="+p.socket(), "--pid-file="+filepath.Join(dir, "pid"), //nolint:noctx // the undo stack stops it, after its connections were closed
		"--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-buffer-pool-size=64M",
		"--performance-schema=0", "--default-time-zone=+00:00", "--secure-file-priv="+dir, "--local-infile=0", "--tmpdir="+dir)
	p.cmd.Dir, p.cmd.Env, p.cmd.SysProcAttr = dir, environ, &syscall.SysProcAttr{Credential: who, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.start(); err != nil {
		return nil, exit.Unablef("starting the scratch MariaDB: %w", err)
	}
	stack.Defer("stopping the scratch MariaDB", p.stop)
	if err := p.ready(ctx); err != nil {
		return nil, err
	}
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr = "root", "unix", p.socket()
	return connect(ctx, config, o, stack, p.gone)
}

// find looks where distributions keep programs of the system, too.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}

// mariadb is the private server.
type mariadb struct {
	dir   string
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // how, to be read after that
}

func (p *mariadb) socket() string { return filepath.Join(p.dir, "socket") }

// start binds the server's life to a thread that is kept: when we die, it does.
func (p *mariadb) start() error {
	log, err := os.Create(filepath.Join(p.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.ended)
		}
	}()
	return <-started
}

// ready waits until connections are taken.
func (p *mariadb) ready(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.ended:
			return exit.Unablef("%w", p.gone())
		case <-tick.C:
		}
		// The socket is there a moment before the server listens to it.
		if conn, err := (&net.Dialer{}).DialContext(ctx, "unix", p.socket()); err == nil {
			return conn.Close()
		}
	}
}

// gone is nil while the server runs.
func (p *mariadb) gone() error {
	select {
	case <-p.ended:
	default:
		return nil
	}
	how := "ended"
	if p.err != nil {
		how = p.err.Error()
	}
	log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
	return fmt.Errorf("the scratch MariaDB is gone: %s: %s", how, lastLines(log))
}

// stop kills it, since nothing of it is kept.
func (p *mariadb) stop(context.Context) error {
	if p.gone() != nil {
		return nil
	}
	err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// mariadbUser is who runs the server; nil is whoever we are.
func mariadbUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"mysql", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, wrongUID := strconv.ParseUint(account.Uid, 10, 32)
		gid, wrongGID := strconv.ParseUint(account.Gid, 10, 32)
		if wrongUID == nil && wrongGID == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, exit.Unablef("the scratch MariaDB should not run as root, and there is neither a user mysql nor nobody").
		Hint("Add one to the image of the step, or set SCRATCH_DATABASE_URL.")
}

func lastLines(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-4):], "; ")
}
