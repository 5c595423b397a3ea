package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"testing/fstest"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	migratemysql "github.com/golang-migrate/migrate/v4/database/mysql"
	migratesqlite "github.com/golang-migrate/migrate/v4/database/sqlite"
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// Tool applies migrations: golang-migrate, or plain SQL in the order of a folder.
type Tool struct {
	Plain bool   // plain SQL
	Table string // of golang-migrate's bookkeeping
}

const applied = "fearless_applied"

// Bookkeeping names the tables that are the tools' own.
func (t Tool) Bookkeeping() []string {
	return []string{t.Table, applied, "flyway_schema_history", "_prisma_migrations", "_sqlx_migrations", "goose_db_version"}
}

// Up applies what is pending; tool.ErrNothing says that nothing was.
func (t Tool) Up(ctx context.Context, d *Database, f *folder.Folder) error {
	if t.Plain {
		return t.plain(ctx, d, f, tool.Up, len(f.Migrations))
	}
	return t.migrate(ctx, d, f, tool.Up, func(m *migrate.Migrate) error { return m.Up() })
}

// Step goes one migration up or down.
func (t Tool) Step(ctx context.Context, d *Database, f *folder.Folder, direction tool.Direction) error {
	if t.Plain {
		return t.plain(ctx, d, f, direction, 1)
	}
	return t.migrate(ctx, d, f, direction, func(m *migrate.Migrate) error { return m.Steps(int(direction)) })
}

func (t Tool) migrate(ctx context.Context, d *Database, f *folder.Folder, direction tool.Direction, do func(*migrate.Migrate) error) error {
	files := fstest.MapFS{}
	for _, file := range f.Files {
		files[file.Name] = &fstest.MapFile{Data: []byte(file.Text)}
	}
	if len(files) == 0 {
		files["."] = &fstest.MapFile{Mode: fs.ModeDir}
	}
	source, err := iofs.New(files, ".")
	if err != nil {
		return exit.Refusedf("golang-migrate refuses %s: %w", f.Path, err)
	}
	db := d.open()
	defer func() { _ = db.Close() }()
	var driver database.Driver
	if d.Server.Dialect() == statement.SQLite {
		driver, err = migratesqlite.WithInstance(db, &migratesqlite.Config{MigrationsTable: t.Table, NoTxWrap: d.noTxWrap})
	} else {
		driver, err = migratemysql.WithInstance(db, &migratemysql.Config{MigrationsTable: t.Table})
	}
	if err != nil {
		return exit.Unablef("golang-migrate: %w", d.Server.Explain(err))
	}
	m, err := migrate.NewWithInstance("iofs", source, "scratch", driver)
	if err != nil {
		return exit.Unablef("golang-migrate: %w", err)
	}
	err = do(m)
	_, _ = m.Close() // whatever it says has been said before
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil:
		return nil
	case errors.Is(err, migrate.ErrNoChange), errors.Is(err, fs.ErrNotExist) && len(f.Migrations) == 0:
		return tool.ErrNothing
	}
	return t.failed(ctx, d, f, direction, err)
}

// failed finds the migration that is dirty. It is written at the version that it goes to.
func (t Tool) failed(ctx context.Context, d *Database, f *folder.Folder, direction tool.Direction, err error) error {
	var byValue database.Error
	var byPointer *database.Error
	switch {
	case errors.As(err, &byValue):
		err = byValue.OrigErr
	case errors.As(err, &byPointer):
		err = byPointer.OrigErr
	}
	db := d.open()
	defer func() { _ = db.Close() }()
	var version int64
	if scan := db.QueryRowContext(ctx, "select version from "+d.quote(t.Table)+" where dirty").Scan(&version); scan != nil { //nolint:gosec // the name is quoted
		return exit.Unablef("golang-migrate: %w", d.Server.Explain(err))
	}
	for _, m := range f.Migrations {
		at, _ := strconv.ParseInt(m.Version.String(), 10, 64) // what golang-migrate has read as a number
		if direction == tool.Up && at == version || direction == tool.Down && at > version {
			return failure(d, m, direction, err)
		}
	}
	return exit.Unablef("golang-migrate: %w", d.Server.Explain(err))
}

// failure tells which file it was. The code is the SQLSTATE, or what comes next to it.
func failure(d *Database, m folder.Migration, direction tool.Direction, err error) *tool.Failure {
	f := &tool.Failure{Version: m.Version, Direction: direction, File: m.Up.File, Code: codeOf(err), Err: localError{d.Server.Explain(err), d.Name}}
	if direction == tool.Down {
		f.File = m.Down.File
	}
	return f
}

// localError leaves out of a message the name of our database, which means nothing to people.
type localError struct {
	error
	database string
}

func (e localError) Error() string {
	return strings.ReplaceAll(e.error.Error(), "`"+e.database+"`.", "")
}

func (e localError) Unwrap() error { return e.error }

// plain applies files as they are, each in a transaction, and records them. In MySQL a
// change of the schema commits at once all the same.
func (t Tool) plain(ctx context.Context, d *Database, f *folder.Folder, direction tool.Direction, most int) error {
	db := d.open()
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "create table if not exists "+applied+" (version varchar(100) primary key)"); err != nil {
		return exit.Unablef("applying plain SQL: %w", d.Server.Explain(err))
	}
	done := map[string]bool{}
	if err := each(ctx, db, "select version from "+applied, nil, func(r []string) { done[r[0]] = true }); err != nil {
		return exit.Unablef("applying plain SQL: %w", d.Server.Explain(err))
	}
	var next []folder.Migration
	for _, m := range f.Migrations {
		switch isDone := done[m.Version.String()]; {
		case direction == tool.Up && !isDone && m.Up.Exists() && len(next) < most:
			next = append(next, m)
		case direction == tool.Down && isDone && !m.Repeatable:
			next = []folder.Migration{m}
		}
	}
	if len(next) == 0 {
		return tool.ErrNothing
	}
	for _, m := range next {
		if err := applyPlain(ctx, db, d, m, direction); err != nil {
			return err
		}
	}
	return nil
}

// applyPlain runs one file and records it.
func applyPlain(ctx context.Context, db *sql.DB, d *Database, m folder.Migration, direction tool.Direction) error {
	text, record := m.Up.Text, "insert into "+applied+" values (?)"
	if direction == tool.Down {
		text, record = m.Down.Text, "delete from "+applied+" where version = ?"
	}
	err := inTransaction(ctx, db, func(tx *sql.Tx) error {
		if len(d.Server.Dialect().Split(text)) > 0 {
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return failure(d, m, direction, err)
			}
		}
		_, err := tx.ExecContext(ctx, record, m.Version.String())
		return err
	})
	var failed *tool.Failure
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && !errors.As(err, &failed):
		return exit.Unablef("applying plain SQL: %w", d.Server.Explain(err))
	}
	return err
}

func inTransaction(ctx context.Context, db *sql.DB, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
