package history_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/history"
)

// repository is a real one, made by git with a configuration of its own.
type repository struct {
	t   *testing.T
	dir string
}

// repositoryAt makes an empty one with a branch main.
func repositoryAt(t *testing.T) repository {
	t.Helper()
	r := repository{t, t.TempDir()}
	r.git("init", "--quiet", "--initial-branch=main")
	return r
}

func (r repository) git(args ...string) string {
	r.t.Helper()
	command := exec.CommandContext(context.Background(), "git", args...)
	command.Dir = r.dir
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.t.TempDir(), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org",
	}
	out, err := command.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r repository) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// commit writes a file and commits everything; it returns the hash.
func (r repository) commit(name, text string) string {
	r.t.Helper()
	r.write(name, text)
	r.git("add", "--all")
	r.git("commit", "--quiet", "--message", "Change "+name)
	return r.git("rev-parse", "HEAD")
}

// grow adds commits, as fast as git can take them.
func (r repository) grow(n int, file string) {
	r.t.Helper()
	for i := range n {
		r.commit(file, strconv.Itoa(i))
	}
}

// clone makes a clone as Bitbucket does: one branch, by URL, so that a depth counts.
func (r repository) clone(branch string, options ...string) repository {
	r.t.Helper()
	c := repository{r.t, filepath.Join(r.t.TempDir(), "clone")}
	r.git(append(append([]string{"clone", "--quiet", "--branch", branch}, options...), "file://"+r.dir, c.dir)...)
	return c
}

// open opens the repository in an environment that holds what the program needs and no more.
func (r repository) open(environ ...string) *history.Repository {
	r.t.Helper()
	opened, err := history.Open(r.t.Context(), r.dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.t.TempDir()}, environ...))
	if err != nil {
		r.t.Fatal(err)
	}
	return opened
}

// base expects the base to be found.
func (r repository) base(want history.Want) history.Base {
	r.t.Helper()
	found, err := r.open().Base(r.t.Context(), want)
	if err != nil {
		r.t.Fatal(err)
	}
	return found
}
