package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/pipes/migration-check/engine"
	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rows"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// trial tries the migrations on a database other than PostgreSQL: whether they work, what
// becomes of the rows, and whether the old release can run on the new schema. There are
// no copies of databases: one goes up only, another up, down and up again.
type trial struct {
	*check
	server engine.Server
	tool   engine.Tool
	fresh  *engine.Database
	state  *engine.Database
	back   *engine.Database // nil must be made anew
	nulls  bool             // rows with NULL wherever it is allowed are among the generated ones
}

// dialect is whose SQL the migrations are written in.
func (s *Settings) dialect() statement.Dialect {
	scheme, _, _ := strings.Cut(s.Scratch, ":")
	switch {
	case s.Engine == "mysql", s.Engine == "" && (scheme == "mysql" || scheme == "mariadb"):
		return statement.MySQL
	case s.Engine == "sqlite", s.Engine == "" && scheme == "sqlite":
		return statement.SQLite
	}
	return statement.PostgreSQL
}

// elsewhere is question (b), and (a) as far as SCHEMA_FILE and commands answer it.
func (c *check) elsewhere(ctx context.Context) error {
	t := &trial{check: c, tool: engine.Tool{Plain: c.s.Tool == "sql", Table: c.s.Table}, nulls: true}
	options := engine.Options{Statement: c.s.Statement.Std(), Disk: int64(c.s.Disk)}
	began := time.Now()
	var err error
	if c.s.dialect() == statement.SQLite {
		t.server, err = engine.SQLite(ctx, c.s.Scratch, options, c.rt.Undo)
	} else {
		t.server, err = engine.MySQL(ctx, c.s.Scratch, options, c.rt.Undo)
	}
	if err != nil {
		return err
	}
	c.result.Server = t.server.Name()
	c.rt.Console.Info("%s for trying them, ready after %d ms", t.server.Name(), time.Since(began).Milliseconds())
	c.notJudged("who has to wait while the migrations run: the rules about locks, M2, are for PostgreSQL only")
	if err := t.fromScratch(ctx); err != nil {
		return err
	}
	if err := t.toBase(ctx); err != nil || c.atBase == nil {
		return err
	}
	for at, m := range c.new {
		if highest, any := c.before.Highest(); any && m.Version.Compare(highest) < 0 {
			c.notJudged(m.Name() + ": databases that stand at the base never run it")
			continue
		}
		if c.broken {
			c.notJudged(m.Name() + ": a migration before it failed")
			continue
		}
		if err := t.try(ctx, m, at); err != nil {
			return err
		}
	}
	if err := t.whole(ctx); err != nil {
		return err
	}
	return t.wanted(ctx)
}

// merged is the folder of the base.
func (t *trial) merged() *folder.Folder { return t.before }

func (t *trial) snapshot(ctx context.Context, d *engine.Database) (*schema.Snapshot, error) {
	s, err := d.Snapshot(ctx, t.tool.Bookkeeping())
	if err != nil {
		return nil, exit.Unablef("%w", t.server.Explain(err))
	}
	return s, nil
}

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
	made, err := d.Generate(ctx, t.tool.Bookkeeping(), t.nulls)
	if err != nil {
		return exit.Unablef("%w", t.server.Explain(err))
	}
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

// try applies a new migration to the state, and to another database up, down and up.
func (t *trial) try(ctx context.Context, m folder.Migration, at int) error {
	measured := Migration{Name: m.Name(), File: t.head.InClone(m.Up.File), HasDown: m.Down.Exists()}
	defer func() { t.result.Migrations = append(t.result.Migrations, measured) }()
	if !m.Up.Exists() {
		return nil // I08 has said it
	}
	observed, err := t.observe(ctx, m, at)
	if err != nil {
		return err
	}
	before := t.atHead
	had, err := t.state.Contents(ctx, t.tool.Bookkeeping())
	if err != nil {
		return exit.Unablef("%w", t.server.Explain(err))
	}
	measured.RowsBefore = had.Total()
	began := time.Now()
	failed, err := t.failure(t.tool.Step(ctx, t.state, t.until(at), tool.Up))
	measured.Up = milliseconds(time.Since(began))
	if err != nil {
		return err
	}
	if failed != nil {
		again, err := t.failed(ctx, m, at, failed, observed, before)
		if err != nil || !again {
			measured.Failed = true
			return err
		}
		measured.Up = milliseconds(time.Since(began))
	}
	if t.atHead, err = t.snapshot(ctx, t.state); err != nil {
		return err
	}
	now, err := t.state.Contents(ctx, t.tool.Bookkeeping())
	if err != nil {
		return exit.Unablef("%w", t.server.Explain(err))
	}
	for table := range had {
		measured.RowsAfter += now[table].Count
	}
	t.migrated = append(t.migrated, rule.Migrated{File: measured.File, Trace: observed})
	t.losses(m, rows.Compare(had, now, nil, t.written(m)))
	if t.server.Dialect() == statement.MySQL {
		t.notAtomic(m)
	}
	if !m.Down.Exists() {
		t.notJudged("the way back from " + m.Name() + ": it has no down migration")
		t.back = nil
		return nil
	}
	return t.wayBack(ctx, m, at, before, had, &measured)
}

