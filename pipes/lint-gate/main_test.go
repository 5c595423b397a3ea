package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bitbucket.org/fearless/pipes/shared/bitbucket/fake"
	"bitbucket.org/fearless/pipes/shared/finding"
	"bitbucket.org/fearless/pipes/shared/lab/story"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lint-gate": main})
}

// TestStories runs the program as a pipeline does, on small repositories made by git, with
// the real golangci-lint: variables in, exit code, log and reports out.
func TestStories(t *testing.T) {
	t.Parallel()
	bin := tools(t)
	caches := goCaches(t)
	story.Run(t, testscript.Params{
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			// What is compiled is the same in all stories; what is found is not.
			for name, value := range caches {
				env.Setenv(name, value)
			}
			env.Setenv("GOLANGCI_LINT_CACHE", filepath.Join(env.WorkDir, "lint-cache"))
			env.Setenv("GOPROXY", "off")
			env.Setenv("GOTOOLCHAIN", "local")
			for _, who := range []string{"AUTHOR", "COMMITTER"} {
				env.Setenv("GIT_"+who+"_NAME", "A")
				env.Setenv("GIT_"+who+"_EMAIL", "a@example.org")
			}
			return nil
		},
		Condition: condition(bin),
		Cmds: story.Commands{
			"repository": newRepository, "commit": commit, "bitbucket": openBitbucket, "reported": reported, "annotated": annotated, "no-complaints": noComplaints,
			"counts": counts, "sub": substitute, "write": write, "nothing-left": nothingLeft, "many": many,
		},
	})
}

// tools is a folder with golangci-lint, built first where it is missing.
func tools(t *testing.T) string {
	t.Helper()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(top, ".bin", "golangci-lint")
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
		build := exec.CommandContext(t.Context(), "make", "-C", top, ".bin/golangci-lint")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building golangci-lint: %v\n%s", err, out)
		}
	}
	bin := t.TempDir()
	if err := os.Symlink(program, filepath.Join(bin, "golangci-lint")); err != nil {
		t.Fatal(err)
	}
	// What tools/linters/setup has installed, where it could.
	for _, name := range []string{"ruff", "mypy"} {
		tool := filepath.Join(top, ".bin", "linters", "bin", name)
		if _, err := os.Stat(tool); err == nil {
			if err := os.Symlink(tool, filepath.Join(bin, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return bin
}

// condition knows the linters that a machine may not have.
func condition(bin string) func(string) (bool, error) {
	return func(name string) (bool, error) {
		if tool, ok := strings.CutPrefix(name, "tool:"); ok {
			if _, err := os.Stat(filepath.Join(bin, tool)); err == nil {
				return true, nil
			}
			_, err := exec.LookPath(tool)
			return err == nil, nil
		}
		if name == "root" {
			return os.Geteuid() == 0, nil
		}
		return false, fmt.Errorf("unknown condition %s", name)
	}
}

// goCaches are the folders in which this machine's Go keeps what it has.
func goCaches(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "-json", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	caches := map[string]string{}
	if err := json.Unmarshal(out, &caches); err != nil {
		t.Fatal(err)
	}
	return caches
}

// git runs git in a folder of the story.
func git(ts *testscript.TestScript, dir string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "git", args...)
	command.Dir = dir
	for _, name := range []string{"PATH", "HOME", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"} {
		command.Env = append(command.Env, name+"="+ts.Getenv(name))
	}
	out, err := command.CombinedOutput()
	if err != nil {
		ts.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// newRepository makes the folder a repository with a branch main and its files committed,
// opens the branch change, and goes there.
func newRepository(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	git(ts, dir, "init", "--quiet", "--initial-branch=main")
	git(ts, dir, "add", "--all")
	git(ts, dir, "commit", "--quiet", "--allow-empty", "--message", "The beginning")
	git(ts, dir, "switch", "--quiet", "--create", "change")
	ts.Check(ts.Chdir(dir))
	ts.Setenv("BASE", "main")
	ts.Setenv("MAIN", git(ts, dir, "rev-parse", "HEAD"))
}

// commit commits everything in the current folder and puts the hash into HEAD.
func commit(ts *testscript.TestScript, _ bool, _ []string) {
	dir := ts.MkAbs(".")
	git(ts, dir, "add", "--all")
	git(ts, dir, "commit", "--quiet", "--allow-empty", "--message", "A change")
	ts.Setenv("HEAD", git(ts, dir, "rev-parse", "HEAD"))
}

// counts compares figures of .fearless/lint-gate.json: counts <verdict> [field=n]…
func counts(ts *testscript.TestScript, _ bool, args []string) {
	var report struct {
		Result struct {
			Verdict      string
			Findings     []finding.Finding
			Old, Below   int
			CutOff       int `json:"cut_off"`
			Suppressions []any
			Loosened     []any
			Linters      []struct{ Checked, Skipped []string }
		}
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(".fearless/lint-gate.json")), &report))
	r := report.Result
	got := map[string]int{
		"findings": len(r.Findings), "old": r.Old, "below": r.Below, "cut-off": r.CutOff,
		"suppressions": len(r.Suppressions), "loosened": len(r.Loosened), "linters": len(r.Linters),
	}
	for _, l := range r.Linters {
		got["checked"] += len(l.Checked)
		got["skipped"] += len(l.Skipped)
	}
	if r.Verdict != args[0] {
		ts.Fatalf("verdict %s, want %s", r.Verdict, args[0])
	}
	for _, want := range args[1:] {
		name, text, _ := strings.Cut(want, "=")
		n, err := strconv.Atoi(text)
		ts.Check(err)
		if is, known := got[name]; !known || is != n {
			ts.Fatalf("%s is %d, want %d (%v)", name, is, n, r.Findings)
		}
	}
}

// substitute replaces a text in a file, everywhere; \n, \t and \r are what they are in Go.
func substitute(ts *testscript.TestScript, _ bool, args []string) {
	before := ts.ReadFile(args[0])
	after := strings.ReplaceAll(before, unescape(ts, args[1]), unescape(ts, args[2]))
	if after == before {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(after), 0o644))
}

// write writes a file whose name or content no archive can hold.
func write(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(unescape(ts, args[0]))
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
	ts.Check(os.WriteFile(name, []byte(unescape(ts, args[1])), 0o644))
}

// many writes a text so many times, @ being the number of the time.
func many(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	file, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	ts.Check(err)
	text := unescape(ts, args[2])
	for i := range n {
		_, err = file.WriteString(strings.ReplaceAll(text, "@", strconv.Itoa(i)))
		ts.Check(err)
	}
	ts.Check(file.Close())
}

func unescape(ts *testscript.TestScript, text string) string {
	plain, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
	ts.Check(err)
	return plain
}

// nothingLeft fails when a run has left a work tree or temporary files.
func nothingLeft(ts *testscript.TestScript, _ bool, _ []string) {
	if list := git(ts, ts.MkAbs("."), "worktree", "list", "--porcelain"); strings.Count(list, "worktree ") != 1 {
		ts.Fatalf("left behind: %s", list)
	}
	left, err := os.ReadDir(ts.Getenv("TMPDIR"))
	ts.Check(err)
	if len(left) > 0 {
		ts.Fatalf("left behind: %v", left)
	}
}

// servers are the Bitbuckets of the stories, by their testscript.TestScript.
var servers sync.Map

// openBitbucket puts up a Bitbucket that knows the commit HEAD, for the rest of the story.
func openBitbucket(ts *testscript.TestScript, _ bool, _ []string) {
	server := fake.New(fake.Options{Commit: ts.Getenv("HEAD")})
	network, err := server.Listen(ts.MkAbs("."))
	ts.Check(err)
	ts.Defer(func() {
		if err := network.Close(); err != nil {
			ts.Logf("closing Bitbucket: %v", err)
		}
	})
	servers.Store(ts, server)
	for _, pair := range network.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		ts.Setenv(name, value)
	}
}

