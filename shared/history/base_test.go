package history_test

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/history"
)

// forked has a main branch that went on after feature left it at the returned commit.
func forked(t *testing.T) (origin repository, fork, main, feature string) {
	t.Helper()
	origin = repositoryAt(t)
	origin.commit("a", "1")
	fork = origin.commit("a", "2")
	origin.git("switch", "--quiet", "--create", "feature")
	feature = origin.commit("b", "1")
	origin.git("switch", "--quiet", "main")
	main = origin.commit("c", "1")
	return origin, fork, main, feature
}

func TestBaseOfABranch(t *testing.T) {
	t.Parallel()
	origin, fork, main, feature := forked(t)
	clone := origin.clone("feature")
	if got := clone.base(history.Want{Branch: "feature"}); got.Commit != fork || !strings.Contains(got.Why, "where the change left main") {
		t.Errorf("%+v, want %s", got, fork)
	}
	clone.git("switch", "--quiet", "--detach", "HEAD")
	if got := clone.base(history.Want{}); got.Commit != fork {
		t.Errorf("detached: %+v, want %s", got, fork)
	}
	if got := clone.base(history.Want{Base: feature[:12]}); got.Commit != feature {
		t.Errorf("named by hash: %+v, want %s", got, feature)
	}
	if got := clone.base(history.Want{Base: "main", Branch: "feature"}); got.Commit != fork {
		t.Errorf("named by branch: %+v, want %s", got, fork)
	}
	clone.git("tag", "released", fork)
	clone.git("remote", "set-head", "origin", "main") // so that there is an origin/HEAD~1, too
	for _, name := range []string{"released", "HEAD~1", "origin/main~1"} {
		if got := clone.base(history.Want{Base: name, Branch: "feature"}); got.Commit != fork || !strings.HasSuffix(got.Why, "left "+name) {
			t.Errorf("named as %s: %+v, want %s", name, got, fork)
		}
	}
	clone.git("tag", "main", feature) // the branch of that name goes first
	if got := clone.base(history.Want{Base: "main", Branch: "feature"}); got.Commit != fork {
		t.Errorf("a branch, and a tag of its name: %+v, want %s", got, fork)
	}
	clone.git("tag", "--delete", "main")
	clone.git("switch", "--quiet", "main")
	if got := clone.base(history.Want{Branch: "main"}); got.Commit != fork || !strings.Contains(got.Why, "the commit before on main") {
		t.Errorf("on main: %+v, want %s", got, fork)
	}
	clone.git("switch", "--quiet", "--detach", main)
	if got := clone.base(history.Want{}); got.Commit != fork {
		t.Errorf("a tag on main: %+v, want %s", got, fork)
	}
	// A branch that has no commit of its own has changed nothing.
	clone.git("switch", "--quiet", "--create", "fresh")
	if got := clone.base(history.Want{Branch: "fresh"}); got.Commit != main {
		t.Errorf("fresh branch: %+v, want %s", got, main)
	}
}

func TestBaseOfTheFirstCommit(t *testing.T) {
	t.Parallel()
	origin := repositoryAt(t)
	origin.commit("a", "1")
	clone := origin.clone("main")
	base := clone.base(history.Want{Branch: "main"})
	changes, err := clone.open().Changes(t.Context(), base.Commit, "")
	if err != nil || len(changes.Files) != 1 || !changes.Touches("a", 1, 1) {
		t.Errorf("%+v: %+v, %v", base, changes, err)
	}
}