// observe runs the statements one by one in a database of its own, so that what became
// different can be told from the line that did it. A statement that fails is the last.
func (t *trial) observe(ctx context.Context, m folder.Migration, at int) (*trace.Trace, error) {
	d, err := t.at(ctx, at)
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Drop(context.WithoutCancel(ctx)) }() // it would go with the server
	seen := &trace.Trace{Before: t.atHead}
	last := t.atHead
	for _, s := range t.server.Dialect().Split(m.Up.Text) {
		if s.Begins() || s.Ends() {
			continue
		}
		began := time.Now()
		_, err := d.Exec(ctx, s.Text)
		step := trace.Step{Statement: s, Took: time.Since(began)}
		if err != nil {
			seen.Steps = append(seen.Steps, step)
			seen.Failed = &trace.Failure{Step: len(seen.Steps) - 1, Line: s.Line, Err: err}
			return seen, nil
		}
		now, err := t.snapshot(ctx, d)
		if err != nil {
			return nil, err
		}
		step.Changes = schema.Follow(last, now)
		last = now
		seen.Steps = append(seen.Steps, step)
	}
	seen.After = last
	return seen, nil
}

// written are the tables in which a statement changes rows on purpose.
func (t *trial) written(m folder.Migration) map[string]bool {
	tables := map[string]bool{}
	for _, s := range t.server.Dialect().Split(m.Up.Text) {
		if s.ChangesData() {
			for _, token := range s.Tokens {
				if token.Kind == statement.Word || token.Kind == statement.Name {
					tables[token.Text] = true
				}
			}
		}
	}
	return tables
}

// losses is D06, and M401 where the rows went with a table that was built anew.
func (t *trial) losses(m folder.Migration, lost []rows.Loss) {
	file := t.head.InClone(m.Up.File)
	rebuilt, pragma := t.rebuilds(m)
	said := false
	for _, l := range lost {
		if l.Column == "" && rebuilt > 0 && t.server.Dialect() == statement.SQLite {
			t.add(rule.Find("M401").Finding(file, rebuilt, "Dropping a table deletes the rows that refer to it: %s.", l.Text))
			said = true
			continue
		}
		t.add(rule.Find("D06").Finding(file, 0, "After the up: %s.", l.Text))
	}
	if pragma > 0 && !said && !t.tool.Plain && !t.state.NoTxWrap() {
		f := rule.Find("M401").Finding(file, pragma, "PRAGMA foreign_keys is of no effect here: golang-migrate runs the file in a transaction.")
		f.Severity = finding.Warning
		t.add(f)
	}
}

// rebuilds are the lines of a DROP TABLE and of a PRAGMA foreign_keys, 0 without.
func (t *trial) rebuilds(m folder.Migration) (drop, pragma int) {
	if t.server.Dialect() != statement.SQLite {
		return 0, 0
	}
	for _, s := range statement.SQLite.Split(m.Up.Text) {
		switch {
		case s.Is("drop", "table"):
			drop = s.Line
		case s.Is("pragma", "foreign_keys"):
			pragma = s.Line
		}
	}
	return drop, pragma
}

