package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"bitbucket.org/fearless/pipes/shared/lab/story"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"test-env": main}) }

// TestStories runs the program as a pipeline does: variables in, exit code, log and
// files out. Stories that need an account are in package testenv, where time is
// simulated.
func TestStories(t *testing.T) {
	t.Parallel()
	story.Run(t, testscript.Params{Setup: story.NoAWS})
}
