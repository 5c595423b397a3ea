package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestProgramOfOthers builds a small program out of a module of others and
// looks at what has to go with it.
func TestProgramOfOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program, out := filepath.Join(dir, "program"), filepath.Join(dir, "out")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/rogpeppe/go-internal/cmd/txtar-x")
	build.Dir = "../.."
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if err := collect(t.Context(), program, "../..", out); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"github.com/rogpeppe/go-internal@v*/LICENSE", "golang.org/x/tools@v*/LICENSE", "golang.org/x/tools@v*/PATENTS", "go.mod", "go.sum"} {
		if found, err := filepath.Glob(filepath.Join(out, pattern)); err != nil || len(found) != 1 {
			t.Errorf("%s: %q, %v", pattern, found, err)
		}
	}
	readme, err := os.ReadFile(filepath.Join(out, "README"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"github.com/rogpeppe/go-internal v1.", "go build -trimpath", "github.com/rogpeppe/go-internal/cmd/txtar-x\n", "with go1."} {
		if !strings.Contains(string(readme), want) {
			t.Errorf("%q is missing in:\n%s", want, readme)
		}
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "go.mod"), []byte("module example.com/other\n\ngo 1.26\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := collect(t.Context(), program, other, out); err == nil || !strings.Contains(err.Error(), "not in the module cache") {
		t.Errorf("the module of another program: %v", err)
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files []string
		want  int
	}{
		"at the top":     {[]string{"LICENSE", "LICENSE-MIT", "COPYING.txt", "Notice", "licence.md", "internal/LICENSE", "license.go", "licenses.go", "main.go"}, 5},
		"further down":   {[]string{"main.go", "internal/LICENSE"}, 1},
		"nowhere":        {[]string{"main.go", "licensed.txt", "README.md"}, 0},
		"a folder of it": {[]string{"LICENSE/main.go"}, 0},
	} {
		from, to := t.TempDir(), t.TempDir()
		for _, file := range c.files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(from, file)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(from, file), []byte(name), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := copyTexts(from, to); err != nil || n != c.want {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}
