package gate

import (
	"fmt"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/lint-gate/linter"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// Verdict is the answer of the gate.
type Verdict string

// The verdicts. Error means that nobody knows: it never passes.
const (
	Pass  Verdict = "pass"
	Fail  Verdict = "fail"
	Error Verdict = "error"
)

// judge gives the verdict: an error when something that should have looked could not, and
// else whether any counted finding is bad enough.
func judge(counted []finding.Finding, failOn finding.Severity, trouble []error) Verdict {
	switch {
	case len(trouble) > 0:
		return Error
	case len(failing(counted, failOn)) > 0:
		return Fail
	}
	return Pass
}

// failing are the findings that are bad enough to fail the gate.
func failing(all []finding.Finding, failOn finding.Severity) []finding.Finding {
	return slices.DeleteFunc(slices.Clone(all), func(f finding.Finding) bool { return f.Severity < failOn })
}

// refusal is the error of the verdict Fail.
func (r *Result) refusal() error {
	bad := finding.Counted(r.failing())
	err := exit.Refusedf("%s %s", subject[r.Scope], bad)
	if r.Scope == ScopeNew {
		return err.Hint("findings that were there before this change are not among them")
	}
	return err
}

// subject begins the sentence about what a scope looks at.
var subject = map[string]string{
	ScopeNew:          "the change adds",
	ScopeChangedLines: "found on the lines of the change:",
	ScopeAll:          "found:",
}

// counts is the sentence that is printed in any case.
func (r *Result) counts() string {
	parts := []string{checked(r.Linters), "findings: " + finding.Counted(r.Findings).String()}
	if r.Scope != ScopeAll {
		parts = append(parts, fmt.Sprintf("old ones, not counted: %d", r.Old))
	}
	if r.Below > 0 {
		parts = append(parts, fmt.Sprintf("below %s: %d", r.FailOn, r.Below))
	}
	parts = append(parts, fmt.Sprintf("skipped: %d", r.skipped()), fmt.Sprintf("beyond Bitbucket's limit: %d", r.CutOff))
	return strings.Join(parts, "; ")
}

// checked says what linters looked at: "golangci-lint checked 2 modules, ruff 14 files".
func checked(all []Ran) string {
	if len(all) == 0 {
		return "nothing was checked"
	}
	var parts []string
	for _, ran := range all {
		parts = append(parts, ran.Name+": "+things(ran))
	}
	return "checked by " + strings.Join(parts, ", ")
}

// things counts what a linter looked at.
func things(ran Ran) string {
	what := "file"
	if ran.Name == linter.Golangci {
		what = "module"
	}
	switch n := len(ran.Checked); {
	case ran.Report:
		return "a report"
	case n == 1 && what == "module":
		return "1 module"
	case n == 1:
		return ran.Checked[0]
	default:
		return fmt.Sprintf("%d %ss", n, what)
	}
}
