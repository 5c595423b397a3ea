package check

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rows"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// prepareBack sees to a database in the state before the migration, on which the way back
// is tried. The one of the migration before serves again when that left it as the state
// is: copying a large schema takes longer than a migration. The last one is taken back in
// the state itself, which nobody needs after it, unless its trace needs a copy anyhow.
func (a *attempt) prepareBack(ctx context.Context) error {
	if a.spare != nil || !a.migration.Down.Exists() || a.program != nil || a.last && a.undoable() {
		return nil
	}
	var err error
	a.spareAt = a.before
	a.spare, err = a.server.Clone(ctx, "down", a.state)
	return err
}

// ahead lets the trace apply the migration to the spare database. What failed there may
// have left half of it.
func (a *attempt) ahead(ctx context.Context, _ string, use func(*server.Database) error) error {
	if err := use(a.spare); err != nil {
		return err
	}
	if a.applied = a.trace.Failed == nil; a.applied {
		return nil
	}
	return a.dropSpare(ctx)
}

func (c *check) dropSpare(ctx context.Context) error {
	if c.spare == nil {
		return nil
	}
	d := c.spare
	c.spare = nil
	return c.server.Drop(ctx, d)
}

// back takes the migration back in the spare database, and applies it again: D03 to D06.
func (a *attempt) back(ctx context.Context) error {
	if a.spare == nil && a.program == nil {
		a.spent = true
		_, err := a.downAndUp(ctx, a.state)
		return err
	}
	if err := a.upInSpare(ctx); err != nil {
		return err
	}
	same, err := a.downAndUp(ctx, a.spare)
	if err != nil || same && a.program == nil {
		return err
	}
	return a.dropSpare(ctx)
}

// upInSpare applies the migration there, unless the trace has, which the tool is told. To
// start a program takes longer than to copy the state, in which it is applied.
func (a *attempt) upInSpare(ctx context.Context) error {
	if a.program != nil {
		var err error
		a.spare, err = a.server.Clone(ctx, "down", a.state)
		return err
	}
	if recording, ok := a.tool.(tool.Recording); ok && a.applied {
		return recording.Record(ctx, a.spare, a.folder)
	}
	failed, err := a.failure(a.tool.Step(ctx, a.spare, a.folder, tool.Up))
	if err == nil && failed != nil {
		err = exit.Unablef("%s: it was applied to one database, and not to a copy of it: %w", a.file, failed)
	}
	return err
}

// down takes the migration back, and measures it.
func (a *attempt) down(ctx context.Context, d *server.Database) (*tool.Failure, error) {
	began := time.Now()
	var took time.Duration
	var err error
	if a.program != nil {
		took, err = a.program.tool.Timed(ctx, d, a.folder, tool.Down)
	} else {
		err = a.tool.Step(ctx, d, a.folder, tool.Down)
		took = time.Since(began)
	}
	a.measured.Down = milliseconds(took)
	return a.failure(err)
}

// downAndUp tells whether the database is afterwards what it was before.
func (a *attempt) downAndUp(ctx context.Context, d *server.Database) (same bool, err error) {
	down := a.head.InClone(a.migration.Down.File)
	failed, err := a.down(ctx, d)
	if err != nil {
		return false, err
	}
	if failed != nil {
		line, err := a.downLine(ctx, failed)
		if err != nil {
			return false, err
		}
		if strings.Contains(failed.Err.Error(), "IrreversibleMigration") { // Rails says so only when it is tried
			a.add(rule.Find("I07").Finding(down, line, "%s cannot be taken back: %v", a.migration.Version, failed.Err))
			a.notJudged("the way back from " + a.migration.Name() + ": it has none")
			return false, nil
		}
		a.add(rule.Find("D03").Finding(down, line, "%s fails: %v", a.wayBack(), failed.Err))
		return false, nil
	}
	undone, err := a.snapshot(ctx, d)
	if err != nil {
		return false, err
	}
	left := slices.DeleteFunc(schema.Compare(a.before, undone), validated)
	if err := a.notRestored(ctx, down, left); err != nil {
		return false, err
	}
	now, err := a.contents(ctx, d, nil)
	if err != nil {
		return false, err
	}
	losses := rows.Compare(a.rows, now, nil, a.written())
	for _, loss := range losses {
		line := 0
		if down == a.file { // there and back are in one file
			line = a.lineOf(loss)
		}
		a.add(rule.Find("D06").Finding(down, line, "After up and down: %s.", loss.Text))
	}
	restored, err := a.again(ctx, d, down, left)
	// Rows that the migration itself has written are there twice now, or not any more.
	return restored && len(left) == 0 && len(losses) == 0 && !a.writes(), err
}

