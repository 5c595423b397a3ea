package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rows"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// attempt is one new migration on the state before it.
type attempt struct {
	*check
	at        int            // among the new ones
	folder    *folder.Folder // as far as this migration
	migration folder.Migration
	file      string // of its up, in the clone
	measured  Migration

	before, after *schema.Snapshot
	trace         *trace.Trace
	rows          rows.Contents // of touched tables, before
	touched       []string
	last          bool          // nothing is tried on the state after it
	applied       bool          // in the spare database, by the trace
	spent         bool          // the state is what the way back has left
	refused       *tool.Failure // of a program that was watched
}

// try traces a migration, applies it through the tool, and takes it back and applies it
// again in another database.
func (c *check) try(ctx context.Context, m folder.Migration, at int) error {
	a := &attempt{check: c, at: at, migration: m, file: c.head.InClone(m.Up.File), before: c.atHead, folder: c.until(at), last: at == len(c.new)-1}
	a.measured = Migration{Name: m.Name(), File: a.file, HasDown: m.Down.Exists()}
	defer func() { c.result.Migrations = append(c.result.Migrations, a.measured) }()
	if !m.Up.Exists() {
		return nil // I08 has said it
	}
	if err := a.prepareBack(ctx); err != nil {
		return err
	}
	if err := a.observe(ctx); err != nil {
		return err
	}
	if err := a.up(ctx); err != nil || c.broken {
		return err
	}
	c.migrated = append(c.migrated, a.seen(a.trace))
	c.findings = append(c.findings, rule.Blocking(a.seen(a.trace), a.statements(), c.s.Large)...)
	c.atHead = a.after
	if a.trace != nil && a.trace.EndsItself {
		c.notJudged("what " + m.Name() + " locks, and which rows it changes: it commits by itself")
	}
	if m.Repeatable {
		if err := a.onceMore(ctx); err != nil {
			return err
		}
		return c.dropSpare(ctx)
	}
	if !m.Down.Exists() {
		c.notJudged("the way back from " + m.Name() + ": there is none")
		return c.dropSpare(ctx) // it is behind now
	}
	return a.back(ctx)
}

// seen is the migration as rules look at it.
func (a *attempt) seen(t *trace.Trace) rule.Migrated {
	return rule.Migrated{File: a.file, Trace: t, Transaction: a.migration.Up.Transaction, Without: a.head.Format.Without}
}

// undoable tells that the trace may run in the state and be taken back.
func (a *attempt) undoable() bool {
	return a.migration.Up.Transaction != statement.OneByOne && trace.Undoable(a.migration.Up.Text)
}

// statements are those of a file of SQL.
func (a *attempt) statements() []statement.Statement {
	if a.program != nil {
		return nil
	}
	return statement.Split(a.migration.Up.Text)
}

// until is the folder as it was when the at-th new migration was the last one: those of
// the base, and the new ones up to it.
func (c *check) until(at int) *folder.Folder {
	if c.program != nil {
		return c.programUntil(at)
	}
	files := slices.Clone(c.before.Files)
	for _, m := range c.new[:at+1] {
		for _, p := range []folder.Part{m.Up, m.Down} {
			for _, f := range c.head.Files {
				if f.Name == p.File && !slices.Contains(files, f) {
					files = append(files, f)
				}
			}
		}
	}
	return folder.Read(c.head.Format, c.head.Path, files)
}

// clone copies the state; it is dropped soon, since each takes 8 MB.
func (c *check) clone(ctx context.Context, purpose string, use func(*server.Database) error) error {
	d, err := c.server.Clone(ctx, purpose, c.state)
	if err != nil {
		return err
	}
	if err := use(d); err != nil {
		return err
	}
	return c.server.Drop(ctx, d)
}

// observe traces the migration, where no copy is needed for it, since copying a large
// schema takes long: in the database for the way back, which needs the migration anyhow;
// or in the state itself, when it can be taken back there. A program is watched while it
// applies the migration to the state, once and for all.
func (a *attempt) observe(ctx context.Context) error {
	o := trace.Options{Ignore: a.tool.Bookkeeping(), Existing: a.existing, Before: a.before}
	in := a.clone
	inState := func(_ context.Context, _ string, use func(*server.Database) error) error { return use(a.state) }
	if _, ok := a.tool.(tool.Recording); ok && a.spare != nil {
		in = a.ahead
		o.Before = a.spareAt
	} else if a.program != nil {
		in = inState
		if err := a.rowsOfAll(ctx); err != nil {
			return err
		}
	} else if o.Undo = a.undoable(); o.Undo {
		in = inState
	}
	return in(ctx, "trace", func(d *server.Database) error {
		var err error
		if a.trace, err = a.observation(ctx, d, tool.Up, o); err != nil {
			return err
		}
		a.measured.Up = milliseconds(a.trace.Took)
		a.measured.Rewrites, a.measured.Scans = nil, nil
		lock, _ := a.trace.Strongest()
		if lock.Mode > trace.AccessShare {
			a.measured.Lock = fmt.Sprintf("%s on %s", lock.Mode, lock.Relation.Name)
		}
		touched := map[string]bool{}
		for _, s := range a.trace.Steps {
			for _, r := range s.Rewrote {
				a.measured.Rewrites = append(a.measured.Rewrites, r.Name)
			}
			for _, r := range s.Scanned {
				a.measured.Scans = append(a.measured.Scans, r.Name)
			}
			for _, l := range s.Locks {
				if l.Mode >= trace.RowExclusive {
					touched[l.Relation.Table] = true
				}
			}
			for _, r := range s.Rows {
				touched[r.Relation.Name] = true
			}
		}
		a.touched = slices.Sorted(maps.Keys(touched))
		a.measured.Rewrites, a.measured.Scans = each(a.measured.Rewrites), each(a.measured.Scans)
		return nil
	})
}

