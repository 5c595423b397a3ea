package server

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"bitbucket.org/fearless/pipes/pipes/migration-check/scratch"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// start runs a server for one test, with what is left behind checked at its end.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	stack := &undo.Stack{}
	s, err := Start(t.Context(), o, stack)
	t.Cleanup(func() {
		if err := stack.Run(context.WithoutCancel(t.Context()), false, nil); err != nil {
			t.Errorf("undo: %v", err)
		}
		if s != nil {
			leavesNothing(t, s.process)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func leavesNothing(t *testing.T, p *scratch.Process) {
	t.Helper()
	if _, err := os.Stat(p.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", p.Dir, err)
	}
	if err := syscall.Kill(p.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", p.PID(), err)
	}
}

func connect(t *testing.T, d *Database) *pgx.Conn {
	t.Helper()
	conn, err := d.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func create(t *testing.T, s *Server, purpose string) *Database {
	t.Helper()
	d, err := s.Create(t.Context(), purpose)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestPrivateServer(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Extensions: []string{"pg_trgm"}, Roles: []string{"reader"}})
	d := create(t, s, "state")
	conn := connect(t, d)
	for _, good := range []string{
		"create table a (id int primary key)", "insert into a values (1)", "grant select on a to reader",
		"create index on a using gin ((id::text) gin_trgm_ops)", "create extension citext",
	} {
		if _, err := conn.Exec(t.Context(), good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"copy a from program 'echo 2'", "create role other", "create extension dblink", "create database other",
		"select pg_read_file('/etc/passwd')", "alter system set fsync = on",
	} {
		if _, err := conn.Exec(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("a plain owner may %s: %v", bad, err)
		}
	}
	conn.Close(t.Context())
	clone, err := s.Clone(t.Context(), "copy", d)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := connect(t, clone).QueryRow(t.Context(), "select count(*) from a").Scan(&n); err != nil || n != 1 {
		t.Errorf("the clone has %d rows: %v", n, err)
	}
	if err := s.Drop(t.Context(), clone); err != nil {
		t.Error(err)
	}
	if _, err := clone.Connect(t.Context()); err == nil {
		t.Error("a dropped database can be connected to")
	}
}

func TestNoNetworkAndNoPrivileges(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	info, err := os.Stat(filepath.Join(s.process.Dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner == 0 {
		t.Error("the server runs as root")
	}
	text, err := os.ReadFile(filepath.Join(s.process.Dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	if line := strings.Split(string(text), "\n")[5]; line != "" {
		t.Errorf("it listens on %q", line)
	}
	if _, err := net.Dial("unix", filepath.Join(s.process.Dir, ".s.PGSQL.5432")); err != nil {
		t.Error(err)
	}
	environ, err := os.ReadFile("/proc/" + strings.Split(string(text), "\n")[0] + "/environ")
	if err != nil || strings.Contains(string(environ), "GOFLAGS") {
		t.Errorf("it was given our environment: %q %v", environ, err)
	}
}

func TestKilledServerIsNamedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	conn := connect(t, create(t, s, "state"))
	if err := syscall.Kill(s.process.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.process.Ended()
	_, err := conn.Exec(t.Context(), "select pg_sleep(60)")
	err = s.Explain(err)
	if err == nil || exit.CodeOf(err) != exit.Unable || !strings.Contains(err.Error(), "is gone: signal: killed") {
		t.Errorf("got %v", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Statement: 300 * time.Millisecond, Disk: 70e6})
	d := create(t, s, "state")
	for _, c := range []struct{ sql, want string }{
		{"set statement_timeout = 0; select pg_sleep(60)", "longer than STATEMENT_TIMEOUT, 300ms"},
		{"create table big as select repeat(md5(i::text), 100) from generate_series(1, 100000000) i", ""},
	} {
		conn, err := d.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Exec(t.Context(), c.sql)
		if err = s.Explain(err); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.sql, err, c.want)
		}
		conn.Close(t.Context())
	}
}

func TestDiskLimit(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Disk: 90e6})
	conn := connect(t, create(t, s, "state"))
	_, err := conn.Exec(t.Context(), "create table big as select string_agg(md5(random()::text), '') from generate_series(1, 100000000) i group by i / 50")
	if err != nil {
		t.Logf("first: %v", err)
	} else {
		_, err = conn.Exec(t.Context(), "insert into big select * from big")
	}
	if err = s.Explain(err); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "DISK_LIMIT, 90MB") {
		t.Errorf("got %v", err)
	}
	// The statement was rolled back, so the server is of use again.
	if _, err := s.Create(t.Context(), "after"); err != nil {
		t.Error(err)
	}
}

func TestMissingBinariesAndExtension(t *testing.T) {
	t.Parallel()
	stack := &undo.Stack{}
	_, err := Start(t.Context(), Options{Binaries: t.TempDir()}, stack)
	if exit.CodeOf(err) != exit.Invalid || !strings.Contains(err.Error(), "POSTGRES_BIN") {
		t.Errorf("got %v", err)
	}
	s := start(t, Options{Extensions: []string{"vector"}})
	_, err = s.Create(t.Context(), "state")
	if exit.CodeOf(err) != exit.Unable || !strings.Contains(strings.Join(exit.HintsOf(err), " "), "SCRATCH_DATABASE_URL") {
		t.Errorf("got %v", err)
	}
}

// TestUnknownUser is a container that runs under any user id.
func TestUnknownUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	bin, err := Binaries("")
	if err != nil {
		t.Fatal(err)
	}
	stack := &undo.Stack{}
	t.Cleanup(func() {
		if err := stack.Run(context.WithoutCancel(t.Context()), true, nil); err != nil {
			t.Error(err)
		}
	})
	const nobodyKnows = 54321
	p, err := scratch.New(scratch.Options{Directory: "fearless-unknown-", User: &syscall.Credential{Uid: nobodyKnows, Gid: nobodyKnows}}, stack)
	if err != nil {
		t.Fatal(err)
	}
	err = initialize(t.Context(), bin, p)
	if exit.CodeOf(err) != exit.Unable || !strings.Contains(strings.Join(exit.HintsOf(err), " "), "/etc/passwd") {
		t.Errorf("got %v, %q", err, exit.HintsOf(err))
	}
}

// TestFullDisk uses a file system that is too small for a cluster.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "small-") //nolint:usetesting // that of the test is not readable for others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := syscall.Mount("small", dir, "tmpfs", 0, "size=20m,mode=0755"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	stack := &undo.Stack{}
	_, err = Start(t.Context(), Options{Parent: dir}, stack)
	if exit.CodeOf(err) != exit.Unable || !strings.Contains(strings.Join(exit.HintsOf(err), " "), "The disk of the step is full") {
		t.Errorf("got %v, %q", err, exit.HintsOf(err))
	}
	if err := stack.Run(context.WithoutCancel(t.Context()), true, nil); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
