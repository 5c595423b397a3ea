package check

import (
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/finding"
)

// Verdict is the answer of the check.
type Verdict string

// The verdicts. Of several that apply the first of broken, missing and unsafe is given;
// error goes before them all, because what was not judged may be worse.
const (
	Pass    Verdict = "pass"
	Missing Verdict = "missing" // a migration should come with the change
	Broken  Verdict = "broken"  // those that come do not work
	Unsafe  Verdict = "unsafe"  // they work, but not while people use the application
	Error   Verdict = "error"   // the check could not judge
)

// of is what an error of a rule means.
func of(f finding.Finding) Verdict {
	switch {
	case strings.HasPrefix(f.Rule, "A"):
		return Missing
	case strings.HasPrefix(f.Rule, "M"):
		return Unsafe
	}
	return Broken
}

// judge gives the verdict, and whether it fails the check.
func judge(findings []finding.Finding, failOn []string, trouble []error) (Verdict, bool) {
	if len(trouble) > 0 {
		return Error, true
	}
	there := map[Verdict]bool{}
	warned := false
	for _, f := range findings {
		switch f.Severity {
		case finding.Error:
			there[of(f)] = true
		case finding.Warning:
			warned = true
		}
	}
	verdict, fails := Pass, warned && slices.Contains(failOn, "warning")
	for _, v := range []Verdict{Unsafe, Missing, Broken} {
		if there[v] {
			verdict = v
			fails = fails || slices.Contains(failOn, string(v))
		}
	}
	return verdict, fails
}
