package power_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/boot/power"
)

// shim puts a program that notes its arguments on a PATH of its own.
func shim(t *testing.T, name, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	text := "#!/bin/sh\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	return dir
}

// offUntil calls Off and ends the context as soon as the file is there, the
// way a real machine would end us.
func offUntil(t *testing.T, file string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		for ctx.Err() == nil { // Off returns when no program is left that it could call
			if _, err := os.Stat(file); err == nil {
				return
			}
			<-time.After(10 * time.Millisecond)
		}
		t.Error("the program was not called")
	}()
	var out bytes.Buffer
	err := power.Off(ctx, "/machine", &out)
	cancel()
	<-done
	return out.String(), err
}

func TestOff(t *testing.T) {
	dir := shim(t, "shutdown", `echo "$@" > "${0%/*}/called.new"; /bin/mv "${0%/*}/called.new" "${0%/*}/called"`)
	called := filepath.Join(dir, "called")
	out, err := offUntil(t, called)
	if err != nil {
		t.Fatal(err)
	}
	args, err := os.ReadFile(called)
	if err != nil || string(args) != "-h now\n" {
		t.Errorf("called with %q, %v", args, err)
	}
	if !strings.Contains(out, "switching off ("+dir) {
		t.Errorf("said %q", out)
	}
}

func TestNextWayWhenOneFails(t *testing.T) {
	dir := shim(t, "shutdown", "exit 1")
	script := "#!/bin/sh\necho \"$@\" > \"${0%/*}/called\"\n"
	if err := os.WriteFile(filepath.Join(dir, "poweroff"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := offUntil(t, filepath.Join(dir, "called")); err != nil {
		t.Fatal(err)
	}
}

// The one mistake that must not happen: a machine that is only a directory
// must not switch off the computer around it.
func TestComputerStaysOn(t *testing.T) {
	t.Setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
	var out bytes.Buffer
	err := power.Off(t.Context(), t.TempDir(), &out)
	if err == nil || strings.Contains(out.String(), "switching off") {
		t.Fatalf("error %v, said %q", err, out.String())
	}
}
