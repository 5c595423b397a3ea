package scratch

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// shell is how servers of these tests run. Whatever a server starts holds its end of alive
// open, so that reading from it ends when the last of them has.
const shell = "/bin/sh"

// newServer makes one that is to end by SIGQUIT, with what it leaves behind checked at the
// end of the test.
func newServer(t *testing.T) (p *Process, stack *undo.Stack) {
	t.Helper()
	stack = &undo.Stack{}
	p, err := New(Options{Name: "Database", Directory: "fearless-database-", Parent: t.TempDir(), Signal: syscall.SIGQUIT}, stack)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(p.file("alive"), 0o600); err != nil {
		t.Fatal(err)
	}
	alive, err := os.OpenFile(p.file("alive"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer alive.Close()
		if err := stack.Run(context.WithoutCancel(t.Context()), false, nil); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(p.Dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", p.Dir, err)
		}
		if _, err := io.ReadAll(alive); err != nil {
			t.Error(err)
		}
	})
	return p, stack
}

func (p *Process) file(name string) string { return filepath.Join(p.Dir, name) }

// started is the readiness of a server that makes the file ready.
func started(p *Process) func(context.Context) bool {
	return func(context.Context) bool {
		_, err := os.Stat(p.file("ready"))
		return err == nil
	}
}

// serve starts a server that waits for its end, after the commands given. It says that it is ready when the child
// that a trap may name as $! runs.
func serve(t *testing.T, p *Process, stack *undo.Stack, first string) {
	t.Helper()
	if err := p.Start(t.Context(), stack, started(p), shell, "-c", "exec 3>alive; "+first+" sleep 1000 & >ready; wait"); err != nil {
		t.Fatal(err)
	}
	if err := p.Gone(); err != nil {
		t.Fatal(err)
	}
}

func TestServerEndsByItsSignal(t *testing.T) {
	t.Parallel()
	p, stack := newServer(t)
	serve(t, p, stack, "trap 'kill $!; echo bye >&2; exit 3' QUIT;")
	p.patience = time.Hour
	if err := p.stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := p.Gone(); err == nil || err.Error() != "the scratch Database is gone: exit status 3: bye" {
		t.Errorf("got %v", err)
	}
}