func serverOf(ts *testscript.TestScript) *fake.Server {
	server, ok := servers.Load(ts)
	if !ok {
		ts.Fatalf("this story has no Bitbucket yet")
	}
	return server.(*fake.Server)
}

// reported checks the report of the commit: its result, and texts in its details.
func reported(ts *testscript.TestScript, _ bool, args []string) {
	report, found := serverOf(ts).Report("lint-gate")
	if !found || report.Result != args[0] {
		ts.Fatalf("report %v %+v, want %s", found, report, args[0])
	}
	for _, text := range args[1:] {
		if !strings.Contains(report.Details, text) {
			ts.Fatalf("%q is missing in %s", text, report.Details)
		}
	}
}

// annotated checks the places of the annotations: exactly these, or with one number alone,
// so many.
func annotated(ts *testscript.TestScript, _ bool, args []string) {
	report, _ := serverOf(ts).Report("lint-gate")
	if n, err := strconv.Atoi(strings.Join(args, " ")); err == nil {
		if len(report.Annotations) != n {
			ts.Fatalf("%d annotations, want %d", len(report.Annotations), n)
		}
		return
	}
	var got []string
	for _, a := range report.Annotations {
		line := 0
		if a.Line != nil {
			line = *a.Line
		}
		got = append(got, fmt.Sprintf("%s:%d", a.Path, line))
	}
	slices.Sort(got)
	slices.Sort(args)
	if !slices.Equal(got, args) {
		ts.Fatalf("annotations at %q, want %q", got, args)
	}
}

// noComplaints fails when the program asked something that Bitbucket refuses.
func noComplaints(ts *testscript.TestScript, _ bool, _ []string) {
	if all := serverOf(ts).Complaints(); len(all) > 0 {
		ts.Fatalf("%s", strings.Join(all, "\n"))
	}
}
