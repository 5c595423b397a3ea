package clone_test

import (
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/clone"
)

// commitsIn makes a repository with as many commits, and returns their hashes, the oldest first.
func commitsIn(t *testing.T, dir string, n int) []string {
	t.Helper()
	run := func(args ...string) string {
		command := exec.Command("git", args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("init", "-q", "-b", "main")
	run("config", "uploadpack.allowFilter", "true")
	run("config", "uploadpack.allowAnySHA1InWant", "true")
	var hashes []string
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, "f"), []byte(strings.Repeat("x", i)), 0o644); err != nil {
			t.Fatal(err)
		}
		run("add", "f")
		run("commit", "-q", "-m", "change "+strings.Repeat("x", i))
		hashes = append(hashes, run("rev-parse", "HEAD"))
	}
	return hashes
}

func TestPast(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hashes := commitsIn(t, dir, 12)
	first, last := hashes[0], hashes[len(hashes)-1]
	whole, err := clone.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		of, base string
		contains bool
		messages int
	}{{last, first, true, 11}, {last, last, true, 0}, {first, last, false, 1}, {last, strings.Repeat("d", 40), false, 12}} {
		if p, err := whole.Past(test.of, test.base); err != nil || p.Contains != test.contains || len(p.Messages) != test.messages || p.Cut {
			t.Errorf("%.8s in %.8s: %+v, %v", test.base, test.of, p, err)
		}
	}
	if p, err := whole.Past(strings.Repeat("d", 40), first); err == nil {
		t.Errorf("the past of a commit that is not there: %+v", p)
	}

	shallow := t.TempDir()
	if out, err := exec.Command("git", "clone", "-q", "--depth=3", "file://"+dir, shallow).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cut, err := clone.Open(shallow)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := cut.Past(last, first); err != nil || !p.Cut || p.Contains {
		t.Errorf("a history that is cut off: %+v, %v", p, err)
	}
}

// The server is git's own.
func TestFetchPast(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hashes := commitsIn(t, dir, 12)
	first, last := hashes[0], hashes[len(hashes)-1]
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&cgi.Handler{
		Path: git, Args: []string{"http-backend"},
		Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	})
	t.Cleanup(server.Close)
	p, err := clone.FetchPast(t.Context(), server.Client(), server.URL+"/.git", last, first)
	if err != nil || !p.Contains || p.Cut || len(p.Messages) != 11 || !strings.HasPrefix(p.Messages[last], "change xxx") {
		t.Errorf("%+v, %v", p, err)
	}
	for name, test := range map[string]struct{ address, of, want string }{
		"no such commit":     {"/.git", strings.Repeat("d", 40), "the server says"},
		"no such repository": {"/other", last, "404"},
	} {
		if _, err := clone.FetchPast(t.Context(), server.Client(), server.URL+test.address, test.of, first); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if out, err := exec.Command(git, "-C", dir, "config", "uploadpack.allowFilter", "false").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if _, err := clone.FetchPast(t.Context(), server.Client(), server.URL+"/.git", last, first); err == nil || !strings.Contains(err.Error(), "without their files") {
		t.Errorf("a server without filters: %v", err)
	}
}