// TestSignalIsIgnored is a server that wants force, by it and all that it has started.
func TestSignalIsIgnored(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Process) context.Context{
		"patience": func(p *Process) context.Context {
			p.patience = time.Millisecond
			return t.Context()
		},
		"context": func(*Process) context.Context {
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			return ended
		},
	} {
		p, stack := newServer(t)
		serve(t, p, stack, "trap '' QUIT;")
		if err := p.stop(end(p)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := p.Gone(); err == nil || !strings.Contains(err.Error(), "is gone: signal: killed") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestDiesBeforeItIsReady(t *testing.T) {
	t.Parallel()
	p, stack := newServer(t)
	err := p.Start(t.Context(), stack, started(p), shell, "-c", "for i in 1 2 3 4 5; do echo line $i; done; exit 4")
	const want = "the scratch Database is gone: exit status 4: line 2; line 3; line 4; line 5"
	if exit.CodeOf(err) != exit.Unable || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestCannotBeStarted(t *testing.T) {
	t.Parallel()
	p, stack := newServer(t)
	err := p.Start(t.Context(), stack, started(p), p.file("none"))
	if exit.CodeOf(err) != exit.Unable || !strings.HasPrefix(err.Error(), "starting the scratch Database: ") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestContextEnds is a run that is interrupted while its server starts, and one while the
// data are made.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	why := errors.New("interrupted")
	p, stack := newServer(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	never := func(context.Context) bool {
		cancel(why)
		return false
	}
	if err := p.Start(ctx, stack, never, shell, "-c", "exec 3>alive; exec sleep 1000"); !errors.Is(err, why) {
		t.Errorf("a start: %v", err)
	}

	p, _ = newServer(t)
	ctx, cancel = context.WithCancelCause(t.Context())
	if err := syscall.Mkfifo(p.file("begun"), 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer cancel(why)
		// It is open when the program has opened its end.
		if file, err := os.OpenFile(p.file("begun"), os.O_RDONLY, 0); err != nil {
			t.Error(err)
		} else {
			file.Close()
		}
	}()
	if _, err := p.Run(ctx, shell, "-c", "exec 3>alive; sleep 1000 & >begun; wait"); !errors.Is(err, why) {
		t.Errorf("a run: %v", err)
	}
}

func TestRun(t *testing.T) {
	t.Setenv("STORY_SECRET", "s3cret")
	p, _ := newServer(t)
	out, err := p.Run(t.Context(), shell, "-c", "pwd; env; echo no >&2; exit 5")
	if err == nil || err.Error() != "exit status 5" {
		t.Errorf("got %v", err)
	}
	if text := string(out); !strings.HasPrefix(text, p.Dir+"\n") || !strings.Contains(text, "TMPDIR="+p.Dir) || !strings.HasSuffix(text, "no\n") || strings.Contains(text, "s3cret") {
		t.Errorf("got %s", out)
	}
}

// TestAnotherUser is what happens where we are root.
func TestAnotherUser(t *testing.T) {
	t.Parallel()
	who, found := User("no-such-user", "nobody")
	if os.Geteuid() != 0 {
		if who != nil || !found {
			t.Errorf("who is not root runs it as %v, %v", who, found)
		}
		return
	}
	if who == nil || !found || who.Uid == 0 {
		t.Fatalf("got %v, %v", who, found)
	}
	if who, found := User("no-such-user"); who != nil || found {
		t.Errorf("got %v, %v", who, found)
	}
	stack := &undo.Stack{}
	// A path that a socket would not have room in is not taken; others may look into /tmp.
	p, err := New(Options{Name: "Database", Directory: "fearless-database-", Parent: "/" + strings.Repeat("long", longestParent), User: who, Signal: syscall.SIGKILL}, stack)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(t.Context(), shell, "-c", ">mine; id -u")
	if err != nil || strings.TrimSpace(string(out)) == "0" {
		t.Errorf("got %s, %v", out, err)
	}
	info, err := os.Stat(p.file("mine"))
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != who.Uid {
		t.Errorf("got %v, %v", info, err)
	}
	if err := stack.Run(t.Context(), false, nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", p.Dir, err)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	p, stack := newServer(t)
	serve(t, p, stack, "")
	other := errors.New("syntax error")
	if err := p.Explain(other); !errors.Is(err, other) || err.Error() != other.Error() {
		t.Errorf("of a server that runs: %v", err)
	}
	if err := syscall.Kill(-p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// The connection knows it, we may not yet.
	p.moment = time.Hour
	err := p.Explain(errors.New("read unix: unexpected EOF"))
	if exit.CodeOf(err) != exit.Unable || !strings.Contains(err.Error(), "is gone: signal: killed") || !strings.Contains(err.Error(), "(read unix: unexpected EOF)") {
		t.Errorf("of one that was killed: %v", err)
	}
}

// beKilled is where the fifo lies of a run that is to be killed.
const beKilled = "SCRATCH_BE_KILLED"

// TestWeAreKilled is a run that has no time to clean up: its server ends nevertheless.
func TestWeAreKilled(t *testing.T) {
	t.Parallel()
	if alive := os.Getenv(beKilled); alive != "" {
		p, err := New(Options{Name: "Database", Directory: "fearless-database-", Parent: filepath.Dir(alive), Signal: syscall.SIGQUIT}, &undo.Stack{})
		if err != nil {
			t.Fatal(err)
		}
		ready := func(context.Context) bool { return false }
		t.Fatal(p.Start(t.Context(), &undo.Stack{}, ready, shell, "-c", "exec 3>"+alive+"; exec sleep 1000"))
	}
	name := filepath.Join(t.TempDir(), "alive")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), self, "-test.run=^TestWeAreKilled$")
	run.Env = append(os.Environ(), beKilled+"="+name)
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	alive, err := os.Open(name) // the server has opened its end
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	if err := run.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := run.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("the run: %v", err)
	}
	if _, err := io.ReadAll(alive); err != nil {
		t.Error(err)
	}
}
