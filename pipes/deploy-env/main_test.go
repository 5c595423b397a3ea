package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"bitbucket.org/fearless/pipes/pipes/deploy-env/rollout"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// asMain makes this test binary the program itself, main and all.
const asMain = "STORY_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){
		"deploy-env": func() {
			os.Exit(pipe.Pipe[rollout.Settings]{Name: rollout.Name, Run: rollout.Run}.Main(pipe.OS()))
		},
	})
}

// TestStories runs the program as a pipeline does: variables in, exit code, log and
// files out. Stories that need no second program are in package rollout, where time is
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
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ends-with": lab.EndsWith, "cloud": openCloud, "bake": bake, "close-gate": closeGate, "open-gate": openGate,
			"wait-calls": waitCalls, "servers": servers, "terminate": terminate,
		},
	})
}

// TestProgramStarts makes sure that main itself, not only what it calls, works.
func TestProgramStarts(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = []string{asMain + "=yes", "ACTION=ship"}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "ACTION") {
		t.Errorf("%v\n%s", err, out)
	}
}
