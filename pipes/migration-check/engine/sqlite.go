package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// Options say how databases are made.
type Options struct {
	Statement time.Duration // how long one statement, or one file sent as a whole, may run; 0 is for ever
	Disk      int64         // bytes that a database may take; 0 is no limit
}

// sqliteServer is a directory of files.
type sqliteServer struct {
	dir, version string
	options      Options
	pragmas      []string
	noTxWrap     bool
	count        atomic.Int64
	late         atomic.Bool // a statement took too long
}

// SQLite makes databases in a directory of our own. Foreign keys are on, as applications
// have them: without them nothing that refers to rows can be lost. The address says
// otherwise: sqlite://?_pragma=foreign_keys(0), and x-no-tx-wrap=true as golang-migrate
// knows it.
func SQLite(ctx context.Context, address string, o Options, stack *undo.Stack) (Server, error) {
	s := &sqliteServer{options: o}
	if address != "" {
		u, err := url.Parse(address)
		if err != nil || u.Host != "" || strings.Trim(u.Path, "/") != "" {
			return nil, exit.Invalidf("SCRATCH_DATABASE_URL: for SQLite it gives options only, such as sqlite://?x-no-tx-wrap=true; the files are made anew")
		}
		s.pragmas = append(s.pragmas, u.Query()["_pragma"]...)
		s.noTxWrap = u.Query().Get("x-no-tx-wrap") == "true"
	}
	if !slices.ContainsFunc(s.pragmas, func(p string) bool { return strings.HasPrefix(p, "foreign_keys") }) {
		s.pragmas = append(s.pragmas, "foreign_keys(1)")
	}
	dir, err := os.MkdirTemp("", "fearless-sqlite-")
	if err != nil {
		return nil, exit.Unablef("scratch SQLite: %w", err)
	}
	stack.Defer("removing the scratch SQLite's directory", func(context.Context) error { return os.RemoveAll(dir) })
	s.dir = dir
	db := s.open(filepath.Join(dir, "version"))
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(ctx, "select sqlite_version()").Scan(&s.version); err != nil {
		return nil, exit.Unablef("scratch SQLite: %w", err)
	}
	return s, nil
}

// Name has the version of the library.
func (s *sqliteServer) Name() string { return "SQLite " + s.version }

// Dialect is SQLite's.
func (s *sqliteServer) Dialect() statement.Dialect { return statement.SQLite }

// Create names a file, which the first connection makes.
func (s *sqliteServer) Create(_ context.Context, purpose string) (*Database, error) {
	name := fmt.Sprintf("%s_%d.db", purpose, s.count.Add(1))
	file := filepath.Join(s.dir, name)
	return &Database{
		Name: name, Server: s, URL: "sqlite://" + file, noTxWrap: s.noTxWrap,
		open: func() *sql.DB { return s.open(file) },
		snapshot: func(ctx context.Context, db *sql.DB, ignore []string) ([]schema.Object, error) {
			return sqliteObjects(ctx, db, ignore)
		},
		tables: sqliteTables,
		insert: func(table string, columns []string) string {
			return insert(table, columns, `"`, "default values")
		},
		drop: func(context.Context) error { return os.Remove(file) },
	}, nil
}

// Explain tells a statement that we have interrupted.
func (s *sqliteServer) Explain(err error) error {
	if err != nil && s.late.Swap(false) {
		return fmt.Errorf("%w: it ran longer than STATEMENT_TIMEOUT, %s", ErrLimit, s.options.Statement)
	}
	var full *sqlite.Error
	if errors.As(err, &full) && full.Code()&0xff == 13 {
		return fmt.Errorf("%w: the migrations take more than DISK_LIMIT of disk (%w)", ErrLimit, err)
	}
	return err
}

func (s *sqliteServer) open(file string) *sql.DB {
	query := url.Values{"_pragma": append([]string{"busy_timeout(10000)", "synchronous(0)"}, s.pragmas...)}
	if s.options.Disk > 0 {
		query.Add("_pragma", fmt.Sprintf("max_page_count(%d)", max(1, s.options.Disk/4096)))
	}
	return sql.OpenDB(&limited{name: "file:" + file + "?" + query.Encode(), server: s})
}

// limited connects so that every statement has its time limit, which golang-migrate does
// not know for SQLite.
type limited struct {
	name   string
	server *sqliteServer
}

// Driver is what database/sql asks for.
func (l *limited) Driver() driver.Driver { return &sqlite.Driver{} }

// Connect opens the file.
func (l *limited) Connect(context.Context) (driver.Conn, error) {
	conn, err := (&sqlite.Driver{}).Open(l.name)
	if err != nil {
		return nil, err
	}
	return &limitedConn{Conn: conn, server: l.server}, nil
}

type limitedConn struct {
	driver.Conn
	server *sqliteServer
}

// ExecContext runs statements within the limit.
func (c *limitedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	bounded := ctx
	if limit := c.server.options.Statement; limit > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	result, err := c.Conn.(driver.ExecerContext).ExecContext(bounded, query, args)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		c.server.late.Store(true)
	}
	return result, err
}

// QueryContext is for questions of our own.
func (c *limitedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

// BeginTx begins a transaction.
func (c *limitedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}
