package check

import (
	"context"
	"errors"
	"time"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rows"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// back takes the migration back in a clone and applies it again: D03 to D06.
func (a *attempt) back(ctx context.Context) error {
	return a.clone(ctx, "down", func(d *server.Database) error {
		down := a.head.InClone(a.migration.Down.File)
		began := time.Now()
		failed, err := a.failure(a.tool.Step(ctx, d, a.folder, tool.Down))
		a.measured.Down = milliseconds(time.Since(began))
		if err != nil {
			return err
		}
		if failed != nil {
			line, err := a.downLine(ctx, failed)
			if err != nil {
				return err
			}
			a.add(rule.Find("D03").Finding(down, line, "The down migration of version %s fails: %v", a.migration.Version, failed.Err))
			return nil
		}
		undone, err := a.snapshot(ctx, d)
		if err != nil {
			return err
		}
		if err := a.notRestored(ctx, down, schema.Compare(a.before, undone)); err != nil {
			return err
		}
		now, err := a.contents(ctx, d, nil)
		if err != nil {
			return err
		}
		for _, loss := range rows.Compare(a.rows, now, nil, a.written()) {
			a.add(rule.Find("D06").Finding(down, 0, "After up and down: %s.", loss.Text))
		}
		return a.again(ctx, d, down)
	})
}

// again is D05.
func (a *attempt) again(ctx context.Context, d *server.Database, down string) error {
	failed, err := a.failure(a.tool.Step(ctx, d, a.folder, tool.Up))
	if err != nil {
		return err
	}
	if failed != nil {
		a.add(rule.Find("D05").Finding(down, 0, "Version %s cannot be applied again after its down: %v", a.migration.Version, failed.Err))
		return nil
	}
	redone, err := a.snapshot(ctx, d)
	if err != nil {
		return err
	}
	for _, c := range schema.Compare(a.after, redone) {
		a.add(rule.Find("D05").Finding(down, 0, "Version %s applied again after its down leads elsewhere: %s", a.migration.Version, c))
	}
	return nil
}

// traceDown runs the down statement by statement, to know which one does what.
func (a *attempt) traceDown(ctx context.Context) (*trace.Trace, error) {
	var t *trace.Trace
	err := a.clone(ctx, "downtrace", func(d *server.Database) error {
		var err error
		t, err = trace.Run(ctx, d, a.migration.Down.Text, trace.Options{Ignore: a.tool.Bookkeeping()})
		return err
	})
	return t, err
}

func (a *attempt) downLine(ctx context.Context, failed *tool.Failure) (int, error) {
	if line := a.line(failed); line > 0 {
		return line, nil
	}
	t, err := a.traceDown(ctx)
	if err != nil || t.Failed == nil {
		return 0, err
	}
	return t.Failed.Line, nil
}

// notRestored is D04. What the down takes away too much, or changes, is on its own line;
// what it leaves behind on the line of the up that made it.
func (a *attempt) notRestored(ctx context.Context, down string, left []schema.Change) error {
	if len(left) == 0 {
		return nil
	}
	t, err := a.traceDown(ctx)
	if err != nil {
		return err
	}
	for _, c := range left {
		file, line := rule.Made([]rule.Migrated{{File: down, Trace: t}}, c)
		if file == "" {
			file, line = rule.Place([]rule.Migrated{{File: a.file, Trace: a.trace}}, c)
		}
		if file == "" {
			file = down
		}
		a.add(rule.Find("D04").Finding(file, line, "After up and down: %s.", c))
	}
	return nil
}

// deadlocks reports the new migrations for which two runs at once are known to end badly.
func (c *check) deadlocks() bool {
	for _, m := range c.new {
		if c.tool.Name() == folder.GolangMigrate.Name && concurrently(m.Up.Text) {
			f := rule.Find("D09").Finding(c.head.InClone(m.Up.File), 0, "Two runs at once would end in a deadlock: CONCURRENTLY waits for the other run, which waits for golang-migrate's lock.")
			f.Severity = finding.Info
			f.Detail = "This is a limit of golang-migrate, not of the migration.\nLet only one run migrate at a time."
			c.add(f)
			return true
		}
	}
	return false
}

// twoRunners is D09, on the base's schema without rows.
func (c *check) twoRunners(ctx context.Context) error {
	if c.deadlocks() {
		return nil
	}
	answers := make(chan error, 2)
	for range 2 {
		go func() { answers <- c.tool.Up(ctx, c.two, c.head) }()
	}
	var won, lost int
	var wrong error
	for range 2 {
		switch err := <-answers; {
		case err == nil:
			won++
		case errors.Is(err, tool.ErrNothing):
			lost++
		default:
			wrong = errors.Join(wrong, err)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if wrong == nil && won == 1 && lost == 1 {
		return c.server.Drop(ctx, c.two)
	}
	var failed *tool.Failure
	if wrong != nil && !errors.As(wrong, &failed) {
		return wrong // nothing that a migration did
	}
	c.add(rule.Find("D09").Finding("", 0, "Of two runs at once %d applied the migrations, and the other answered: %v", won, wrong))
	return c.server.Drop(ctx, c.two)
}
