package check

import (
	"context"
	"io"
	"maps"
	"slices"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/outputs"
)

// programWanted asks the tool whether the code wants another schema.
func (c *check) programWanted(ctx context.Context) error {
	if c.fromNothing == nil {
		c.notJudged("whether a migration is missing: those that are there do not apply")
		return nil
	}
	missing, err := c.program.tool.Missing(ctx, c.fresh, c.program.root)
	if err != nil {
		return err
	}
	switch {
	case missing == nil:
		return c.guessed(ctx)
	case missing.Text == "":
		c.rt.Console.Success("%s finds no migration missing", c.tool.Name())
		return nil
	}
	old := c.oldMissing(ctx)
	lines := missing.Lines
	if len(lines) == 0 {
		lines = []string{missing.Text}
	}
	isNew := false
	for i, line := range lines {
		id := "A01"
		if slices.Contains(old, line) {
			id = "A03"
		}
		isNew = isNew || id == "A01"
		f := rule.Find(id).Finding("", 0, "%s says that a migration is missing: %s", c.tool.Name(), line)
		if i < len(missing.At) { // a file that the tool writes, and which may be behind, or ahead
			f.Message = line
			f.File, f.Line = missing.At[i].File, missing.At[i].Line
		}
		c.add(f)
	}
	if isNew {
		c.keepProposals(missing.Files)
	}
	return nil
}

// oldMissing is what was missing at the base already.
func (c *check) oldMissing(ctx context.Context) []string {
	if c.program.old == "" || c.atBase == nil {
		return nil
	}
	d, err := c.server.Create(ctx, "old")
	if err == nil {
		_, err = c.failure(c.tool.Up(ctx, d, c.before))
	}
	var was *tool.Missing
	if err == nil {
		was, err = c.program.tool.Missing(ctx, d, c.program.old)
	}
	if err != nil {
		c.notJudged("whether the same was missing at the base: " + firstLine(err.Error()))
		return nil
	}
	return append(was.Lines, was.Text)
}

// keepProposals writes the files that the tool proposes.
func (c *check) keepProposals(files map[string]string) {
	place := outputs.Place{Dir: c.repo.Dir}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		written, err := place.File(proposals+name, 0o644, func(w io.Writer) error {
			_, err := io.WriteString(w, files[name])
			return err
		})
		if err != nil {
			c.rt.Console.Warn("the proposal could not be written: %v", err)
			return
		}
		c.result.Proposal = append(c.result.Proposal, written)
		c.rt.Console.Output(written, files[name])
	}
}
