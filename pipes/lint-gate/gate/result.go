package gate

import (
	"fmt"
	"strconv"

	"bitbucket.org/fearless/pipes/shared/finding"
	"bitbucket.org/fearless/pipes/shared/outputs"
)

// Result is what the gate found.
type Result struct {
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"` // of a verdict error; or why nothing was checked
	Scope   string  `json:"scope"`
	Base    string  `json:"base,omitempty"` // hash of the commit compared with
	Head    string  `json:"head,omitempty"`

	Linters []Ran `json:"linters"`
	// Findings count; Old ones were there before and do not.
	Findings []finding.Finding `json:"findings"`
	Old      int               `json:"old"`
	FailOn   finding.Severity  `json:"fail_on"`
	Below    int               `json:"below"`   // of the findings, less bad than that
	CutOff   int               `json:"cut_off"` // not shown by Bitbucket

	Suppressions []Suppression `json:"suppressions"`
	Loosened     []Loosening   `json:"loosened"`
	Seconds      float64       `json:"seconds"`
}

// Ran is what one linter did on the head.
type Ran struct {
	Name    string   `json:"name"`
	Report  bool     `json:"report"`  // it ran earlier and left a report
	Checked []string `json:"checked"` // modules or files
	Skipped []string `json:"skipped"` // with the reason
	Found   int      `json:"found"`   // old and new
	Base    bool     `json:"base"`    // it ran on the base as well
	Seconds float64  `json:"seconds"`
	Peak    int64    `json:"peak"` // bytes of memory, 0 when it is not known
}

func (r *Result) failing() []finding.Finding { return failing(r.Findings, r.FailOn) }

func (r *Result) skipped() int {
	n := 0
	for _, ran := range r.Linters {
		n += len(ran.Skipped)
	}
	return n
}

// Summary says it in one line.
func (r *Result) Summary() string {
	switch {
	case r.Verdict == Error:
		return "could not judge: " + firstLine(r.Reason)
	case len(r.Linters) == 0:
		return "nothing to check: " + r.Reason
	}
	what := map[string]string{ScopeNew: "new findings", ScopeChangedLines: "findings on changed lines", ScopeAll: "findings"}[r.Scope]
	line := fmt.Sprintf("%s: %s", what, finding.Counted(r.Findings))
	if r.Scope != ScopeAll {
		line += fmt.Sprintf("; %d old", r.Old)
	}
	if n := len(r.Suppressions); n > 0 {
		line += fmt.Sprintf("; %d suppressions added", n)
	}
	if n := len(r.Loosened); n > 0 {
		line += fmt.Sprintf("; configuration loosened in %d ways", n)
	}
	return line
}

// Outputs are for later steps.
func (r *Result) Outputs() []outputs.Variable {
	return []outputs.Variable{
		{Name: "LINT_VERDICT", Value: string(r.Verdict)},
		{Name: "LINT_FINDINGS", Value: strconv.Itoa(len(r.Findings))},
		{Name: "LINT_OLD_FINDINGS", Value: strconv.Itoa(r.Old)},
		{Name: "LINT_SUPPRESSIONS", Value: strconv.Itoa(len(r.Suppressions))},
	}
}
