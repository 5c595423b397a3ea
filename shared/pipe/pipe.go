// Package pipe is the life of a pipe from its first line to its exit code:
// settings, deadline, signals, undo, outputs, and the words it ends with. It
// is the same for all pipes, so that who knows one log can read the others.
package pipe

import (
	"context"
	"errors"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/outputs"
	"bitbucket.org/fearless/pipes/shared/settings"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// Settings are the variables of every pipe. A pipe's own struct embeds them.
type Settings struct {
	Timeout settings.Duration `envconfig:"TIMEOUT" default:"30m" example:"45m" desc:"When to stop and clean up. Keep it below the step's max-time."`
	Debug   bool              `envconfig:"DEBUG" default:"false" desc:"Print details for debugging."`

	CloneDir      string `envconfig:"BITBUCKET_CLONE_DIR" context:"true" desc:"Where the clone is."`
	Workspace     string `envconfig:"BITBUCKET_WORKSPACE" context:"true" desc:"The workspace."`
	RepoSlug      string `envconfig:"BITBUCKET_REPO_SLUG" context:"true" desc:"The repository."`
	RepoFullName  string `envconfig:"BITBUCKET_REPO_FULL_NAME" context:"true" desc:"Workspace and repository."`
	GitHTTPOrigin string `envconfig:"BITBUCKET_GIT_HTTP_ORIGIN" context:"true" desc:"The repository's address."`
	Commit        string `envconfig:"BITBUCKET_COMMIT" context:"true" desc:"The commit that started the pipeline, sometimes shortened to 12 digits."`
	Branch        string `envconfig:"BITBUCKET_BRANCH" context:"true" desc:"The branch; blank for a tag."`
	Tag           string `envconfig:"BITBUCKET_TAG" context:"true" desc:"The tag; blank for a branch."`
	BuildNumber   int    `envconfig:"BITBUCKET_BUILD_NUMBER" context:"true" desc:"The number of the pipeline's run."`
	PipelineUUID  string `envconfig:"BITBUCKET_PIPELINE_UUID" context:"true" desc:"The pipeline's run."`
	StepUUID      string `envconfig:"BITBUCKET_STEP_UUID" context:"true" desc:"The step."`
	StepRunNumber int    `envconfig:"BITBUCKET_STEP_RUN_NUMBER" default:"1" context:"true" desc:"The attempt at the step; a rerun counts up."`
	TriggererUUID string `envconfig:"BITBUCKET_STEP_TRIGGERER_UUID" context:"true" desc:"Who started the pipeline."`
	VariablesPath string `envconfig:"BITBUCKET_PIPELINES_VARIABLES_PATH" context:"true" desc:"Bitbucket's file of output variables."`
}

// Check refuses a time in which nothing can be done.
func (s *Settings) Check(r *settings.Report) {
	if s.Timeout < settings.Duration(time.Second) && !r.Failed("TIMEOUT") {
		r.Problemf("TIMEOUT", "%s is too short; expected: at least 1s", s.Timeout)
	}
}

// common lets Main find the Settings in the struct that embeds them.
func (s *Settings) common() *Settings { return s }

// Runtime is what a pipe works with beside its settings.
type Runtime struct {
	Console  *console.Console
	Undo     *undo.Stack
	World    World
	Settings Settings
	Started  time.Time
}

// Result is what a pipe has to report. It is also written as JSON into
// .fearless/<pipe>.json, so its fields are part of the pipe's interface.
type Result interface {
	Summary() string // one line
	Outputs() []outputs.Variable
}

// Pipe is one pipe with its settings struct S, which embeds Settings.
//
// Run may return a result together with an error: a gate that says no has
// something to report. Its context ends with TIMEOUT or with a signal.
type Pipe[S any] struct {
	Name string
	Run  func(ctx context.Context, rt *Runtime, s S) (Result, error)
}

// The causes with which the context of a run ends before the run does, for
// context.Cause.
var (
	ErrTimedOut    = errors.New("timed out")
	ErrInterrupted = errors.New("interrupted")
)
