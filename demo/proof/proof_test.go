package proof_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/localcloud/stage"
)

// TestNoRequestFails tells every story once, in a program of its own: the race detector,
// under which tests run, would make a client and a balancer of 600 requests a second too
// slow for a small computer. `make soak` tells the stories for minutes.
func TestNoRequestFails(t *testing.T) {
	t.Parallel()
	root, err := stage.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "soak")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./demo/soak")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0") // as stage.Build, so that both share what is compiled
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build ./demo/soak: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program, "-for", "0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends its servers
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	passed := 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		verdict, rest, _ := strings.Cut(lines.Text(), " ")
		name, note, found := strings.Cut(strings.TrimSpace(rest), " after ")
		if !found || verdict != "ok" && verdict != "FAILED" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Log(note)
			if passed++; verdict != "ok" {
				t.Fail()
			}
		})
	}
	if passed < 23 {
		t.Errorf("%d steps, want 23:\n%s", passed, out)
	}
	t.Logf("%s", out)
}
