package gate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/pipes/lint-gate/format"
	"bitbucket.org/fearless/pipes/pipes/lint-gate/linter"
	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
	"bitbucket.org/fearless/pipes/shared/history"
	"bitbucket.org/fearless/pipes/shared/install"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// Run does what the settings ask for.
func Run(ctx context.Context, rt *pipe.Runtime, s Settings) (pipe.Result, error) {
	if s.Action == ActionInstall {
		return install.Run(rt, Name, s.With, "LINT_INSTALLED")
	}
	g := &gate{rt: rt, s: &s}
	reports, err := g.open(ctx)
	if err != nil {
		return nil, err
	}
	g.begin(ctx)
	r := &Result{
		Scope: s.Scope, Head: g.repo.Head, FailOn: s.failOn(),
		Linters: []Ran{}, Findings: []finding.Finding{}, Suppressions: []Suppression{}, Loosened: []Loosening{}, // never null in JSON
	}
	g.judge(ctx, r, reports)
	err = g.conclude(r)
	g.tell(ctx, r)
	return r, err
}

// gate is one run of the pipe.
type gate struct {
	rt       *pipe.Runtime
	s        *Settings
	repo     *history.Repository
	linters  []linter.Linter
	reporter *bitbucket.Reporter

	base    history.Base
	changes *history.Changes // nil when nothing is known about the base
	tree    string           // the base's work tree, once there is one

	trouble []error // what should have looked and could not
}

// open finds the clone, the linters and the reports: all that is a matter of settings.
func (g *gate) open(ctx context.Context) (reports []format.Source, err error) {
	if g.repo, err = history.Open(ctx, g.rt.CloneDir(), g.rt.World.Environ); err != nil {
		return nil, err
	}
	for _, entry := range g.s.Reports {
		source, err := format.ParseReport(entry)
		if err != nil {
			return nil, err
		}
		reports = append(reports, source)
	}
	// Who has reports and names no linter wants the reports, and golangci-lint only where
	// there is Go.
	if g.linters, err = linter.Detect(g.repo.Dir, g.s.Linters, exec.LookPath); err != nil {
		return nil, err
	}
	if len(g.linters)+len(reports) == 0 {
		return nil, exit.Invalidf("there is nothing to check: the clone has no go.mod, and neither LINTERS nor REPORTS is set").
			Hint("name the linters of the project, for example LINTERS: 'ruff, mypy'")
	}
	return reports, nil
}

// judge fills the result. What could not look is trouble; the others look all the same.
func (g *gate) judge(ctx context.Context, r *Result, reports []format.Source) {
	if err := g.past(ctx); err != nil {
		g.trouble = append(g.trouble, err)
		return
	}
	r.Base = g.base.Commit
	if g.s.Scope != ScopeAll && g.changes.Empty() {
		r.Reason = "nothing has changed since " + g.base.Why
		return
	}
	g.rt.Console.Heading("Check the change")
	for _, l := range g.linters {
		g.lint(ctx, r, l)
	}
	for _, source := range reports {
		g.read(r, source)
	}
	g.standards(ctx, r)
	finding.Sort(r.Findings)
	r.Below = len(r.Findings) - len(r.failing())
}

// past finds out what the change is. With SCOPE all the findings do not depend on that;
// then it is only said when it is not known.
func (g *gate) past(ctx context.Context) error {
	base, err := g.repo.Base(ctx, g.s.want())
	if err == nil {
		g.base = base
		g.changes, err = g.repo.Changes(ctx, base.Commit, "")
	}
	if err != nil && g.s.Scope == ScopeAll && g.s.Suppressions == SuppressionsReport && ctx.Err() == nil {
		g.changes = nil
		g.rt.Console.Warn("what this change suppresses is not known: %v", err)
		return nil
	}
	if err != nil {
		return err
	}
	g.rt.Console.Info("Compared with %s: %s", base.Why, files(len(g.changes.Files)))
	return nil
}

func files(n int) string {
	if n == 1 {
		return "1 file differs"
	}
	return fmt.Sprintf("%d files differ", n)
}

// lint runs a linter on the change, and on the base when it has found something that may
// have been there.
func (g *gate) lint(ctx context.Context, r *Result, l linter.Linter) {
	if ctx.Err() != nil {
		return
	}
	outcome, err := g.ran(ctx, l, g.repo.Dir)
	ran := Ran{
		Name: l.Name, Checked: outcome.Checked, Skipped: outcome.Skipped, Found: len(outcome.Findings),
		Seconds: outcome.Took.Seconds(), Peak: outcome.Peak,
	}
	defer func() { r.Linters = append(r.Linters, ran) }()
	if err != nil {
		g.trouble = append(g.trouble, err)
	}
	for _, why := range outcome.Skipped {
		g.rt.Console.Warn("%s skipped %s", l.Name, why)
	}
	counted, old := outcome.Findings, []finding.Finding(nil)
	switch {
	case g.s.Scope == ScopeChangedLines:
		counted, old = onChangedLines(outcome.Findings, g.changes)
	case g.s.Scope == ScopeNew && len(outcome.Findings) > 0 && !g.base.First && err == nil:
		ran.Base = true
		before, err := g.onBase(ctx, l)
		if err != nil {
			g.trouble = append(g.trouble, err)
		}
		counted, old = caused(outcome.Findings, before, g.changes)
	}
	r.Findings = append(r.Findings, counted...)
	r.Old += len(old)
	g.rt.Console.Info("%s: %s in %.1f s; %s found%s", l.Name, things(ran), ran.Seconds, finding.Counted(outcome.Findings), ofThem(len(old)))
}

func ofThem(old int) string {
	if old == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them old", old)
}

