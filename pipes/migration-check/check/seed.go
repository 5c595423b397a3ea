package check

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rows"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// seed fills the base's tables, and says with how much.
func (c *check) seed(ctx context.Context, d *server.Database) error {
	made, err := c.fill(ctx, d)
	if err != nil {
		return err
	}
	if made.Rows > 0 || len(made.Empty) > 0 {
		c.rt.Console.Info("%s in %s to try them on", count(made.Rows, "row"), count(made.Tables, "table"))
	}
	for _, empty := range made.Empty {
		c.notJudged("rows of " + firstLine(strings.TrimSpace(empty)))
	}
	return nil
}

// fill puts rows into a database at the base: those of SEED_FILE, or generated ones.
func (c *check) fill(ctx context.Context, d *server.Database) (rows.Generated, error) {
	conn, err := d.Connect(ctx)
	if err != nil {
		return rows.Generated{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if c.s.SeedFile != "" {
		return rows.Generated{}, c.given(ctx, conn)
	}
	made, err := rows.Generate(ctx, conn, append(c.tool.Bookkeeping(), c.empty...), !c.complete)
	c.unfilled = made.Bare
	if err != nil {
		return made, exit.Unablef("%w", c.server.Explain(err))
	}
	return made, nil
}

// given runs SEED_FILE, which may be a dump of rows: with COPY, and commands of psql, which
// are passed over.
func (c *check) given(ctx context.Context, conn *pgx.Conn) error {
	text, err := os.ReadFile(filepath.Join(c.repo.Dir, filepath.FromSlash(c.s.SeedFile)))
	if err != nil {
		return exit.Invalidf("SEED_FILE: %w", err)
	}
	for _, s := range statement.Split(string(text)) {
		if s.IsPsql() {
			continue
		}
		if s.Data {
			_, err = conn.PgConn().CopyFrom(ctx, strings.NewReader(s.Rows), s.Text)
		} else {
			_, err = conn.Exec(ctx, s.Text)
		}
		if err != nil {
			return exit.Invalidf("SEED_FILE: %s:%d: %w", c.s.SeedFile, s.Line, c.server.Explain(err)).
				Hint("It is run on the schema of the base, not on that of the change.")
		}
	}
	return nil
}

// exists takes down which relations the base has. Each database has other numbers.
func (c *check) exists(ctx context.Context, d *server.Database) error {
	return d.Look(ctx, func(conn *pgx.Conn) (err error) {
		if c.existing, err = trace.Existing(ctx, conn); err != nil {
			return exit.Unablef("scratch database: %w", err)
		}
		return nil
	})
}
