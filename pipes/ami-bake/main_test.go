package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bitbucket.org/fearless/pipes/shared/lab/story"
	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/ec2"
	"bitbucket.org/fearless/pipes/shared/localcloud/journal"
	"bitbucket.org/fearless/pipes/shared/localcloud/stage"
)

// programs is where ami-bake lies, and the boot agent beside it.
const programs = "STORY_PROGRAMS"

// TestStories runs the program as a pipeline does: variables in, exit code, log and
// outputs out. Servers are real processes.
func TestStories(t *testing.T) {
	t.Parallel()
	bin := build(t)
	story.Run(t, testscript.Params{
		Setup: func(env *testscript.Env) error {
			env.Setenv(programs, bin)
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Cmds: story.Commands{
			"cloud": openCloud, "commit": commit, "images": images, "servers": servers, "nothing-left": nothingLeft, "wait-server": waitServer, "open-gate": openGate,
		},
	})
}

// build makes the programs of the stage and returns their folder.
func build(t *testing.T) string {
	t.Helper()
	root, err := stage.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := stage.Build(t.Context(), root, bin, []string{"ami-bake"}, raceFlag()...); err != nil {
		t.Fatal(err)
	}
	return bin
}

// raceFlag makes the programs under test like the test itself, so that what the one
// compiled serves the others.
func raceFlag() []string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-race" && s.Value == "true" {
				return []string{"-race"}
			}
		}
	}
	return nil
}

// openCloud puts up a local cloud for the rest of the story.
func openCloud(ts *testscript.TestScript, _ bool, _ []string) {
	s, err := stage.Open(context.Background(), stage.Options{Bin: ts.Getenv(programs)})
	ts.Check(err)
	ts.Defer(func() {
		if err := s.Close(); err != nil {
			ts.Logf("closing the cloud: %v", err)
		}
	})
	stages.Store(ts, s)
	for _, variable := range s.Environ(map[string]string{"APPLICATION": "shop"}) {
		name, value, _ := strings.Cut(variable, "=")
		if name != "PATH" && name != "HOME" {
			ts.Setenv(name, value)
		}
	}
}

// stages are the clouds of the stories under way, by their testscript.TestScript;
// testscript runs stories at the same time.
var stages sync.Map

func stageOf(ts *testscript.TestScript) *stage.Stage {
	s, ok := stages.Load(ts)
	if !ok {
		ts.Fatalf("this story has no cloud yet")
	}
	return s.(*stage.Stage)
}

func cloudOf(ts *testscript.TestScript) *localcloud.Cloud { return stageOf(ts).Cloud }

// commit commits what is in the folder and puts the hash into COMMIT.
func commit(ts *testscript.TestScript, _ bool, args []string) {
	r := stage.Repository{Dir: ts.MkAbs(args[0])}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := os.Stat(filepath.Join(r.Dir, ".git")); err != nil {
		ts.Check(r.Init(ctx))
	}
	hash, err := r.Commit(ctx, "A change")
	ts.Check(err)
	ts.Setenv("COMMIT", hash)
}

// images counts the images that can be used.
func images(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var found []string
	for _, img := range cloudOf(ts).Images() {
		found = append(found, fmt.Sprintf("%s %s %s", img.ID, img.Name, img.State))
	}
	if len(found) != want {
		ts.Fatalf("%d images, want %d: %v", len(found), want, found)
	}
}

// servers counts the build servers that were ever launched in this story.
func servers(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if found := cloudOf(ts).Instances(); len(found) != want {
		ts.Fatalf("%d build servers, want %d: %+v", len(found), want, found)
	}
}

// nothingLeft fails when something temporary is left in the account.
func nothingLeft(ts *testscript.TestScript, _ bool, _ []string) {
	if left := cloudOf(ts).Leftovers("image ami-", "snapshot snap-", "/images/"); len(left) > 0 {
		ts.Fatalf("left behind:\n%s", strings.Join(left, "\n"))
	}
}

// waitServer waits until a build server is in a state.
func waitServer(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, "a server is "+args[0], func() bool {
		return slices.ContainsFunc(cloudOf(ts).Instances(), func(i ec2.Instance) bool { return i.State == args[0] })
	})
}

// openGate puts a file named gate into the application's folder on each running server
// when its provision script waits for that, and after somebody has looked at the servers
// twice more.
func openGate(ts *testscript.TestScript, _ bool, _ []string) {
	s := stageOf(ts)
	looks := journal.Of("ec2:DescribeInstances")
	before := s.Cloud.Journal().Count(looks)
	until(ts, "somebody looks at the servers", func() bool { return s.Cloud.Journal().Count(looks) >= before+2 })
	for _, i := range s.Cloud.Instances() {
		if i.State == "running" {
			folder := filepath.Join(s.Disk(i.ID), "opt", "app")
			until(ts, i.ID+" waits at the gate", func() bool {
				_, err := os.Stat(filepath.Join(folder, "at-the-gate"))
				return err == nil
			})
			ts.Check(os.WriteFile(filepath.Join(folder, "gate"), nil, 0o644))
		}
	}
}

// patience bounds every wait of these stories; it passes only when they fail.
const patience = 5 * time.Minute

// until waits for something that takes seconds.
func until(ts *testscript.TestScript, what string, happened func() bool) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-limit.C:
			ts.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}