// each keeps one of equal names.
func each(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// up is D02: the tool applies the migration to the state.
func (a *attempt) up(ctx context.Context) error {
	failed, err := a.applies(ctx)
	if err != nil {
		return err
	}
	a.measured.RowsBefore = a.rows.Total()
	if failed != nil {
		return a.failed(ctx, failed)
	}
	if a.trace.Failed != nil {
		return exit.Unablef("%s: the tool applies it, but statement by statement it fails on line %d: %w", a.file, a.trace.Failed.Line, a.trace.Failed.Err)
	}
	if a.after, err = a.snapshot(ctx, a.state); err != nil {
		return err
	}
	if differs := schema.Compare(a.after, a.trace.After); len(differs) > 0 {
		return exit.Unablef("%s: statement by statement it leads to another schema than the tool does, so what it blocks is not known: %s", a.file, differs[0])
	}
	now, err := a.contents(ctx, a.state, nil)
	if err != nil {
		return err
	}
	renamed := a.renamed()
	for table := range a.rows {
		name := table
		if to, ok := renamed[table]; ok {
			name = to
		}
		a.measured.RowsAfter += now[name].Count
	}
	for _, loss := range rows.Compare(a.rows, now, renamed, a.written()) {
		a.add(rule.Find("D06").Finding(a.file, a.lineOf(loss), "After the up: %s.", loss.Text))
	}
	return nil
}

// applies takes down the rows and applies the migration, unless a program has.
func (a *attempt) applies(ctx context.Context) (*tool.Failure, error) {
	if a.program != nil {
		maps.DeleteFunc(a.rows, func(table string, _ rows.Table) bool { return !slices.Contains(a.touched, table) })
		return a.refused, nil
	}
	var err error
	if a.rows, err = a.contents(ctx, a.state, a.touched); err != nil {
		return nil, err
	}
	return a.failure(a.tool.Step(ctx, a.state, a.folder, tool.Up))
}

// contents reads tables; with none named, those that were read before, under whatever
// name they have now.
func (a *attempt) contents(ctx context.Context, d *server.Database, tables []string) (rows.Contents, error) {
	if tables == nil {
		if len(a.rows) == 0 {
			return rows.Contents{}, nil
		}
		renamed := a.renamed()
		for table := range a.rows {
			tables = append(tables, table)
			if to, ok := renamed[table]; ok {
				tables = append(tables, to)
			}
		}
	}
	if len(tables) == 0 {
		return rows.Contents{}, nil
	}
	var taken rows.Contents
	err := d.Look(ctx, func(conn *pgx.Conn) (err error) {
		taken, err = rows.Take(ctx, conn, tables)
		return err
	})
	return taken, err
}

// renamed are the new names of tables and columns.
func (a *attempt) renamed() map[string]string {
	names := map[string]string{}
	if a.after == nil {
		return names
	}
	for _, c := range schema.Follow(a.before, a.after) {
		if c.Op == schema.Renamed {
			names[c.Before.Name] = c.After.Name
		}
	}
	return names
}

// written are the tables in which a statement changed rows on purpose.
func (a *attempt) written() map[string]bool {
	tables := map[string]bool{}
	for _, s := range a.trace.Steps {
		for _, r := range s.Rows {
			if r.Updated > 0 {
				tables[r.Relation.Name] = true
			}
		}
	}
	return tables
}

func (a *attempt) lineOf(loss rows.Loss) int {
	for _, s := range a.trace.Steps {
		for _, change := range s.Changes {
			if change.Object().Name == strings.TrimSuffix(loss.Table+"."+loss.Column, ".") { // of a table there is no column
				return s.Statement.LineOf(loss.Column)
			}
		}
		for _, r := range s.Rows {
			if r.Relation.Name == loss.Table && r.Deleted > 0 {
				return s.Statement.Line
			}
		}
		if slices.ContainsFunc(s.Rewrote, func(r trace.Relation) bool { return r.Name == loss.Table }) {
			return s.Statement.Line
		}
	}
	return 0
}

// failed reports D02 or D10 on the statement that failed. Where only rows with NULL in
// them are in the way, and those are of our making, it is a warning.
func (a *attempt) failed(ctx context.Context, failed *tool.Failure) error {
	line := a.line(failed)
	if a.trace.Failed != nil {
		line = a.trace.Failed.Line
	}
	a.measured.Failed = true
	for _, f := range rule.Blocking(a.seen(nil), a.statements(), nil) {
		a.add(f) // what the text alone says, such as the reason
	}
	id, message := "D02", fmt.Sprintf("On the base's schema: %v%s", failed.Err, missingRole(failed.Err))
	if needsRights(failed) {
		id = "D10"
	}
	f := rule.Find(id).Finding(a.file, line, "%s", message)
	if !meetsRows(failed.Code) {
		a.broken = true
		a.add(f)
		return nil
	}
	f.Message += "; it meets rows: " + a.seedWords()
	how, err := a.worksOtherwise(ctx, failed)
	if err != nil {
		return err
	}
	if how == "" {
		a.broken = true
		a.add(f)
		return nil
	}
	f.Severity = finding.Warning
	f.Message += ", and works " + how
	f.Detail = otherRows
	a.add(f)
	a.measured.Failed = false
	if err := a.observe(ctx); err != nil {
		return err
	}
	return a.up(ctx)
}