// notAtomic is M304.
func (t *trial) notAtomic(m folder.Migration) {
	changes := 0
	for _, s := range statement.MySQL.Split(m.Up.Text) {
		if s.Is("create") || s.Is("alter") || s.Is("drop") || s.Is("rename") || s.Is("truncate") {
			if changes++; changes == 2 {
				t.add(rule.Find("M304").Finding(t.head.InClone(m.Up.File), s.Line, "Should this statement fail, those before it stay applied."))
			}
		}
	}
}

// failed reports D02 or D10, with what stays of a file that fails in the middle. True is
// that only generated rows with NULL were in the way, and that it is applied now.
func (t *trial) failed(ctx context.Context, m folder.Migration, at int, failed *tool.Failure, observed *trace.Trace, before *schema.Snapshot) (again bool, err error) {
	id, line := "D02", 0
	if observed.Failed != nil {
		line = observed.Failed.Line
	}
	if needsRights(failed) {
		id = "D10"
	}
	f := rule.Find(id).Finding(t.head.InClone(m.Up.File), line, "On the base's schema: %v", failed.Err)
	after, err := t.snapshot(ctx, t.state)
	if err != nil {
		return false, err
	}
	if half := schema.Compare(before, after); len(half) > 0 {
		f.Message += fmt.Sprintf("; half of the file stays applied, such as: %s", half[0])
	}
	if meetsRows(failed.Code) && t.s.SeedFile == "" && t.nulls && len(t.migrated) == 0 {
		t.nulls = false
		state, err := t.at(ctx, 0)
		if err != nil {
			return false, err
		}
		second, err := t.failure(t.tool.Step(ctx, state, t.until(at), tool.Up))
		if err != nil {
			return false, err
		}
		if second == nil {
			f.Severity = finding.Warning
			f.Message += "; it meets generated rows, and works on rows without NULL"
			t.add(f)
			t.state = state
			return true, nil
		}
	}
	t.broken = true
	t.add(f)
	return false, nil
}

// forBack is a database that the migration was just applied to, with rows in it.
func (t *trial) forBack(ctx context.Context, at int) (*engine.Database, error) {
	d := t.back
	t.back = nil
	if d == nil {
		return t.at(ctx, at+1)
	}
	if failed, err := t.failure(t.tool.Step(ctx, d, t.until(at), tool.Up)); err != nil || failed != nil {
		return nil, exit.Unablef("a migration was applied to one database, and not to another like it: %w", errorOf(failed, err))
	}
	return d, nil
}

// wayBack is D03 to D06.
func (t *trial) wayBack(ctx context.Context, m folder.Migration, at int, before *schema.Snapshot, had rows.Contents, measured *Migration) error {
	down := t.head.InClone(m.Down.File)
	d, err := t.forBack(ctx, at)
	if err != nil {
		return err
	}
	began := time.Now()
	failed, err := t.failure(t.tool.Step(ctx, d, t.until(at), tool.Down))
	measured.Down = milliseconds(time.Since(began))
	if err != nil {
		return err
	}
	if failed != nil {
		t.add(rule.Find("D03").Finding(down, 0, "The down migration of version %s fails: %v", m.Version, failed.Err))
		return nil
	}
	undone, err := t.snapshot(ctx, d)
	if err != nil {
		return err
	}
	left := schema.Compare(before, undone)
	for _, c := range left {
		t.add(rule.Find("D04").Finding(down, 0, "After up and down: %s.", c))
	}
	now, err := d.Contents(ctx, t.tool.Bookkeeping())
	if err != nil {
		return exit.Unablef("%w", t.server.Explain(err))
	}
	lost := rows.Compare(had, now, nil, t.written(m))
	for _, l := range lost {
		t.add(rule.Find("D06").Finding(down, 0, "After up and down: %s.", l.Text))
	}
	again, err := t.again(ctx, d, m, at)
	if again && len(left) == 0 && len(lost) == 0 && len(t.written(m)) == 0 {
		t.back = d
	}
	return err
}

// again is D05; true is that the schema is the same as after the first up.
func (t *trial) again(ctx context.Context, d *engine.Database, m folder.Migration, at int) (same bool, err error) {
	down := t.head.InClone(m.Down.File)
	failed, err := t.failure(t.tool.Step(ctx, d, t.until(at), tool.Up))
	if err != nil {
		return false, err
	}
	if failed != nil {
		t.add(rule.Find("D05").Finding(down, 0, "Version %s cannot be applied again after its down: %v", m.Version, failed.Err))
		return false, nil
	}
	redone, err := t.snapshot(ctx, d)
	if err != nil {
		return false, err
	}
	differs := schema.Compare(t.atHead, redone)
	for _, c := range differs {
		t.add(rule.Find("D05").Finding(down, 0, "Version %s applied again after its down leads elsewhere: %s", m.Version, c))
	}
	return len(differs) == 0, nil
}