// TestBaseOfAPullRequest goes through the shapes that HEAD has in a pull request's pipeline.
func TestBaseOfAPullRequest(t *testing.T) {
	t.Parallel()
	origin, fork, main, feature := forked(t)
	for name, c := range map[string]struct {
		checkout []string // git commands that bring the clone into its shape
		want     history.Want
		base     string
	}{
		"source merged into destination": {[]string{"switch --detach " + main, "merge " + feature},
			history.Want{DestinationBranch: "main", DestinationCommit: main[:12], Commit: feature[:12]}, main},
		"destination merged into source": {[]string{"switch --detach " + feature, "merge " + main},
			history.Want{DestinationBranch: "main", DestinationCommit: main[:12], Commit: feature[:12]}, main},
		"destination known by the source only": {[]string{"switch --detach " + feature, "merge " + main},
			history.Want{DestinationBranch: "main", Commit: feature}, main},
		"no merge": {nil,
			history.Want{DestinationBranch: "main", DestinationCommit: main[:12], Commit: feature}, fork},
		"no merge, destination commit of a history that is gone": {nil,
			history.Want{DestinationBranch: "main", DestinationCommit: "0123456789ab", Commit: feature}, fork},
		"no branch is named": {nil,
			history.Want{PullRequest: true, DestinationCommit: main, Commit: feature}, fork},
		"the source is in the destination": {[]string{"switch --detach " + main},
			history.Want{DestinationBranch: "main", DestinationCommit: main, Commit: fork}, main},
		"the source is a merge itself": {[]string{"switch --detach " + feature, "merge " + main, "branch --force source HEAD"},
			history.Want{DestinationBranch: "main", DestinationCommit: fork, Commit: "source"}, fork},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clone := repository{t, origin.clone("feature").dir}
			clone.git("config", "user.name", "A")
			for _, line := range c.checkout {
				args := strings.Fields(line)
				clone.git(append([]string{args[0], "--quiet"}, args[1:]...)...)
			}
			if c.want.Commit == "source" {
				c.want.Commit = clone.git("rev-parse", "HEAD")
			}
			if got := clone.base(c.want); got.Commit != c.base {
				t.Errorf("%+v, want %s", got, c.base)
			}
		})
	}
}

// long has a branch and a main of so many commits each since they parted.
func long(t *testing.T, ours, theirs int) (origin repository, fork string) {
	t.Helper()
	origin = repositoryAt(t)
	origin.commit("a", "1")
	fork = origin.commit("a", "2")
	origin.git("switch", "--quiet", "--create", "feature")
	origin.grow(ours, "b")
	origin.git("switch", "--quiet", "main")
	origin.grow(theirs, "c")
	return origin, fork
}

func TestShallowCloneIsDeepened(t *testing.T) {
	t.Parallel()
	origin, fork := long(t, 60, 70)
	shallow := origin.clone("feature", "--depth=5", "--single-branch")
	if got := shallow.base(history.Want{Branch: "feature"}); got.Commit != fork {
		t.Errorf("%+v, want %s", got, fork)
	}
	// A second run finds it without the server.
	shallow.git("remote", "set-url", "origin", "file:///nowhere")
	if got := shallow.base(history.Want{Base: "main", Branch: "feature"}); got.Commit != fork {
		t.Errorf("again: %+v, want %s", got, fork)
	}

	// The branch is gone from the server, its newest commit is not.
	gone := origin.clone("feature", "--depth=5", "--single-branch")
	if got := gone.base(history.Want{Branch: "deleted", Commit: gone.git("rev-parse", "HEAD")}); got.Commit != fork {
		t.Errorf("deleted branch: %+v, want %s", got, fork)
	}

	// The main branch itself, with nothing but its tip.
	one := origin.clone("main", "--depth=1")
	if got, want := one.base(history.Want{Branch: "main"}), origin.git("rev-parse", "main^"); got.Commit != want {
		t.Errorf("main: %+v, want %s", got, want)
	}
	// A clone that has all of its history must not be cut.
	full := origin.clone("feature", "--single-branch")
	if got := full.base(history.Want{Branch: "feature"}); got.Commit != fork || full.git("rev-parse", "--is-shallow-repository") != "false" {
		t.Errorf("full clone: %+v, want %s", got, fork)
	}
}

func TestForcePushedDestination(t *testing.T) {
	t.Parallel()
	origin, fork := long(t, 8, 8)
	before := origin.git("rev-parse", "main")
	clone := origin.clone("feature", "--depth=3", "--no-single-branch")
	origin.git("reset", "--quiet", "--hard", fork)
	origin.commit("d", "rewritten")
	if got := clone.base(history.Want{DestinationBranch: "main", DestinationCommit: before[:12], Branch: "feature"}); got.Commit != fork {
		t.Errorf("%+v, want %s", got, fork)
	}
}

