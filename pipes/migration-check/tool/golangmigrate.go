package tool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"testing/fstest"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	pgxv5 "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// GolangMigrate is the library itself. Each call uses an instance and a connection of
// its own: after an error neither is of any use.
type GolangMigrate struct {
	Table string // of the bookkeeping, as in x-migrations-table; "" is schema_migrations
}

// Name is that of the setting.
func (GolangMigrate) Name() string { return "golang-migrate" }

// Bookkeeping is one table in the default schema.
func (g GolangMigrate) Bookkeeping() []string { return []string{"public." + g.table()} }

func (g GolangMigrate) table() string {
	if g.Table == "" {
		return pgxv5.DefaultMigrationsTable
	}
	return g.Table
}

// Up applies what is pending, all in one session, as the library does.
func (g GolangMigrate) Up(ctx context.Context, d *server.Database, f *folder.Folder) error {
	return g.run(ctx, d, f, Up, d.Open(), func(m *migrate.Migrate) error { return m.Up() })
}

// UpTelling is Up, and tells whether its session is then as at the start.
func (g GolangMigrate) UpTelling(ctx context.Context, d *server.Database, f *folder.Folder) (clean bool, err error) {
	var conn *pgx.Conn
	var before server.Session
	made := 0
	db := d.OpenNoting(func(ctx context.Context, c *pgx.Conn) (err error) {
		made++
		conn = c
		before, err = server.SessionOf(ctx, c)
		return err
	})
	err = g.run(ctx, d, f, Up, db, func(m *migrate.Migrate) error {
		if err := m.Up(); err != nil {
			return err
		}
		after, err := server.SessionOf(ctx, conn)
		clean = err == nil && made == 1 && before.Equal(after)
		return nil
	})
	return clean, err
}

// Step is Steps(1) or Steps(-1). That a down file does not exist is no error to the
// library, which then changes the version and nothing else.
func (g GolangMigrate) Step(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction) error {
	return g.run(ctx, d, f, direction, d.Open(), func(m *migrate.Migrate) error { return m.Steps(int(direction)) })
}

// Record is Force.
func (g GolangMigrate) Record(ctx context.Context, d *server.Database, f *folder.Folder) error {
	version, err := strconv.Atoi(f.Migrations[len(f.Migrations)-1].Version.String())
	if err != nil {
		return exit.Unablef("golang-migrate: %w", err)
	}
	return g.run(ctx, d, f, Up, d.Open(), func(m *migrate.Migrate) error { return m.Force(version) })
}

func (g GolangMigrate) run(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction, db *sql.DB, do func(*migrate.Migrate) error) error {
	source, err := iofs.New(inMemory(f), ".")
	if err != nil {
		return exit.Refusedf("golang-migrate refuses %s: %w", f.Path, err)
	}
	driver, err := pgxv5.WithInstance(db, &pgxv5.Config{MigrationsTable: g.table()})
	if err != nil {
		return exit.Unablef("golang-migrate: %w", d.Server().Explain(err))
	}
	m, err := migrate.NewWithInstance("iofs", source, "pgx5", driver)
	if err != nil {
		return exit.Unablef("golang-migrate: %w", err)
	}
	m.LockTimeout = time.Hour // another run may take its time; ours is bounded elsewhere
	// The library knows no context: to end it, its connection is.
	stop := d.TerminateAfter(ctx)
	err = do(m)
	stop()
	_, _ = m.Close() // whatever it says has been said before
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return g.classify(ctx, d, f, direction, err)
}

// classify tells a migration that failed from a tool that did.
func (g GolangMigrate) classify(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, migrate.ErrNoChange), errors.Is(err, fs.ErrNotExist) && len(f.Migrations) == 0:
		return ErrNothing
	}
	explained := d.Server().Explain(err)
	var byValue database.Error
	if !errors.As(explained, &byValue) && !errors.Is(explained, server.ErrLimit) {
		return exit.Unablef("golang-migrate: %w", explained) // its bookkeeping, not a migration
	}
	version, ok := g.dirty(ctx, d)
	if !ok {
		// Its own record is lost when a file leaves its transaction aborted; then the
		// text that it sent tells.
		version, ok = byText(f, direction, string(byValue.Query))
	} else if direction == Down {
		version, ok = after(f, version) // dirty is written at the version that it goes to
	}
	m, found := f.Find(version)
	if !ok || !found {
		return exit.Unablef("golang-migrate: %w", explained)
	}
	if byValue.OrigErr != nil && !errors.Is(explained, server.ErrLimit) {
		explained = byValue.OrigErr // which the library's own error does not unwrap to
	}
	return server.MissingExtension(newFailure(m, direction, explained))
}

// dirty asks the bookkeeping which version failed.
func (g GolangMigrate) dirty(ctx context.Context, d *server.Database) (folder.Version, bool) {
	conn, err := d.Connect(ctx)
	if err != nil {
		return folder.Version{}, false
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var version int64
	err = conn.QueryRow(ctx, "select version from public."+pgx.Identifier{g.table()}.Sanitize()+" where dirty").Scan(&version)
	if err != nil {
		return folder.Version{}, false
	}
	if version < 0 {
		return folder.Version{}, true // below the first
	}
	return folder.NewVersion(strconv.FormatInt(version, 10))
}

// after is the version that follows in the folder; that after none is the first.
func after(f *folder.Folder, version folder.Version) (folder.Version, bool) {
	for _, m := range f.Migrations {
		if m.Version.Compare(version) > 0 {
			return m.Version, true
		}
	}
	return folder.Version{}, false
}

func byText(f *folder.Folder, direction Direction, text string) (folder.Version, bool) {
	for _, m := range f.Migrations {
		part := m.Up
		if direction == Down {
			part = m.Down
		}
		if part.Exists() && part.Text == text {
			return m.Version, true
		}
	}
	return folder.Version{}, false
}

// inMemory is the folder as the library reads it.
func inMemory(f *folder.Folder) fs.FS {
	files := fstest.MapFS{}
	for _, file := range f.Files {
		files[file.Name] = &fstest.MapFile{Data: []byte(file.Text)}
	}
	if len(files) == 0 {
		return fstest.MapFS{".": &fstest.MapFile{Mode: fs.ModeDir}}
	}
	return files
}

// Version says what the bookkeeping of a database holds, for logs.
func (g GolangMigrate) Version(ctx context.Context, d *server.Database) (string, error) {
	conn, err := d.Connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var version int64
	var dirty bool
	err = conn.QueryRow(ctx, "select version, dirty from public."+pgx.Identifier{g.table()}.Sanitize()).Scan(&version, &dirty)
	if err != nil {
		return "", fmt.Errorf("version of the database: %w", err)
	}
	return fmt.Sprintf("%d, dirty: %t", version, dirty), nil
}
