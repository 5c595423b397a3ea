package check

import (
	"context"
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
)

// try applies a new migration to the state, and to another database up, down and up.
func (t *trial) try(ctx context.Context, m folder.Migration, at int) error {
	measured := Migration{Name: m.Name(), File: t.head.InClone(m.Up.File), HasDown: m.Down.Exists()}
	defer func() { t.result.Migrations = append(t.result.Migrations, measured) }()
	if !m.Up.Exists() {
		return nil // I08 has said it
	}
	again, err := t.tryOnce(ctx, m, at, &measured)
	if again && err == nil {
		_, err = t.tryOnce(ctx, m, at, &measured)
	}
	return err
}

// tryOnce tells whether it is to be tried again, on other rows, which the state has now.
func (t *trial) tryOnce(ctx context.Context, m folder.Migration, at int, measured *Migration) (again bool, err error) {
	observed, err := t.observe(ctx, m, at)
	if err != nil {
		return false, err
	}
	before := t.atHead
	had, err := t.contents(ctx, t.state)
	if err != nil {
		return false, err
	}
	measured.RowsBefore, measured.RowsAfter = had.Total(), 0
	failed, err := t.up(ctx, m, at, measured)
	if err != nil {
		return false, err
	}
	if measured.Failed = failed != nil; failed != nil {
		return t.failed(ctx, &refused{Failure: failed, migration: m, at: at, observed: observed})
	}
	now, err := t.contents(ctx, t.state)
	if err != nil {
		return false, err
	}
	for table := range had {
		measured.RowsAfter += now[table].Count
	}
	t.migrated = append(t.migrated, rule.Migrated{File: measured.File, Trace: observed})
	t.losses(m, rows.Compare(had, now, nil, t.written(m)))
	if t.server.Dialect() == statement.MySQL {
		t.notAtomic(m)
	}
	if m.Repeatable {
		t.back = nil
		return false, t.onceMore(ctx, m, at)
	}
	if !m.Down.Exists() {
		t.notJudged("the way back from " + m.Name() + ": it has no down migration")
		t.back = nil
		return false, nil
	}
	return false, t.wayBack(ctx, m, at, before, had, measured)
}

// up is D02: the tool applies the migration to the state.
func (t *trial) up(ctx context.Context, m folder.Migration, at int, measured *Migration) (*tool.Failure, error) {
	began := time.Now()
	failed, err := t.failure(t.tool.Step(ctx, t.state, t.until(at), tool.Up))
	measured.Up = milliseconds(time.Since(began))
	if err != nil || failed != nil {
		return failed, err
	}
	t.atHead, err = t.snapshot(ctx, t.state)
	return nil, err
}

// contents reads all rows.
func (t *trial) contents(ctx context.Context, d *engine.Database) (rows.Contents, error) {
	all, err := d.Contents(ctx, t.tool.Bookkeeping())
	if err != nil {
		return nil, exit.Unablef("%w", t.server.Explain(err))
	}
	return all, nil
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