func TestUnreachableBase(t *testing.T) {
	t.Parallel()
	origin, _ := long(t, 8, 8)
	shallow := origin.clone("feature", "--depth=3", "--single-branch")
	shallow.git("remote", "set-url", "origin", "file:///nowhere")
	_, err := shallow.open().Base(t.Context(), history.Want{DestinationBranch: "main", Branch: "feature"})
	if exit.CodeOf(err) != exit.Unable || !strings.Contains(strings.Join(exit.HintsOf(err), "\n"), "clone: {depth: full}") {
		t.Errorf("%v, %q", err, exit.HintsOf(err))
	}
	// Nobody knows the main branch.
	_, err = shallow.open().Base(t.Context(), history.Want{Branch: "feature"})
	if exit.CodeOf(err) != exit.Unable || !strings.Contains(strings.Join(exit.HintsOf(err), "\n"), "BASE: main") {
		t.Errorf("%v, %q", err, exit.HintsOf(err))
	}

	full := origin.clone("feature")
	_, err = full.open().Base(t.Context(), history.Want{Base: "mian"})
	if exit.CodeOf(err) != exit.Unable || !strings.Contains(strings.Join(exit.HintsOf(err), "\n"), "correct BASE") {
		t.Errorf("%v, %q", err, exit.HintsOf(err))
	}

	other := repositoryAt(t)
	other.commit("x", "1")
	full.git("fetch", "--quiet", "file://"+other.dir, "+main:refs/remotes/origin/strange")
	_, err = full.open().Base(t.Context(), history.Want{Base: "strange"})
	if exit.CodeOf(err) != exit.Unable {
		t.Errorf("unrelated: %v", err)
	}
	if _, err := full.open().Commit(t.Context(), "nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unknown commit: %v", err)
	}
}

// TestProxy fetches as a step of Bitbucket does: the origin answers only through the proxy
// that adds the credentials.
func TestProxy(t *testing.T) {
	t.Parallel()
	origin, fork := long(t, 8, 8)
	execPath, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend"), Root: "/acme/shop",
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Join(origin.dir, ".git"), "GIT_HTTP_EXPORT_ALL=1"},
	}
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "bitbucket.invalid" {
			http.Error(w, "this is not the address of a server", http.StatusBadRequest)
			return
		}
		asked.Add(1)
		backend.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	shallow := origin.clone("feature", "--depth=3", "--single-branch")
	shallow.git("remote", "set-url", "origin", "http://bitbucket.invalid/acme/shop")

	opened := shallow.open("BITBUCKET_PIPELINE_UUID={p}", "BITBUCKET_GIT_HTTP_ORIGIN=http://bitbucket.invalid/acme/shop")
	history.SetProxy(opened, proxy.URL)
	got, err := opened.Base(t.Context(), history.Want{Branch: "feature"})
	if err != nil || got.Commit != fork || asked.Load() == 0 {
		t.Errorf("%+v, %v after %d requests, want %s", got, err, asked.Load(), fork)
	}
}

func TestProxyAddress(t *testing.T) {
	t.Parallel()
	for want, environ := range map[string][]string{
		"":                                  {"BITBUCKET_GIT_HTTP_ORIGIN=x"},
		"http://localhost:29418":            {"BITBUCKET_PIPELINE_UUID={p}"},
		"http://host.docker.internal:29418": {"BITBUCKET_PIPELINE_UUID={p}", "BITBUCKET_PIPE_STORAGE_DIR=/x"},
		"http://engine:29418":               {"BITBUCKET_PIPELINE_UUID={p}", "BITBUCKET_PIPE_SHARED_STORAGE_DIR=/x", "DOCKER_HOST=tcp://engine:2375"},
	} {
		if got := history.Proxy(environ); got != want {
			t.Errorf("%v: %q, want %q", environ, got, want)
		}
	}
}
