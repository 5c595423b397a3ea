package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of these tests; it passes only when they fail.
const patience = 5 * time.Minute

// TestMain lets this test binary be the program, or a program on a server.
func TestMain(m *testing.M) {
	switch os.Getenv("LOCALCLOUD_TEST_PLAY") {
	case "main":
		main()
	case "guest":
		if err := playGuest(context.Background()); err != nil {
			fmt.Println("guest:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program is a running local cloud of its own process.
type program struct {
	t       *testing.T
	command *exec.Cmd
	dir     string            // where disks are made
	env     map[string]string // what it asked to export
	lines   <-chan string     // what it printed after that
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// Guests of a cloud that is root must be able to reach their disks.
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, dir: dir, env: map[string]string{}}
	// However long the test takes: its end is the program's.
	p.command = exec.CommandContext(context.WithoutCancel(t.Context()), executable, append([]string{"-listen", "127.0.0.1:0", "-dir", dir}, args...)...)
	p.command.Env = append(os.Environ(), "LOCALCLOUD_TEST_PLAY=main")
	p.command.Stderr = os.Stderr
	output, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.command.Process.Kill() // has ended, unless the test failed
		_ = p.command.Wait()
	})
	p.read(output)
	return p
}

// read takes the exports, and hands later lines on.
func (p *program) read(output io.Reader) {
	p.t.Helper()
	scanner := bufio.NewScanner(output)
	for scanner.Scan() {
		assignment, ok := strings.CutPrefix(scanner.Text(), "export ")
		if !ok {
			break // the line with unset
		}
		name, value, _ := strings.Cut(assignment, "=")
		p.env[name] = value
	}
	if p.env["AWS_ENDPOINT_URL"] == "" {
		p.t.Fatalf("it exported %v, then said %q", p.env, scanner.Text())
	}
	lines := make(chan string, 1000)
	p.lines = lines
	go func() {
		defer close(lines)
		for scanner.Scan() {
			lines <- scanner.Text()
		}
	}()
}

// interrupt ends the program and returns what it had still to say.
func (p *program) interrupt(signal syscall.Signal) (rest string) {
	p.t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	var text strings.Builder
	for line := range p.lines {
		fmt.Fprintln(&text, line)
	}
	if err := p.command.Wait(); err != nil {
		p.t.Errorf("it ended by %v\n%s", err, &text)
	}
	return text.String()
}