// writes tells a migration that changes rows, or takes columns and tables away with them.
func (a *attempt) writes() bool {
	for _, s := range a.trace.Steps {
		if len(s.Rows) > 0 || slices.ContainsFunc(s.Changes, func(c schema.Change) bool { return c.Op == schema.Dropped }) {
			return true
		}
	}
	return false
}

// again is D05; true is that the schema is the same as after the first up. What the down has
// left otherwise has been said.
func (a *attempt) again(ctx context.Context, d *server.Database, down string, left []schema.Change) (same bool, err error) {
	failed, err := a.failure(a.tool.Step(ctx, d, a.folder, tool.Up))
	if err != nil {
		return false, err
	}
	if failed != nil {
		a.add(rule.Find("D05").Finding(down, 0, "%s cannot be applied again after %s: %v", a.called(), a.itsDown(), failed.Err))
		return false, nil
	}
	redone, err := a.snapshot(ctx, d)
	if err != nil {
		return false, err
	}
	a.spareAt = redone
	differs := schema.Compare(a.after, redone)
	for _, c := range unsaid(differs, left) {
		a.add(rule.Find("D05").Finding(down, 0, "%s applied again after %s leads elsewhere: %s", a.called(), a.itsDown(), c))
	}
	return len(differs) == 0, nil
}

// unsaid leaves out the differences that were there after the down already.
func unsaid(differs, left []schema.Change) []schema.Change {
	return slices.DeleteFunc(slices.Clone(differs), func(d schema.Change) bool {
		return slices.ContainsFunc(left, func(l schema.Change) bool { return l.Op == d.Op && l.Object().Key() == d.Object().Key() })
	})
}

// traceDown runs the down statement by statement, to know which one does what.
func (a *attempt) traceDown(ctx context.Context) (*trace.Trace, error) {
	var t *trace.Trace
	in := a.clone
	if a.spent {
		in = a.anew
	}
	err := in(ctx, "downtrace", func(d *server.Database) error {
		var err error
		t, err = a.observation(ctx, d, tool.Down, trace.Options{Ignore: a.tool.Bookkeeping()})
		return err
	})
	return t, err
}

// anew makes what the state was after the migration once more, from nothing: for what
// only a finding needs, when the state is not what it was.
func (a *attempt) anew(ctx context.Context, purpose string, use func(*server.Database) error) error {
	d, err := a.atBaseAnew(ctx, purpose)
	if err != nil {
		return err
	}
	if err := a.upAgain(ctx, d, a.folder); err != nil {
		return err
	}
	return use(d)
}

// atBaseAnew makes another database at the base, with the rows that are to be in it now.
func (a *attempt) atBaseAnew(ctx context.Context, purpose string) (*server.Database, error) {
	d, err := a.server.Create(ctx, purpose)
	if err != nil {
		return nil, err
	}
	if err := a.upAgain(ctx, d, a.check.before); err != nil {
		return nil, err
	}
	_, err = a.fill(ctx, d)
	return d, err
}

