// Package story is what the scripts of all programs have in common: each plays, in a folder
// of its own, what happens to a program in a pipeline. It knows nothing of AWS, so that
// tests which do not either are linked without it.
package story

import (
	"errors"
	"maps"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Commands are what scripts can say beside what they all can.
type Commands = map[string]func(ts *testscript.TestScript, neg bool, args []string)

// Run plays the scripts of the folder testdata, each in a HOME of its own and with the
// command ends-with. What the program of a pipe is to them, TestMain says, by its real
// main:
//
//	testscript.Main(m, map[string]func(){"rollback": main})
func Run(t *testing.T, p testscript.Params) {
	t.Helper()
	p.Dir, p.RequireExplicitExec, p.RequireUniqueNames = "testdata", true, true
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("HOME", env.WorkDir)
		if setup == nil {
			return nil
		}
		return setup(env)
	}
	cmds := Commands{"ends-with": EndsWith}
	maps.Copy(cmds, p.Cmds)
	p.Cmds = cmds
	testscript.Run(t, p)
}

// NoAWS is the setup of stories in which nobody may ask AWS anything: it fails.
func NoAWS(env *testscript.Env) error {
	env.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1") // nobody listens there
	env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return nil
}

// EndsWith is a command of scripts that runs a program and holds its exit code against the
// first argument: exec only tells 0 from others. What it wrote is there for stdout, as
// after an exec.
func EndsWith(ts *testscript.TestScript, _ bool, args []string) {
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
