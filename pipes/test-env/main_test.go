package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"bitbucket.org/fearless/pipes/pipes/test-env/testenv"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// asMain makes this test binary the program itself, main and all.
const asMain = "STORY_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){
		"test-env": func() {
			os.Exit(pipe.Pipe[testenv.Settings]{Name: testenv.Name, Run: testenv.Run}.Main(pipe.OS()))
		},
	})
}

// TestStories runs the program as a pipeline does: variables in, exit code, log and
// files out. Stories that need an account are in package testenv, where time is
// simulated.
func TestStories(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			// Nobody listens there: whoever asks AWS anything fails.
			env.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"ends-with": endsWith},
	})
}

// endsWith runs the program and holds its exit code against the first argument: that
// of exec only tells 0 from others. Its output is there for stdout, as after an exec.
func endsWith(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var ended *exec.ExitError
	code := 0
	if errors.As(err, &ended) {
		code = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("%s ended with %d, want %d", strings.Join(args[1:], " "), code, want)
	}
}

// TestProgramStarts makes sure that main itself, not only what it calls, works.
func TestProgramStarts(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = []string{asMain + "=yes", "ACTION=show"}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "ACTION") {
		t.Errorf("%v\n%s", err, out)
	}
}
