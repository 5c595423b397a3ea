package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"bitbucket.org/fearless/pipes/pipes/migration-check/server/servertest"
	"bitbucket.org/fearless/pipes/shared/lab/story"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"migration-check": main}) }

// TestStories runs the program as a pipeline does, on real clones and real databases.
// After each run no server and no directory may be left.
func TestStories(t *testing.T) {
	t.Parallel()
	frameworks, err := filepath.Abs("../../.bin/frameworks/bin") // see tools/frameworks/setup
	if err != nil {
		t.Fatal(err)
	}
	binaries := servertest.Binaries(t)
	story.Run(t, testscript.Params{
		Setup: func(env *testscript.Env) error {
			// Not below the script's own folder, into which the server's user may not look.
			dir, err := os.MkdirTemp(servertest.Memory(), "story-") //nolint:usetesting // that of the test is not readable for others
			if err != nil {
				return err
			}
			env.Defer(func() { _ = os.RemoveAll(dir) })
			env.Setenv("TMPDIR", dir)
			env.Setenv("POSTGRES_BIN", binaries)
			env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			env.Setenv("PATH", frameworks+string(os.PathListSeparator)+env.Getenv("PATH"))
			return os.Chmod(dir, 0o755)
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "frameworks":
				_, err := os.Stat(filepath.Join(frameworks, "alembic"))
				return err == nil, nil
			case "rails":
				return exec.CommandContext(t.Context(), "ruby", "-e", "require 'logger'; require 'rails'; require 'active_record'; require 'pg'").Run() == nil, nil
			case "mariadb":
				return mariaDB()
			}
			return false, fmt.Errorf("unknown condition %s", name)
		},
		Cmds: story.Commands{"change": change, "ends-with": endsWith, "service": service},
	})
}

// mariaDB tells whether there is a server. In a pipeline, which installs one, its absence
// is an error.
func mariaDB() (bool, error) {
	for _, name := range []string{"mariadbd", "/usr/sbin/mariadbd"} {
		if _, err := exec.LookPath(name); err == nil {
			return true, nil
		}
	}
	if os.Getenv("CI") != "" {
		return false, errors.New("there is no MariaDB here: apt-get install mariadb-server")
	}
	return false, nil
}

// change makes a clone in the folder clone: the main branch holds the files of the first
// argument, the branch feature, which is checked out, those of the second over them. A
// third one is what main has got since. A file named DELETE lists what the branch deletes.
func change(ts *testscript.TestScript, _ bool, args []string) {
	clone, origin := ts.MkAbs("clone"), ts.MkAbs("origin.git")
	ts.Check(os.RemoveAll(clone))
	ts.Check(os.RemoveAll(origin))
	git := func(args ...string) {
		ts.Check(ts.Exec("git", append([]string{"-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-C", clone}, args...)...))
	}
	commit := func(branch, from, message string) {
		copyInto(ts, ts.MkAbs(from), clone)
		git("add", "-A")
		git("commit", "-q", "--allow-empty", "-m", message)
		git("push", "-q", "origin", branch)
	}
	ts.Check(os.MkdirAll(clone, 0o755))
	ts.Check(ts.Exec("git", "init", "-q", "--bare", "-b", "main", origin))
	git("init", "-q", "-b", "main")
	git("remote", "add", "origin", origin)
	commit("main", args[0], "base")
	if len(args) > 2 {
		git("branch", "feature")
		commit("main", args[2], "meanwhile")
		git("checkout", "-q", "feature")
	} else {
		git("checkout", "-q", "-b", "feature")
	}
	message := "change"
	if text, err := os.ReadFile(ts.MkAbs("message")); err == nil {
		message = string(text)
	}
	commit("feature", args[1], message)
	git("fetch", "-q")
}

func copyInto(ts *testscript.TestScript, from, to string) {
	err := filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if rel == "DELETE" {
			for gone := range strings.FieldsSeq(string(text)) {
				if err := os.Remove(filepath.Join(to, gone)); err != nil {
					return err
				}
			}
			return nil
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, 0o644)
	})
	if !errors.Is(err, fs.ErrNotExist) {
		ts.Check(err)
	}
}

// endsWith runs the check in the clone, with the variables given, and holds its exit code
// against the first argument. Its output is there for stdout, as after an exec.
func endsWith(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(ts.Chdir(ts.MkAbs("clone")))
	story.EndsWith(ts, neg, slices.Concat(args[:1], []string{"env"}, args[1:], []string{"migration-check"}))
	if slices.ContainsFunc(args, program.MatchString) {
		if found := foreign.FindString(ts.ReadFile("stdout")); found != "" {
			ts.Fatalf("%q has no meaning for people with that tool", found)
		}
	}
	ts.Check(ts.Chdir(".."))
	nothingLeft(ts)
}

// program is the setting of tools that apply migrations by themselves, to whose users
// nothing must be said in the words of folders of SQL.
var (
	program = regexp.MustCompile(`^TOOL=(django|alembic|rails|commands)$`)
	foreign = regexp.MustCompile(`golang-migrate[^,]|\.(up|down)\.sql|psql|(up|down) (file|migration)\b|its down\b`)
)

// nothingLeft looks for directories and processes of the scratch server.
func nothingLeft(ts *testscript.TestScript) {
	dir := ts.Getenv("TMPDIR")
	left, err := os.ReadDir(dir)
	ts.Check(err)
	for _, entry := range left {
		ts.Fatalf("left behind: %s", filepath.Join(dir, entry.Name()))
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	ts.Check(err)
	for _, name := range lines {
		if text, err := os.ReadFile(name); err == nil && strings.Contains(string(text), dir+"/fearless-") {
			ts.Fatalf("still running: %s", text)
		}
	}
}
