package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/finding"
	"bitbucket.org/fearless/pipes/shared/outputs"
)

// The reports below .fearless. Bitbucket lists what it finds in a folder test-results
// among the tests of the step.
const (
	sarifFile = "lint-gate.sarif"
	junitFile = "test-results/lint-gate.xml"
)

// begin tells Bitbucket that the check is running.
func (g *gate) begin(ctx context.Context) {
	options := bitbucket.Options{
		Commit: g.repo.Reported(ctx, g.s.Commit), Transport: g.rt.World.Transport, Mask: g.rt.Console.Masker(),
	}
	g.reporter = bitbucket.NewReporter(g.s.Bitbucket, options, g.rt.Console)
	g.reporter.Begin(ctx, g.report(&Result{}))
}

// conclude gives the verdict and prints it with what it rests on.
func (g *gate) conclude(r *Result) error {
	r.Verdict = judge(r.Findings, r.FailOn, g.trouble)
	r.Seconds = time.Since(g.rt.Started).Seconds()
	r.CutOff = bitbucket.CutOff(len(r.Findings))
	log := g.rt.Console
	if len(r.Findings) > 0 {
		title := strings.ToUpper(subject[r.Scope][:1]) + strings.TrimSuffix(subject[r.Scope][1:], ":")
		if r.Verdict == Error {
			title = "Found before the check broke off"
		}
		log.Heading("%s", title)
		shown := worst(r.Findings)
		finding.Print(log, shown)
		if more := len(r.Findings) - len(shown); more > 0 {
			log.Plain("  and %d more, in .fearless/%s", more, sarifFile)
		}
	}
	g.sayStandards(r)
	log.Heading("Verdict: %s", r.Verdict)
	log.Info("%s", r.counts())
	g.write(r)
	switch r.Verdict {
	case Pass:
		return nil
	case Fail:
		return r.refusal()
	}
	err := errors.Join(g.trouble...)
	r.Reason = err.Error()
	return fmt.Errorf("the gate cannot judge this change: %w", err)
}

// sayStandards prints what the change does to the rules.
func (g *gate) sayStandards(r *Result) {
	if len(r.Suppressions)+len(r.Loosened) == 0 {
		return
	}
	g.rt.Console.Heading("Standards: what the change no longer wants to hear")
	for _, s := range r.Suppressions {
		g.rt.Console.Plain("  %s:%d: %s", s.File, s.Line, s.Text)
	}
	for _, l := range r.Loosened {
		g.rt.Console.Plain("  %s: %s", l.File, l.What)
	}
}

// mostPrinted is how many findings the log shows: more, nobody reads, and Bitbucket cuts a
// log off at its end, where the verdict is.
const mostPrinted = 1000

// worst are those that are printed.
func worst(all []finding.Finding) []finding.Finding {
	if len(all) <= mostPrinted {
		return all
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b finding.Finding) int { return int(b.Severity) - int(a.Severity) })
	return all[:mostPrinted]
}

// write leaves the reports for other programs.
func (g *gate) write(r *Result) {
	place := outputs.Place{Dir: g.repo.Dir}
	tool := finding.Tool{Name: Name, Version: g.rt.World.Version}
	for name, write := range map[string]func(io.Writer) error{
		sarifFile: func(w io.Writer) error { return finding.SARIF(w, tool, r.Findings) },
		junitFile: func(w io.Writer) error { return finding.JUnit(w, Name, r.failing(), r.parts()) },
	} {
		if _, err := place.File(name, 0o644, write); err != nil {
			g.rt.Console.Warn("a report is missing, which changes nothing about the verdict: %v", err)
		}
	}
}

// parts is all that linters looked at.
func (r *Result) parts() []string {
	var all []string
	for _, ran := range r.Linters {
		all = append(all, ran.Checked...)
	}
	return all
}

// tell reports the result to Bitbucket.
func (g *gate) tell(ctx context.Context, r *Result) { g.reporter.Report(ctx, g.report(r)) }

// report is the result as Code Insights shows it.
func (g *gate) report(r *Result) bitbucket.Report {
	report := bitbucket.Report{
		ID: Name, Title: "Lint gate", Reporter: Name, Passed: r.Verdict == Pass, Findings: r.Findings, FailOn: r.FailOn,
	}
	if r.Verdict == "" {
		return report
	}
	var details []string
	if r.Verdict == Error {
		details = append(details, "The gate could not judge this change: "+r.Reason)
	} else if r.Reason != "" {
		details = append(details, r.Reason)
	}
	details = append(details, r.counts())
	for _, s := range r.Suppressions {
		details = append(details, fmt.Sprintf("suppressed: %s:%d: %s", s.File, s.Line, s.Text))
	}
	for _, l := range r.Loosened {
		details = append(details, fmt.Sprintf("loosened: %s: %s", l.File, l.What))
	}
	report.Details = strings.Join(details, "\n")
	report.Data = []bitbucket.Datum{
		bitbucket.Text("Verdict", string(r.Verdict)),
		bitbucket.Number("Findings", len(r.Findings)),
		bitbucket.Number("Old, not counted", r.Old),
		bitbucket.Number("Suppressions added", len(r.Suppressions)+len(r.Loosened)),
		bitbucket.Duration("Time", time.Duration(r.Seconds*float64(time.Second))),
	}
	return report
}
