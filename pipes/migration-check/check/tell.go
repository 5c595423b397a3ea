package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
	"bitbucket.org/fearless/pipes/shared/outputs"
)

// The reports below .fearless. Bitbucket lists what it finds in a folder test-results
// among the tests of the step.
const (
	sarifFile = "migration-check.sarif"
	junitFile = "test-results/migration-check.xml"
)

// begin tells Bitbucket that the check is running.
func (c *check) begin(ctx context.Context) {
	options := bitbucket.Options{
		Commit: c.repo.Reported(ctx, c.s.Commit), Transport: c.rt.World.Transport, Mask: c.rt.Console.Masker(),
	}
	c.reporter = bitbucket.NewReporter(c.s.Bitbucket, options, c.rt.Console)
	c.reporter.Begin(ctx, bitbucket.Report{ID: Name, Title: "Migration check", Reporter: Name, FailOn: finding.Error})
}

// conclude gives the verdict and prints it with what it rests on.
func (c *check) conclude() error {
	r := c.result
	c.sameFailure()
	r.Findings, r.Accepted = c.accept()
	finding.Sort(r.Findings)
	r.fill()
	r.quote(c.repo.Dir)
	var fails bool
	r.Verdict, fails = judge(r.Findings, c.s.FailOn, c.trouble)
	r.Seconds = time.Since(c.rt.Started).Seconds()
	r.CutOff = bitbucket.CutOff(len(r.Findings))
	c.oldRelease()
	c.say()
	c.write()
	switch {
	case r.Verdict == Error:
		err := errors.Join(c.trouble...)
		r.Reason = err.Error()
		return fmt.Errorf("the check cannot judge this change: %w", unable(err))
	case fails:
		return exit.Refusedf("the verdict is %s: %s", r.Verdict, finding.Counted(r.Findings)).
			Hint("Each finding says what to do. One that is meant to be is accepted by a comment at its statement: " + c.acceptance())
	}
	return nil
}

// unable keeps the code of settings that are wrong; all else that kept us from judging is
// not the change's fault.
func unable(err error) error {
	if code := exit.CodeOf(err); code == exit.Invalid || code == exit.Unable {
		return err
	}
	return exit.Unablef("%w", err)
}

// accept takes out what comments in new migrations answer for.
func (c *check) accept() ([]finding.Finding, []rule.Accepted) {
	comments := rule.Acceptances{Dialect: c.s.dialect()}
	if c.program != nil {
		if c.program.listing != nil {
			c.own()
			c.acceptances(&comments)
		}
		return comments.Apply(c.findings)
	}
	for _, m := range c.new {
		comments.Read(c.head.InClone(m.Up.File), m.Up.Text, time.Now().UTC())
		if m.Down.Exists() { // in one file with the up or not
			comments.Read(c.head.InClone(m.Down.File), m.Down.Text, time.Now().UTC())
		}
	}
	return comments.Apply(c.findings)
}

// oldRelease answers whether the release before can run on the new schema. What was
// accepted does not change that.
func (c *check) oldRelease() {
	if len(c.trouble) > 0 || c.atHead == nil || c.broken {
		return
	}
	runs := true
	for _, f := range c.findings {
		if strings.HasPrefix(f.Rule, "M1") && f.Severity == finding.Error {
			runs = false
		}
	}
	c.result.OldReleaseRuns = &runs
}

// say prints the table, the findings and the counts.
func (c *check) say() {
	r, log := c.result, c.rt.Console
	if len(r.Migrations) > 0 {
		log.Heading("New migrations")
		log.Plain("%s", table(r.Migrations))
	}
	if len(r.Findings) > 0 {
		log.Heading("Findings")
		finding.Print(log, r.Findings)
	}
	for _, a := range r.Accepted {
		log.Info("accepted: %s %s: %s", a.Finding.Rule, a.Finding.Place(), a.Reason)
	}
	for _, what := range r.NotJudged {
		log.Warn("not judged: %s", what)
	}
	log.Heading("Verdict: %s", r.Verdict)
	log.Info("%s, %d of them new; %s; %d accepted; %s not judged", count(r.Total, "migration"), r.New,
		"findings: "+finding.Counted(r.Findings).String(), len(r.Accepted), count(len(r.NotJudged), "thing"))
	if r.OldReleaseRuns != nil && len(r.Migrations) > 0 {
		if *r.OldReleaseRuns {
			log.Success("the old release can run on the new schema")
		} else {
			log.Fail("the old release cannot run on the new schema")
		}
	}
}

// table is a line per migration.
func table(all []Migration) string {
	lines := [][]string{{"migration", "up ms", "down ms", "strongest lock", "rewritten", "read whole", "rows before", "after"}}
	for _, m := range all {
		down := "none"
		if m.HasDown {
			down = fmt.Sprintf("%.0f", m.Down)
		}
		up := fmt.Sprintf("%.0f", m.Up)
		if m.Failed {
			up, down = "failed", "-"
		}
		lines = append(lines, []string{m.Name, up, down, dash(m.Lock), dash(strings.Join(m.Rewrites, " ")), dash(strings.Join(m.Scans, " ")),
			fmt.Sprint(m.RowsBefore), fmt.Sprint(m.RowsAfter)})
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		for i, cell := range line {
			fmt.Fprintf(&b, "  %s%s", cell, strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// write leaves the reports for other programs.
func (c *check) write() {
	place := outputs.Place{Dir: c.repo.Dir}
	info := finding.Tool{Name: Name, Version: c.rt.World.Version}
	var checked []string
	for _, m := range c.result.Migrations {
		checked = append(checked, m.File)
	}
	for name, write := range map[string]func(io.Writer) error{
		sarifFile: func(w io.Writer) error { return finding.SARIF(w, info, c.result.Findings) },
		junitFile: func(w io.Writer) error { return finding.JUnit(w, Name, c.result.Findings, checked) },
	} {
		if _, err := place.File(name, 0o644, write); err != nil {
			c.rt.Console.Warn("the report could not be written: %v", err)
		}
	}
}

// quote adds to findings the text of their line.
func (r *Result) quote(dir string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	files := map[string][]string{}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Line <= 0 || f.File == "" {
			continue
		}
		lines, read := files[f.File]
		if !read {
			text, _ := root.ReadFile(filepath.FromSlash(f.File)) // without it there is no line to show
			lines = strings.Split(string(text), "\n")
			files[f.File] = lines
		}
		if f.Line <= len(lines) {
			f.Source = strings.TrimRight(lines[f.Line-1], "\r")
		}
	}
}

// tell reports the result to Bitbucket.
func (c *check) tell(ctx context.Context) {
	r := c.result
	report := bitbucket.Report{
		ID: Name, Title: "Migration check", Reporter: Name, Passed: r.Verdict == Pass, Findings: r.Findings, FailOn: finding.Error,
		Details: r.Summary(),
		Data: []bitbucket.Datum{
			bitbucket.Text("Verdict", string(r.Verdict)),
			bitbucket.Number("New migrations", r.New),
			bitbucket.Number("Findings", len(r.Findings)),
			bitbucket.Number("Accepted", len(r.Accepted)),
			bitbucket.Number("Not judged", len(r.NotJudged)),
			bitbucket.Duration("Time", time.Duration(r.Seconds*float64(time.Second))),
		},
	}
	for _, what := range r.NotJudged {
		report.Details += "\nnot judged: " + what
	}
	c.reporter.Report(ctx, report)
}
