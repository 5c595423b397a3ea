package linter

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"bitbucket.org/fearless/pipes/pipes/lint-gate/format"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// command is a linter that the user describes.
type command struct {
	arguments []string
	format    format.Format
}

// Exit codes of shells and of env for commands that did not run.
const (
	notExecutable = 126
	notFound      = 127
)

// runCommand runs a command of which only the format is known. Exit codes mean
// different things to different tools, so a non-zero one must come with at least
// one finding: a tool that broke is not one that found nothing.
func (r *run) runCommand(ctx context.Context) error {
	c := r.linter.command
	end, err := r.child(ctx, r.Dir, r.environ(r.linter.program), r.linter.program, c.arguments...)
	if err != nil {
		return err
	}
	if end.code == notExecutable || end.code == notFound {
		return r.broke(end)
	}
	_, err = r.read(c.format, end.stdout, r.Dir)
	if err != nil {
		if end.code != 0 && len(end.stderr) > 0 {
			return r.broke(end)
		}
		return err
	}
	if end.code != 0 && !slices.ContainsFunc(r.outcome.Findings, r.placed) {
		return r.broke(end)
	}
	r.say(end)
	r.outcome.Checked = append(r.outcome.Checked, "what its command names")
	return nil
}

// placed tells a finding from a line that only looks like one, such as the time
// of a message: its file is there.
func (r *run) placed(f finding.Finding) bool {
	if f.File == "" {
		return true
	}
	_, err := os.Stat(filepath.Join(r.Dir, filepath.FromSlash(f.File)))
	return err == nil
}

// read takes the findings of a report, which relative paths belong to dir. The
// number tells how many there are, wherever they are.
func (r *run) read(f format.Format, name, dir string) (int, error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, exit.Unablef("the output of %s is gone: %w", r.linter.Name, err)
	}
	defer file.Close()
	report, err := f.Read(file, format.Options{Name: "the output of " + r.label(), Tool: r.linter.Name, Root: r.Dir, Dir: dir})
	if err != nil {
		return 0, err
	}
	if report.Broken != "" {
		return 0, exit.Unablef("%s could not do its work: %s", r.label(), report.Broken).
			Hint("run " + r.linter.Name + " in the clone and look at its own output")
	}
	r.outside += report.Outside
	r.suppressed += report.Suppressed
	r.outcome.Findings = append(r.outcome.Findings, report.Findings...)
	return len(report.Findings) + report.Outside, nil
}
