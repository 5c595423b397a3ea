package check

import (
	"context"
	"os"
	"path/filepath"

	"bitbucket.org/fearless/pipes/pipes/migration-check/engine"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// fromScratch is D01 and D08.
func (t *trial) fromScratch(ctx context.Context) error {
	var err error
	if t.fresh, err = t.server.Create(ctx, "fresh"); err != nil {
		return err
	}
	failed, err := t.failure(t.tool.Up(ctx, t.fresh, t.head))
	if err != nil {
		return err
	}
	if failed != nil {
		id := "D01"
		if _, merged := t.merged().Find(failed.Version); !merged && needsRights(failed) {
			id = "D10"
		}
		t.add(rule.Find(id).Finding(t.head.InClone(failed.File), 0, "On an empty database: %v", failed.Err))
		return nil
	}
	if failed, err = t.failure(t.tool.Up(ctx, t.fresh, t.head)); err != nil || failed != nil {
		t.add(rule.Find("D08").Finding("", 0, "The second run on the same database is not without effect: %v", errorOf(failed, err)))
	}
	t.fromNothing, err = t.snapshot(ctx, t.fresh)
	return err
}

// toBase applies what is merged, and puts rows in.
func (t *trial) toBase(ctx context.Context) error {
	var err error
	if t.state, err = t.server.Create(ctx, "state"); err != nil {
		return err
	}
	failed, err := t.failure(t.tool.Up(ctx, t.state, t.merged()))
	if err != nil {
		return err
	}
	if failed != nil {
		t.trouble = append(t.trouble, exit.Refusedf("the merged migrations do not apply, so the new ones cannot be tried on them: %w", failed))
		return nil
	}
	if t.atBase, err = t.snapshot(ctx, t.state); err != nil {
		return err
	}
	t.result.Before = t.atBase.Fingerprint()
	t.atHead = t.atBase
	if len(t.new) == 0 {
		return nil
	}
	return t.fill(ctx, t.state, true)
}

// fill puts rows into the base's tables.
func (t *trial) fill(ctx context.Context, d *engine.Database, say bool) error {
	if t.s.SeedFile != "" {
		text, err := os.ReadFile(filepath.Join(t.repo.Dir, filepath.FromSlash(t.s.SeedFile)))
		if err != nil {
			return exit.Invalidf("SEED_FILE: %w", err)
		}
		if line, err := d.Exec(ctx, string(text)); err != nil {
			return exit.Invalidf("SEED_FILE: %s:%d: %w", t.s.SeedFile, line, err).Hint("It is run on the schema of the base, not on that of the change.")
		}
		return nil
	}
	made, err := d.Generate(ctx, append(t.tool.Bookkeeping(), t.empty...), t.nulls)
	if err != nil {
		return exit.Unablef("%w", t.server.Explain(err))
	}
	t.unfilled = made.Bare
	if say {
		t.rt.Console.Info("%s in %s to try them on", count(made.Rows, "row"), count(made.Tables, "table"))
		for _, empty := range made.Empty {
			t.notJudged("rows of " + firstLine(empty))
		}
	}
	return nil
}

// at makes a database with the base's rows, brought to the n-th new migration.
func (t *trial) at(ctx context.Context, n int) (*engine.Database, error) {
	d, err := t.server.Create(ctx, "back")
	if err != nil {
		return nil, err
	}
	if _, err := t.failure(t.tool.Up(ctx, d, t.merged())); err != nil {
		return nil, err
	}
	if err := t.fill(ctx, d, false); err != nil {
		return nil, err
	}
	for i := range n {
		if failed, err := t.failure(t.tool.Step(ctx, d, t.until(i), tool.Up)); err != nil || failed != nil {
			return nil, exit.Unablef("a migration was applied to one database, and not to another like it: %w", errorOf(failed, err))
		}
	}
	return d, nil
}
