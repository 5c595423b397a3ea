package tool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// SQL applies the files of other tools' folders in their order, each with the transaction
// around it that those tools make.
type SQL struct{}

const applied = "public.fearless_applied"

// Name is that of the setting.
func (SQL) Name() string { return "sql" }

// Bookkeeping is our own, and that of the tools, which a declared schema may hold.
func (SQL) Bookkeeping() []string {
	return []string{applied, "public.schema_migrations", "public.flyway_schema_history", "public._prisma_migrations",
		"public._sqlx_migrations", "public.goose_db_version"}
}

// Up applies what is pending.
func (s SQL) Up(ctx context.Context, d *server.Database, f *folder.Folder) error {
	_, err := s.UpTelling(ctx, d, f)
	return err
}

// UpTelling is Up, and tells whether its session is then as at the start.
func (s SQL) UpTelling(ctx context.Context, d *server.Database, f *folder.Folder) (clean bool, err error) {
	err = s.with(ctx, d, func(conn *pgx.Conn, done map[string]bool) error {
		before, err := server.SessionOf(ctx, conn)
		if err != nil {
			return err
		}
		nothing := true
		for _, m := range f.Migrations {
			if done[m.Version.String()] || !m.Up.Exists() {
				continue
			}
			nothing = false
			if err := s.apply(ctx, conn, m, Up); err != nil {
				return err
			}
		}
		if nothing {
			return ErrNothing
		}
		after, err := server.SessionOf(ctx, conn)
		clean = err == nil && before.Equal(after)
		return nil
	})
	return clean, err
}

// Step applies the next migration or takes the last one back.
func (s SQL) Step(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction) error {
	return s.with(ctx, d, func(conn *pgx.Conn, done map[string]bool) error {
		var next *folder.Migration
		for at := range f.Migrations {
			m := &f.Migrations[at]
			switch isDone := done[m.Version.String()]; {
			case direction == Up && !isDone && m.Up.Exists() && next == nil:
				next = m
			case direction == Down && isDone && !m.Repeatable:
				next = m
			}
		}
		if next == nil {
			return ErrNothing
		}
		return s.apply(ctx, conn, *next, direction)
	})
}

// Record adds the version.
func (s SQL) Record(ctx context.Context, d *server.Database, f *folder.Folder) error {
	return s.with(ctx, d, func(conn *pgx.Conn, done map[string]bool) error {
		for _, m := range slices.Backward(f.Migrations) {
			if !done[m.Version.String()] { // behind it may be repeatable ones
				_, err := conn.Exec(ctx, "insert into "+applied+" values ($1)", m.Version.String())
				return err
			}
		}
		return nil
	})
}

// with connects, takes the lock that keeps two runs apart, and reads what was done.
func (s SQL) with(ctx context.Context, d *server.Database, do func(*pgx.Conn, map[string]bool) error) error {
	conn, err := d.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	stop := d.TerminateAfter(ctx)
	defer stop()
	err = s.locked(ctx, conn, do)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var failure *Failure
	if err == nil || errors.Is(err, ErrNothing) {
		return err
	}
	if explained := d.Server().Explain(err); !errors.As(err, &failure) {
		return exit.Unablef("applying plain SQL: %w", explained)
	} else if errors.Is(explained, server.ErrLimit) {
		failure.Err = explained
	}
	return server.MissingExtension(err)
}

func (s SQL) locked(ctx context.Context, conn *pgx.Conn, do func(*pgx.Conn, map[string]bool) error) error {
	if _, err := conn.Exec(ctx, "select pg_advisory_lock(4711)"); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "create table if not exists "+applied+" (version text primary key)"); err != nil {
		return err
	}
	rows, err := conn.Query(ctx, "select version from "+applied)
	if err != nil {
		return err
	}
	versions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, v := range versions {
		done[v] = true
	}
	return do(conn, done)
}

// apply runs one file and records it.
func (s SQL) apply(ctx context.Context, conn *pgx.Conn, m folder.Migration, direction Direction) error {
	part, record := m.Up, "insert into "+applied+" values ($1)"
	if direction == Down {
		part, record = m.Down, "delete from "+applied+" where version = $1"
	}
	if err := s.run(ctx, conn, part); err != nil {
		return newFailure(m, direction, err)
	}
	if _, err := conn.Exec(ctx, record, m.Version.String()); err != nil {
		return fmt.Errorf("recording version %s: %w", m.Version, err)
	}
	return nil
}

// run sends the file with the transaction around it that its tool would make.
func (s SQL) run(ctx context.Context, conn *pgx.Conn, part folder.Part) error {
	statements := statement.Split(part.Text)
	own := slices.ContainsFunc(statements, statement.Statement.Begins)
	switch {
	case own || part.Transaction == statement.OneByOne:
		return oneByOne(ctx, conn, part.Text, statements)
	case part.Transaction == statement.Around:
		if _, err := conn.Exec(ctx, "begin"); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, part.Text); err != nil {
			_, _ = conn.Exec(ctx, "rollback") // a connection that is gone has done so
			return err
		}
		_, err := conn.Exec(ctx, "commit")
		return err
	}
	_, err := conn.Exec(ctx, part.Text)
	return err
}

// oneByOne sends the statements of a text, each by itself.
func oneByOne(ctx context.Context, conn *pgx.Conn, text string, statements []statement.Statement) error {
	for _, st := range statements {
		if _, err := conn.Exec(ctx, st.Text); err != nil {
			var pg *pgconn.PgError
			if errors.As(err, &pg) {
				pg.Position = int32(len([]rune(text[:st.Start]))) + max(pg.Position, 1)
			}
			_, _ = conn.Exec(ctx, "rollback") // of the file's own; outside of a transaction that is a warning
			return err
		}
	}
	return nil
}

// New is the tool of a name.
func New(name, table string) (Tool, error) {
	switch strings.TrimSpace(name) {
	case "golang-migrate":
		return GolangMigrate{Table: table}, nil
	case "sql":
		return SQL{}, nil
	}
	return nil, exit.Invalidf("TOOL: %q is neither golang-migrate nor sql", name)
}
