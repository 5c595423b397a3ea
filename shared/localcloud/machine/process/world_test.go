package process_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/process"
)

// patience bounds every wait of these tests; it passes only when they fail.
const patience = 5 * time.Minute

// unlimited is a grace time that is never over in these tests.
const unlimited = 2 * patience

// TestMain lets this test binary play a cloud that gets killed, and a guest
// that needs more than a shell.
func TestMain(m *testing.M) {
	switch os.Getenv("PROCESS_TEST_PLAY") {
	case "cloud":
		fmt.Println("cloud:", playCloud())
		os.Exit(1)
	default:
		if len(os.Args) > 2 && os.Args[1] == "serve" {
			fmt.Println("serve:", playServer(os.Args[2]))
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
}

// playServer answers on an address until it is told to end.
func playServer(address string) error {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp4", address)
	if err != nil {
		return err
	}
	fmt.Println("serving on", address)
	server := http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, address)
	})}
	return server.Serve(listener)
}

// screen is a console that a test can wait for.
type screen struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{}
}

func newScreen() *screen { return &screen{grown: make(chan struct{}, 1)} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	select {
	case s.grown <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// wait returns when the console shows a text.
func (s *screen) wait(t *testing.T, text string) {
	t.Helper()
	late := time.After(patience)
	for !strings.Contains(s.String(), text) {
		select {
		case <-s.grown:
		case <-late:
			t.Fatalf("the console never showed %q:\n%s", text, s)
		}
	}
}

// value is what follows "name=" on a line of the console.
func (s *screen) value(t *testing.T, name string) string {
	t.Helper()
	for line := range strings.Lines(s.String()) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			return value
		}
	}
	t.Fatalf("the console shows no %s=:\n%s", name, s)
	return ""
}

// eventually polls a condition that nothing announces.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick, late := time.NewTicker(20*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// openTempDir is a temporary folder that guests can reach.
func openTempDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func newDriver(t *testing.T, options process.Options) *process.Driver {
	t.Helper()
	if options.Dir == "" {
		options.Dir = openTempDir(t)
	}
	d, err := process.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if left, err := os.ReadDir(options.Dir); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	return d
}

func create(t *testing.T, d *process.Driver, instance, content string) (address string) {
	t.Helper()
	address, err := d.Create(instance, content)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// boot switches an instance on with a script as its user data.
func boot(t *testing.T, d *process.Driver, instance, script string) (machine.Machine, *screen) {
	t.Helper()
	console := newScreen()
	m, err := d.Start(machine.Boot{
		Instance: instance, FirstBoot: true, UserData: []byte("#!/bin/sh\n" + script), Region: "us-east-1",
		Endpoint: "http://127.0.0.1:4599", Console: console,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, console
}

// reboot switches an instance on that has been on before.
func reboot(t *testing.T, d *process.Driver, instance string) (machine.Machine, *screen) {
	t.Helper()
	console := newScreen()
	m, err := d.Start(machine.Boot{Instance: instance, Region: "us-east-1", Console: console})
	if err != nil {
		t.Fatal(err)
	}
	return m, console
}

func waitOff(t *testing.T, m machine.Machine, console *screen) {
	t.Helper()
	select {
	case <-m.Done():
	case <-time.After(patience):
		t.Fatalf("the server did not go off:\n%s", console)
	}
}

// runs tells whether a process exists and is no zombie.
func runs(t *testing.T, pid string) bool {
	t.Helper()
	number, err := strconv.Atoi(pid)
	if err != nil || number < 2 {
		t.Fatalf("%q is no process number", pid)
	}
	if syscall.Kill(number, 0) == syscall.ESRCH {
		return false
	}
	if _, err := os.Stat("/proc/self"); err != nil {
		return true // init reaps its zombies soon enough
	}
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// copyProgram puts this test binary where guests can run it.
func copyProgram(t *testing.T, to string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "cp", program, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	if err := os.Chmod(to, 0o755); err != nil {
		t.Fatal(err)
	}
}
