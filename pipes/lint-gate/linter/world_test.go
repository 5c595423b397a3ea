package linter_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/pipes/lint-gate/linter"
	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// bin is the folder of tools that make builds for itself.
func bin(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../.bin")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// installed is the folder of a linter of tools/linters; without it there is nothing to test.
func installed(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(bin(t), "linters/bin")
	if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
		t.Skipf("%s is not installed: tools/linters/setup does that, where PyPI and npm can be reached", name)
	}
	return dir
}

// clone is a repository with files, all of them tracked.
func clone(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, files)
	git(t, dir, "init", "-q")
	git(t, dir, "add", "--all", "--force")
	return dir
}

func git(t *testing.T, dir string, arguments ...string) {
	t.Helper()
	c := exec.Command("git", append([]string{"-C", dir}, arguments...)...)
	c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", arguments, err, out)
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
}

// bench is where linters run in a test.
type bench struct {
	job linter.Job
	log *strings.Builder
}

// at is a job in a folder, with tools of further folders first on PATH.
func at(t *testing.T, dir string, path ...string) bench {
	t.Helper()
	log := &strings.Builder{}
	environ := append(os.Environ(), "PATH="+strings.Join(append(path, os.Getenv("PATH")), ":"))
	return bench{job: linter.Job{Dir: dir, Environ: environ, Log: console.New(log, true)}, log: log}
}

// look finds programs in folders, and then on PATH, as a shell with that PATH would.
func look(path ...string) func(string) (string, error) {
	return func(name string) (string, error) {
		for _, dir := range path {
			if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return found, nil
			}
		}
		return exec.LookPath(name)
	}
}

// only is the linter of one entry.
func only(t *testing.T, dir, entry string, path ...string) linter.Linter {
	t.Helper()
	linters, err := linter.Detect(dir, []string{entry}, look(path...))
	if err != nil {
		t.Fatal(err)
	}
	return linters[0]
}

// told writes findings in one line each.
func told(findings []finding.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s/%s %s %s\n", f.Severity, f.Tool, f.Rule, f.Place(), f.Message)
	}
	return b.String()
}
