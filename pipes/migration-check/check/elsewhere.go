package check

import (
	"context"
	"time"

	"bitbucket.org/fearless/pipes/pipes/migration-check/engine"
	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/shared/exit"
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
	if err := t.tryAll(ctx); err != nil {
		return err
	}
	if err := t.whole(ctx); err != nil {
		return err
	}
	return t.wanted(ctx)
}

// tryAll tries the new migrations in their order.
func (t *trial) tryAll(ctx context.Context) error {
	for at, m := range t.new {
		if highest, any := t.before.Highest(); any && m.Version.Compare(highest) < 0 {
			t.notJudged(m.Name() + ": databases that stand at the base never run it")
			continue
		}
		if t.broken {
			t.notJudged(m.Name() + ": a migration before it failed")
			continue
		}
		if err := t.try(ctx, m, at); err != nil {
			return err
		}
	}
	return nil
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
