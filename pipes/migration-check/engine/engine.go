// Package engine tries migrations on databases other than PostgreSQL: MariaDB and MySQL,
// in a private server or one that somebody lends us, and SQLite, in files of our own.
//
// What is seen there goes to the same pure code. Locks are not traced: the rules about
// who has to wait are for PostgreSQL only.
package engine

import (
	"context"
	"database/sql"
	"errors"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

// Server makes databases.
type Server interface {
	// Name is what people call it, such as "MariaDB 10.11.14".
	Name() string
	Dialect() statement.Dialect
	// Create makes an empty database; it is removed with the server, or by its stack.
	Create(ctx context.Context, purpose string) (*Database, error)
	// Explain names the cause that an error only hints at, such as a limit of ours.
	Explain(err error) error
}

// ErrLimit is the reason of statements that were ended because they took too long.
var ErrLimit = errors.New("limit exceeded")

// Database is one of ours.
type Database struct {
	Name   string
	Server Server
	URL    string // for programs, on this machine

	open     func() *sql.DB
	snapshot func(ctx context.Context, db *sql.DB, ignore []string) ([]schema.Object, error)
	tables   func(ctx context.Context, db *sql.DB, ignore []string) ([]*table, error)
	insert   func(table string, columns []string) string
	noTxWrap bool // of golang-migrate, for SQLite
	drop     func(ctx context.Context) error
}

// NoTxWrap tells that golang-migrate puts no transaction around a file for SQLite.
func (d *Database) NoTxWrap() bool { return d.noTxWrap }

// Drop removes the database.
func (d *Database) Drop(ctx context.Context) error { return d.drop(ctx) }

// Snapshot reads the schema.
func (d *Database) Snapshot(ctx context.Context, ignore []string) (*schema.Snapshot, error) {
	db := d.open()
	defer func() { _ = db.Close() }()
	objects, err := d.snapshot(ctx, db, ignore)
	if err != nil {
		return nil, err
	}
	for i := range objects {
		// There are no numbers that stay when a name changes, so a renaming is a drop and
		// an addition.
		objects[i].OID = identity(objects[i].Key())
	}
	return schema.New(objects), nil
}

// Exec runs statements one by one, as SQL of a dump or of seeds.
func (d *Database) Exec(ctx context.Context, text string) (line int, err error) {
	db := d.open()
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	for _, s := range d.Server.Dialect().Split(text) {
		if _, err := conn.ExecContext(ctx, s.Text); err != nil {
			return s.Line, d.Server.Explain(err)
		}
	}
	return 0, nil
}
