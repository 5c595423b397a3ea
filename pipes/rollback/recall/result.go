package recall

import (
	"fmt"

	"bitbucket.org/fearless/pipes/shared/outputs"
)

// Outcomes of a run.
const (
	OutcomeRolledBack = "rolled back"
	OutcomeUnchanged  = "unchanged"
	OutcomePlanned    = "planned"
	OutcomeFailed     = "failed"
	OutcomeLifted     = "hold lifted"
)

// Result is what became of an environment.
type Result struct {
	Application string   `json:"application"`
	Environment string   `json:"environment"`
	Outcome     string   `json:"outcome"`
	Commit      string   `json:"commit,omitempty"`
	Image       string   `json:"image,omitempty"`
	From        string   `json:"from,omitempty"` // the commit that was live before, or was coming
	Held        []string `json:"held,omitempty"` // commits that must not be deployed from now on
	Reason      string   `json:"reason,omitempty"`
	Undone      []string `json:"undone,omitempty"`
	Kept        []string `json:"kept,omitempty"`
	Seconds     float64  `json:"seconds"`

	// Ours is what the pipe itself took of the time, and World what it waited for:
	// CloudFormation, which works a change out and carries it out, servers that boot, and the
	// balancer's checks.
	Ours  float64 `json:"ours_seconds,omitempty"`
	World float64 `json:"world_seconds,omitempty"`
}

// Summary says it in one line.
func (r *Result) Summary() string {
	line := fmt.Sprintf("%s of %s: %s", r.Environment, r.Application, r.Outcome)
	switch r.Outcome {
	case OutcomeRolledBack, OutcomePlanned, OutcomeUnchanged, OutcomeFailed:
		line += fmt.Sprintf(", commit %s, image %s", short(r.Commit), r.Image)
	case OutcomeLifted:
		line += ", commit " + short(r.Commit)
	}
	return line
}

// Outputs are for later steps.
func (r *Result) Outputs() []outputs.Variable {
	return []outputs.Variable{
		{Name: "ROLLBACK_OUTCOME", Value: r.Outcome},
		{Name: "ROLLBACK_COMMIT", Value: r.Commit},
		{Name: "ROLLBACK_IMAGE", Value: r.Image},
		{Name: "ROLLBACK_FROM", Value: r.From},
	}
}
