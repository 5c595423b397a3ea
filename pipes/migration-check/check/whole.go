package check

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// whole judges the sum of the change.
func (c *check) whole(ctx context.Context) error {
	if c.atHead == nil || c.broken {
		c.notJudged("whether the old release can run on the new schema: the migrations do not apply")
		return nil
	}
	c.result.After = c.atHead.Fingerprint()
	if c.fromNothing != nil {
		for _, change := range schema.Compare(c.atHead, c.fromNothing) {
			file, line := rule.Place(c.migrated, change)
			c.add(rule.Find("D07").Finding(file, line, "Coming from nothing instead of the base: %s", change))
		}
	}
	incompatible := rule.Compatible(c.atBase, c.atHead, c.migrated)
	c.findings = append(c.findings, incompatible...)
	c.contract(incompatible)
	if len(c.new) > 0 && c.program == nil && !c.raced {
		return c.twoRunners(ctx)
	}
	return nil
}

// contract is I12: a step that takes something away, together with code.
func (c *check) contract(incompatible []finding.Finding) {
	for _, f := range incompatible {
		if !slices.Contains([]string{"M101", "M102", "M103"}, f.Rule) {
			continue
		}
		for _, file := range c.changes.Files {
			if !c.isMigration(file.Path) && isCode(file.Path) {
				c.add(rule.Find("I12").Finding(f.File, f.Line, "This takes something away in the same change that edits code, such as %s.", file.Path))
				return
			}
		}
	}
}

// isMigration tells the files that are or may be migrations.
func (c *check) isMigration(name string) bool {
	if c.program == nil {
		return strings.HasPrefix(name, c.head.Path+"/")
	}
	return slices.ContainsFunc(c.program.listing.Migrations, func(m tool.Listed) bool { return m.File == name })
}

// isCode tells a program's source from documents and settings, by its name.
func isCode(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".go", ".py", ".rb", ".js", ".ts", ".tsx", ".jsx", ".java", ".kt", ".cs", ".php", ".rs", ".ex", ".exs", ".scala", ".clj":
		return true
	}
	return false
}