// whole judges the sum of the change.
func (t *trial) whole(ctx context.Context) error {
	if t.broken {
		t.notJudged("whether the old release can run on the new schema: the migrations do not apply")
		return nil
	}
	t.result.After = t.atHead.Fingerprint()
	if t.fromNothing != nil {
		for _, change := range schema.Compare(t.atHead, t.fromNothing) {
			file, line := rule.Place(t.migrated, change)
			t.add(rule.Find("D07").Finding(file, line, "Coming from nothing instead of the base: %s", change))
		}
	}
	incompatible := rule.Compatible(t.atBase, t.atHead, t.migrated)
	t.findings = append(t.findings, incompatible...)
	t.contract(incompatible)
	if len(t.new) == 0 {
		return nil
	}
	if t.server.Dialect() == statement.SQLite {
		t.notJudged("two runs at once: golang-migrate has no lock for SQLite that another process sees")
		return nil
	}
	return t.two(ctx)
}

// two is D09, on the base's schema without rows.
func (t *trial) two(ctx context.Context) error {
	d, err := t.server.Create(ctx, "two")
	if err != nil {
		return err
	}
	if _, err := t.failure(t.tool.Up(ctx, d, t.merged())); err != nil {
		return err
	}
	if t.tool.Plain {
		return nil // the lock would be ours, not the tool's
	}
	answers := make(chan error, 2)
	for range 2 {
		go func() { answers <- t.tool.Up(ctx, d, t.head) }()
	}
	first, second := <-answers, <-answers
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	won := first == nil && errors.Is(second, tool.ErrNothing) || second == nil && errors.Is(first, tool.ErrNothing)
	if !won {
		t.add(rule.Find("D09").Finding("", 0, "Two runs at once ended with: %v, and: %v", first, second))
	}
	return nil
}

// wanted is question (a): a proposal is made for PostgreSQL only.
func (t *trial) wanted(ctx context.Context) error {
	switch {
	case t.s.CheckCommand == "" && t.s.SchemaFile == "" && t.s.SchemaCommand == "":
		return t.guessed(ctx)
	case t.fromNothing == nil:
		t.notJudged("whether a migration is missing: those that are there do not apply")
		return nil
	case t.s.CheckCommand != "":
		return t.askedAt(ctx, t.fresh.URL)
	}
	text, name, err := t.declared(ctx)
	if err != nil {
		return err
	}
	d, err := t.server.Create(ctx, "wanted")
	if err != nil {
		return err
	}
	if line, err := d.Exec(ctx, text); err != nil {
		return exit.Refusedf("%s:%d cannot be applied to an empty database: %w", name, line, err)
	}
	want, err := t.snapshot(ctx, d)
	if err != nil {
		return err
	}
	if differs := schema.Compare(t.fromNothing, want); len(differs) > 0 {
		t.notJudged("whether the difference was there at the base, and what SQL would settle it: that is for PostgreSQL only")
		t.report(differs, nil, name)
		return nil
	}
	t.rt.Console.Success("%s and the migrations make the same schema", name)
	return nil
}

// engines by words that only their SQL has.
var engines = map[string]string{"auto_increment": "mysql", "engine": "mysql", "autoincrement": "sqlite", "pragma": "sqlite"}

// otherEngine is a word to add when PostgreSQL refuses what was written for another
// database.
func (c *check) otherEngine() string {
	for _, m := range c.head.Migrations {
		for _, s := range statement.MySQL.Split(m.Up.Text) {
			for _, token := range s.Tokens {
				if engine := engines[token.Text]; token.Kind == statement.Word && engine != "" {
					return fmt.Sprintf("; %s on line %d of %s is none of PostgreSQL's words: is ENGINE %s?", strings.ToUpper(token.Text), s.Line, m.Up.File, engine)
				}
			}
		}
	}
	return ""
}