// upAgain applies what was applied before, elsewhere.
func (a *attempt) upAgain(ctx context.Context, d *server.Database, f *folder.Folder) error {
	failed, err := a.failure(a.tool.Up(ctx, d, f))
	if err == nil && failed != nil {
		err = exit.Unablef("%s: it was applied to one database, and not to another like it: %w", a.file, failed)
	}
	return err
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
		f := rule.Find("D04").Finding(file, line, "After up and down: %s.", c)
		if moreValues(c) {
			f.Severity = finding.Warning
			f.Detail = "PostgreSQL cannot drop a value of an enum, and one that nobody writes does no harm.\nAccept the finding; ADD VALUE IF NOT EXISTS can be applied again."
		}
		if notValidated(c) {
			f.Severity = finding.Warning
			f.Detail = "It holds for every row that is written from then on; those that are there are not looked at.\nVALIDATE CONSTRAINT does that without blocking anybody."
		}
		a.add(f)
	}
	return nil
}

// validated tells a constraint that was not valid before: that its rows have been checked
// is nothing that anybody would take back.
func validated(c schema.Change) bool {
	return c.Op == schema.Changed && c.Kind() == "constraint" && c.Before.Definition == c.After.Definition+" NOT VALID"
}

// notValidated tells a constraint that is there again, but does not vouch for old rows.
func notValidated(c schema.Change) bool {
	return c.Op == schema.Changed && c.Kind() == "constraint" && c.After.Definition == c.Before.Definition+" NOT VALID"
}

// moreValues tells an enum that has all of its values still, in their order, and others.
func moreValues(c schema.Change) bool {
	if c.Op != schema.Changed || c.Kind() != "enum" {
		return false
	}
	old := slices.DeleteFunc(slices.Clone(c.After.Facts.Labels), func(label string) bool { return !slices.Contains(c.Before.Facts.Labels, label) })
	return slices.Equal(old, c.Before.Facts.Labels)
}

// deadlock finds a new migration for which two runs at once are known to end badly.
func (c *check) deadlock() (folder.Migration, bool) {
	for _, m := range c.new {
		if c.program == nil && concurrently(m.Up.Text) {
			return m, true
		}
	}
	return folder.Migration{}, false
}

// twoRunners is D09, on the base's schema without rows.
func (c *check) twoRunners(ctx context.Context) error {
	if m, ends := c.deadlock(); ends {
		whose, detail := c.tool.Name()+"'s lock", "This is a limit of "+c.tool.Name()+", not of the migration."
		if c.head.Format.Name != folder.GolangMigrate.Name { // a folder of plain SQL
			whose, detail = "the lock of the tool", "This is a limit of tools that keep a lock in the database, as most do, not of the migration."
		}
		f := rule.Find("D09").Finding(c.head.InClone(m.Up.File), 0, "Two runs at once would end in a deadlock: CONCURRENTLY waits for the other run, which waits for %s.", whose)
		f.Severity = finding.Info
		f.Detail = detail + "\nLet only one run migrate at a time."
		c.add(f)
		return nil
	}
	d, err := c.server.Create(ctx, "two")
	if err != nil {
		return err
	}
	if _, err := c.failure(c.tool.Up(ctx, d, c.before)); err != nil {
		return err
	}
	won, lost, wrong := c.twoRuns(ctx, d)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if wrong == nil && won == 1 && lost == 1 {
		return nil
	}
	var failed *tool.Failure
	if wrong != nil && !errors.As(wrong, &failed) {
		return wrong // nothing that a migration did
	}
	c.add(rule.Find("D09").Finding("", 0, "Of two runs at once %d applied the migrations, and the other answered: %v", won, wrong))
	return nil
}

// twoRuns applies what is pending by two runs at once: one should, and the other find
// nothing to do.
func (c *check) twoRuns(ctx context.Context, d *server.Database) (won, lost int, wrong error) {
	answers := make(chan error, 2)
	for range 2 {
		go func() { answers <- c.tool.Up(ctx, d, c.head) }()
	}
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
	return won, lost, wrong
}
