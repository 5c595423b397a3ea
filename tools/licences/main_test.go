package main

import (
	"bytes"
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
	for _, pattern := range []string{"github.com/rogpeppe/go-internal@v*/LICENSE", "golang.org/x/tools@v*/LICENSE", "golang.org/x/tools@v*/PATENTS", "std@go1.*/LICENSE", "go.mod", "go.sum"} {
		if found := find(t, out, pattern); len(found) != 1 {
			t.Errorf("%s: %q", pattern, found)
		}
	}
	tells(t, out, "github.com/rogpeppe/go-internal v1.", "go build -trimpath", "github.com/rogpeppe/go-internal/cmd/txtar-x\n", "with go1.")
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "go.mod"), []byte("module example.com/other\n\ngo 1.26\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := collect(t.Context(), program, other, out); err == nil || !strings.Contains(err.Error(), "neither in the module cache") {
		t.Errorf("the module of another program: %v", err)
	}
}

func find(t *testing.T, out, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(out, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// tells wants texts in the README.
func tells(t *testing.T, out string, texts ...string) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(out, "README"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range texts {
		if !strings.Contains(string(readme), want) {
			t.Errorf("%q is missing in:\n%s", want, readme)
		}
	}
}

// TestProgramOfOurs builds a program of a module that uses one of others, with
// the module cache and with a vendor folder.
func TestProgramOfOurs(t *testing.T) {
	t.Parallel()
	module := t.TempDir()
	requirements, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, requirements, _ = bytes.Cut(requirements, []byte("\n"))
	sums, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.mod": "module example.com/own\n" + string(requirements), "go.sum": string(sums), "LICENSE": "ours",
		"tool/main.go": "package main\n\nimport \"github.com/rogpeppe/go-internal/txtar\"\n\nfunc main() { txtar.Parse(nil) }\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(module, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(module, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = module
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", args, err, text)
		}
	}
	for name, prepare := range map[string][]string{"cache": {"version"}, "vendor": {"mod", "vendor"}} {
		run(prepare...)
		out := t.TempDir()
		run("build", "-o", "program", "./tool")
		if err := collect(t.Context(), filepath.Join(module, "program"), module, out); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for pattern, n := range map[string]int{
			"github.com/rogpeppe/go-internal@v*/LICENSE": 1, "std@go1.*/LICENSE": 1, "github.com/*/*": 1, "example.com*": 0, "go.mod": 0,
		} {
			if found := find(t, out, pattern); len(found) != n {
				t.Errorf("%s: %s: %q, want %d", name, pattern, found, n)
			}
		}
		tells(t, out, "The program tool contains", "  go mod download github.com/rogpeppe/go-internal@v1.", "std@go1.")
		if err := os.RemoveAll(filepath.Join(module, "vendor")); err != nil {
			t.Fatal(err)
		}
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
