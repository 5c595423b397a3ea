package rollout

import (
	"fmt"

	"bitbucket.org/fearless/pipes/shared/outputs"
)

// Outcomes of a deploy.
const (
	OutcomeReleased   = "released"
	OutcomeUnchanged  = "unchanged"
	OutcomePreviewed  = "previewed"
	OutcomeRolledBack = "rolled back"
	OutcomeFailed     = "failed"
	OutcomeDestroyed  = "destroyed"
	OutcomeWritten    = "templates written"
	OutcomeTold       = "history told"
)

// Result is what became of an environment.
type Result struct {
	Application string   `json:"application"`
	Environment string   `json:"environment"`
	Commit      string   `json:"commit,omitempty"`
	Image       string   `json:"image,omitempty"`
	Outcome     string   `json:"outcome"`
	Files       []string `json:"files,omitempty"` // templates or the page that were written
	Seconds     float64  `json:"seconds"`
	Took        string   `json:"-"`
}

// Summary says it in one line.
func (r *Result) Summary() string {
	return fmt.Sprintf("%s of %s: %s %s", r.Environment, r.Application, r.Outcome, r.Image)
}

// Outputs are for later steps.
func (r *Result) Outputs() []outputs.Variable {
	return []outputs.Variable{
		{Name: "DEPLOY_OUTCOME", Value: r.Outcome},
		{Name: "DEPLOY_IMAGE", Value: r.Image},
		{Name: "DEPLOY_COMMIT", Value: r.Commit},
	}
}
