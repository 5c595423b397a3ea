package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"bitbucket.org/fearless/pipes/shared/lab/story"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"deploy-env": main}) }

// TestStories runs the program as a pipeline does: variables in, exit code, log and
// files out. Stories that need no second program are in package rollout, where time is
// simulated.
func TestStories(t *testing.T) {
	t.Parallel()
	story.Run(t, testscript.Params{Setup: story.NoAWS, Cmds: story.Commands{
		"cloud": openCloud, "bake": bake, "close-gate": closeGate, "open-gate": openGate, "wait-calls": waitCalls, "servers": servers, "terminate": terminate,
	}})
}
