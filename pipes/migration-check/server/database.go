package server

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Database is one of ours.
type Database struct {
	Name   string
	server *Server

	mu      sync.Mutex // guards what follows
	looking *pgx.Conn  // kept for Look; nil is none
}

// Create makes an empty database with the extensions that were asked for.
func (s *Server) Create(ctx context.Context, purpose string) (*Database, error) {
	d, err := s.create(ctx, purpose, s.template, "")
	if err != nil {
		return nil, err
	}
	for _, extension := range s.options.Extensions {
		if err := s.extend(ctx, d, extension); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Clone copies a database, which takes 30 to 100 ms. Nobody may be connected to it.
func (s *Server) Clone(ctx context.Context, purpose string, of *Database) (*Database, error) {
	if err := of.LookAway(ctx); err != nil {
		return nil, exit.Unablef("scratch database: %w", s.Explain(err))
	}
	// Copying files beats copying through the log when nothing waits for the disk.
	return s.create(ctx, purpose, of.Name, " strategy file_copy")
}

func (s *Server) create(ctx context.Context, purpose, template, more string) (*Database, error) {
	s.mu.Lock()
	s.count++
	d := &Database{Name: fmt.Sprintf("%s%s_%d", s.prefix, purpose, s.count), server: s}
	text := fmt.Sprintf("create database %s owner %s template %s%s", quote(d.Name), quote(s.owner), quote(template), more)
	if s.unused != "" && template == s.template {
		// Every cluster comes with two templates, one of which can be used up: that saves a copy.
		text = fmt.Sprintf("alter database %s rename to %s; alter database %[2]s is_template false; alter database %[2]s owner to %[3]s",
			quote(s.unused), quote(d.Name), quote(s.owner))
		s.unused = ""
	}
	_, err := s.admin.Exec(ctx, text)
	s.mu.Unlock()
	if err != nil {
		return nil, exit.Unablef("making the scratch database %s: %w", d.Name, s.Explain(err))
	}
	if s.process == nil {
		s.undo.Defer("dropping the scratch database "+d.Name, func(ctx context.Context) error { return s.Drop(ctx, d) })
	}
	return d, nil
}

// extend makes an extension as the administrator.
func (s *Server) extend(ctx context.Context, d *Database, extension string) error {
	config := s.config.Copy()
	config.Database = d.Name
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return exit.Unablef("scratch database: %w", s.Explain(err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "create extension if not exists "+quote(extension)+" cascade"); err != nil {
		return MissingExtension(fmt.Errorf("EXTENSIONS: %w", err))
	}
	return nil
}

// MissingExtension makes an error of ours from one that is: an extension that the
// server does not have says nothing about the migration.
func MissingExtension(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "0A000" && strings.Contains(pg.Message, "extension") &&
		strings.Contains(pg.Message, "is not available") {
		return exit.Unablef("%w", err).Hint("The scratch PostgreSQL does not have this extension, so nothing could be judged.",
			"Run a server that has it as a service container and set SCRATCH_DATABASE_URL to it.")
	}
	return err
}

// Drop removes a database and whoever is connected to it. One that is gone is fine.
func (s *Server) Drop(ctx context.Context, d *Database) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.admin.Exec(ctx, "drop database if exists "+quote(d.Name)+" with (force)")
	return err
}

// config is the owner's way into the database.
func (d *Database) config() *pgx.ConnConfig {
	config := d.server.config.Copy()
	config.Database = d.Name
	config.User = d.server.owner
	if d.server.secret != "" {
		config.Password = d.server.secret
	}
	return config
}

// Connect opens a connection as the owner.
func (d *Database) Connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, d.config())
	if err != nil {
		return nil, exit.Unablef("scratch database: %w", d.server.Explain(err))
	}
	return conn, nil
}

// Look lends a connection as the owner for questions, and keeps it for the next ones: a
// new one has to learn the catalogue, which takes longer than the question.
func (d *Database) Look(ctx context.Context, with func(*pgx.Conn) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.looking == nil || d.looking.IsClosed() {
		conn, err := d.Connect(ctx)
		if err != nil {
			return err
		}
		d.looking = conn
	}
	err := with(d.looking)
	if err != nil {
		_ = d.looking.Close(context.WithoutCancel(ctx)) // it may be in the middle of something
		d.looking = nil
	}
	return err
}

// LookAway ends the connection that was kept.
func (d *Database) LookAway(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.looking == nil {
		return nil
	}
	conn := d.looking
	d.looking = nil
	return conn.Close(ctx)
}

// ConnectFor opens a connection as the owner on behalf of a program, with the settings
// that the program asked for. Nothing of ours stays in the session between statements.
func (d *Database) ConnectFor(ctx context.Context, parameters map[string]string) (*pgx.Conn, error) {
	config := d.config()
	maps.Copy(config.RuntimeParams, parameters)
	config.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	config.StatementCacheCapacity, config.DescriptionCacheCapacity = 0, 0
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, d.server.Explain(err)
	}
	return conn, nil
}

// Open is the same for database/sql; nothing is dialled yet.
func (d *Database) Open() *sql.DB { return stdlib.OpenDB(*d.config()) }

// OpenNoting is Open, and hands on each connection when it is made.
func (d *Database) OpenNoting(made func(context.Context, *pgx.Conn) error) *sql.DB {
	return stdlib.OpenDB(*d.config(), stdlib.OptionAfterConnect(made))
}

// URL is the owner's way for programs. It works on this machine only.
func (d *Database) URL() string {
	c := d.config()
	u := url.URL{Scheme: "postgresql", Path: "/" + d.Name, User: url.User(c.User)}
	if c.Password != "" {
		u.User = url.UserPassword(c.User, c.Password)
	}
	if strings.HasPrefix(c.Host, "/") {
		u.RawQuery = url.Values{"host": {c.Host}, "port": {fmt.Sprint(c.Port)}}.Encode()
	} else {
		u.Host = fmt.Sprintf("%s:%d", c.Host, c.Port)
	}
	return u.String()
}

// Server is where the database lives.
func (d *Database) Server() *Server { return d.server }

// Terminate ends the connections to the database, as the only way to stop who works on
// it without a context.
func (d *Database) Terminate(ctx context.Context) error {
	d.server.mu.Lock()
	defer d.server.mu.Unlock()
	_, err := d.server.admin.Exec(ctx, "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()", d.Name)
	return err
}

// TerminateAfter does that when the context ends. The function that it returns calls it
// off, or waits until it is done: the server may be taken down after that.
func (d *Database) TerminateAfter(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	callOff := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = d.Terminate(context.WithoutCancel(ctx))
	})
	return func() {
		if !callOff() {
			<-done
		}
	}
}
