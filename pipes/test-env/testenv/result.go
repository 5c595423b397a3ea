package testenv

import (
	"fmt"
	"strconv"
	"time"

	"bitbucket.org/fearless/pipes/shared/outputs"
)

// Outcomes of a run.
const (
	OutcomeCreated   = "created"
	OutcomeExtended  = "extended"
	OutcomeFailed    = "failed"
	OutcomeKept      = "failed, kept"
	OutcomeListed    = "listed"
	OutcomeDestroyed = "destroyed"
	OutcomeReaped    = "reaped"
)

// Result is what became of one environment, or of all.
type Result struct {
	Application  string     `json:"application"`
	Outcome      string     `json:"outcome"`
	Commit       string     `json:"commit,omitempty"`
	Stack        string     `json:"stack,omitempty"`
	URL          string     `json:"url,omitempty"`
	Expires      *time.Time `json:"expires,omitempty"`
	Reaped       int        `json:"reaped,omitempty"`
	Left         *int       `json:"left,omitempty"` // what a reap could not remove
	Environments []Row      `json:"environments,omitempty"`
	Seconds      float64    `json:"seconds"`
}

// Row is one environment of a list.
type Row struct {
	Commit  string    `json:"commit"`
	Branch  string    `json:"branch,omitempty"`
	Owner   string    `json:"owner,omitempty"`
	URL     string    `json:"url,omitempty"`
	Stack   string    `json:"stack"`
	Status  string    `json:"status"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// Summary says it in one line.
func (r *Result) Summary() string {
	switch {
	case r.Left != nil:
		return fmt.Sprintf("test environments of %s: %d reaped, left: %d", r.Application, r.Reaped, *r.Left)
	case r.Outcome == OutcomeListed:
		return fmt.Sprintf("test environments of %s: %d", r.Application, len(r.Environments))
	}
	return fmt.Sprintf("test environment of %s, commit %.12s: %s %s", r.Application, r.Commit, r.Outcome, r.URL)
}

// Outputs are for later steps.
func (r *Result) Outputs() []outputs.Variable {
	all := []outputs.Variable{{Name: "TEST_ENV_OUTCOME", Value: r.Outcome}}
	if r.Left != nil {
		return append(all, outputs.Variable{Name: "TEST_ENV_LEFT", Value: strconv.Itoa(*r.Left)})
	}
	if r.Outcome == OutcomeListed {
		return append(all, outputs.Variable{Name: "TEST_ENV_COUNT", Value: strconv.Itoa(len(r.Environments))})
	}
	expires := ""
	if r.Expires != nil {
		expires = r.Expires.Format(time.RFC3339)
	}
	return append(all,
		outputs.Variable{Name: "TEST_ENV_URL", Value: r.URL},
		outputs.Variable{Name: "TEST_ENV_STACK", Value: r.Stack},
		outputs.Variable{Name: "TEST_ENV_EXPIRES", Value: expires},
	)
}

// result is that of a run about one environment. Only one that answers has an address.
func (r *run) result(e Environment, outcome string) *Result {
	end := e.ends().UTC()
	result := &Result{
		Application: r.s.Application, Outcome: outcome, Commit: e.Commit, Stack: e.Stack.Name, Seconds: time.Since(r.rt.Started).Seconds(),
	}
	if outcome == OutcomeCreated || outcome == OutcomeExtended {
		result.URL = e.URL
	}
	if outcome == OutcomeCreated || outcome == OutcomeExtended || outcome == OutcomeKept {
		result.Expires = &end
	}
	return result
}