// ran runs a linter in the clone or in the work tree of its base. It adds to each finding
// the line it is about, from the files that the linter saw.
func (g *gate) ran(ctx context.Context, l linter.Linter, dir string) (linter.Outcome, error) {
	job := linter.Job{Dir: dir, Environ: history.Environ(g.rt.World.Environ), Cache: g.cache(), Memory: int64(g.s.Memory), Log: g.rt.Console}
	if dir != g.repo.Dir {
		job.Clone = g.repo.Dir
	}
	outcome, err := l.Run(ctx, job)
	quote(dir, outcome.Findings)
	return outcome, err
}

// cache is the folder for what linters keep. A container of a pipe is gone with what it
// kept, but for the clone; elsewhere linters have places of their own.
func (g *gate) cache() string {
	folder := g.s.Cache
	if folder == "" && (g.s.Bitbucket.Storage != "" || g.s.Bitbucket.SharedStorage != "") {
		folder = ".fearless/cache"
	}
	if folder == "" {
		return ""
	}
	return filepath.Join(g.repo.Dir, filepath.FromSlash(folder))
}

// read takes a report that was written before. Nobody can write one of the base now, so
// its findings are compared by lines.
func (g *gate) read(r *Result, source format.Source) {
	started := time.Now()
	report, err := source.Read(g.repo.Dir)
	if err != nil {
		g.trouble = append(g.trouble, err)
		return
	}
	quote(g.repo.Dir, report.Findings)
	counted, old := report.Findings, []finding.Finding(nil)
	how := ""
	if g.s.Scope != ScopeAll {
		counted, old = onChangedLines(report.Findings, g.changes)
		how = "; a report is compared by changed lines"
	}
	ran := Ran{Name: source.String(), Report: true, Found: len(report.Findings), Seconds: time.Since(started).Seconds()}
	if report.Outside > 0 {
		ran.Skipped = append(ran.Skipped, fmt.Sprintf("%d findings outside of the clone", report.Outside))
		g.rt.Console.Warn("%s: %d findings are about files outside of the clone and are left out", source, report.Outside)
	}
	r.Linters = append(r.Linters, ran)
	r.Findings = append(r.Findings, counted...)
	r.Old += len(old)
	g.rt.Console.Info("%s: %s found%s%s", source, finding.Counted(report.Findings), ofThem(len(old)), how)
}

// standards finds what the change does to the rules themselves.
func (g *gate) standards(ctx context.Context, r *Result) {
	if g.changes == nil {
		return
	}
	r.Suppressions = append(r.Suppressions, suppressed(g.changes.Files, g.now)...)
	for _, f := range g.changes.Files {
		before, now, err := g.configurations(ctx, f)
		if err != nil {
			g.trouble = append(g.trouble, err)
			continue
		}
		if before != nil || now != nil {
			r.Loosened = append(r.Loosened, loosened(f.Path, before, now)...)
		}
	}
	if g.s.Suppressions != SuppressionsFail {
		return
	}
	for _, s := range r.Suppressions {
		r.Findings = append(r.Findings, finding.Finding{
			Tool: Name, Rule: "suppression", Severity: finding.Error, File: s.File, Line: s.Line,
			Message: "the change silences a linter: " + s.Text,
			Detail:  "SUPPRESSIONS is fail. Mend what the linter says, or let the suppression be added by a change that is about it.",
		})
	}
	for _, l := range r.Loosened {
		r.Findings = append(r.Findings, finding.Finding{
			Tool: Name, Rule: "configuration", Severity: finding.Error, File: l.File, Message: "the change makes the linters milder: " + l.What,
			Detail: "SUPPRESSIONS is fail. Let standards be changed by a change that is about them.",
		})
	}
	quote(g.repo.Dir, r.Findings)
}

// configurations are the contents of a configuration of golangci-lint before and after the
// change. One that was not there says the same as an empty one; both are nil for other files.
func (g *gate) configurations(ctx context.Context, f history.File) (before, now []byte, err error) {
	was, is := isGolangciConfig(f.Old), f.Status != history.Deleted && isGolangciConfig(f.Path)
	if !was && !is {
		return nil, nil, nil
	}
	before, now = []byte{}, []byte{}
	if was {
		if before, err = g.repo.File(ctx, g.base.Commit, f.Old); err != nil {
			return nil, nil, err
		}
	}
	if is {
		if now, err = g.now(f.Path); errors.Is(err, fs.ErrNotExist) {
			return before, []byte{}, nil
		}
	}
	return before, now, err
}

// now reads a file of the work tree, which may be a link but not one that leads out of it.
func (g *gate) now(name string) ([]byte, error) {
	root, err := os.OpenRoot(g.repo.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return root.ReadFile(filepath.FromSlash(name))
}

// largestSource is the largest file whose lines are shown and compared; what is larger was
// not written by people.
const largestSource = 16 << 20

// quote adds to findings the text of their line. A line that cannot be read has none.
func quote(dir string, all []finding.Finding) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer func() { _ = root.Close() }()
	files := map[string][]string{}
	for i := range all {
		f := &all[i]
		if f.Line <= 0 || !filepath.IsLocal(filepath.FromSlash(f.File)) {
			continue
		}
		lines, read := files[f.File]
		if !read {
			name := filepath.FromSlash(path.Clean(f.File))
			if info, err := root.Stat(name); err == nil && info.Mode().IsRegular() && info.Size() <= largestSource {
				content, _ := root.ReadFile(name)
				lines = strings.Split(string(content), "\n")
			}
			files[f.File] = lines
		}
		if f.Line <= len(lines) {
			f.Source = strings.TrimRight(lines[f.Line-1], "\r")
		}
	}
}
