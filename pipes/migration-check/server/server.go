// Package server provides the PostgreSQL that migrations are tried on: a private
// one that lives as long as the check and can be reached through a socket in its
// own directory only, or databases of our own in a server that somebody lends us.
package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"bitbucket.org/fearless/pipes/pipes/migration-check/scratch"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// Options say how a server is run and what user SQL may use of it.
type Options struct {
	Binaries string // folder of initdb and postgres; "" is looked for
	Parent   string // where the server's directory is made; "" is that of temporary files; /tmp when its path is long

	Statement time.Duration // how long one statement, or one file sent as a whole, may run; 0 is for ever
	Disk      int64         // bytes that the private server's directory may take; 0 is no limit

	Extensions []string // made in every database before migrations, as only a superuser can
	Roles      []string // made before migrations, which run as a role that cannot
}

// Server is a running PostgreSQL. Its databases are owned, and all user SQL is run, by
// a role that may log in and nothing else: what needs more fails as it would in
// production, and SQL of a branch cannot start programs.
type Server struct {
	Version string // as the server tells it, such as "15.18 (Debian 15.18-0+deb12u1)"

	config  *pgx.ConnConfig // of the administrator; copied for everyone else
	options Options
	owner   string
	secret  string // the owner's password; "" on a socket, which needs none, and of a user that was there
	prefix  string // of all names we create
	process *scratch.Process
	undo    *undo.Stack

	template string // of empty databases

	mu     sync.Mutex // guards what follows: CREATE DATABASE and the limits' reason
	admin  *pgx.Conn
	count  int
	unused string   // an empty database of the private server that it has no use for; "" is none
	limit  error    // the limit that was exceeded
	roles  []string // that we made
}

// ErrLimit is the reason of statements that were ended because they took too long or
// too much disk.
var ErrLimit = errors.New("limit exceeded")

// Start makes a new cluster, from a prepared one or in half a second, and starts it. It is
// stopped and its directory removed by the stack.
func Start(ctx context.Context, o Options, stack *undo.Stack) (*Server, error) {
	p, err := begin(ctx, o, stack)
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(fmt.Sprintf("host=%s user=%s dbname=postgres", p.Dir, superuser))
	if err != nil {
		return nil, fmt.Errorf("scratch PostgreSQL: %w", err)
	}
	s := &Server{config: config, options: o, owner: "app_owner", process: p, undo: stack, template: "template0", unused: "template1"}
	if err := s.prepare(ctx, true); err != nil {
		return nil, exit.Unablef("scratch PostgreSQL: %w", s.Explain(err))
	}
	return s, nil
}

// prepare opens the administrator's connection, makes the roles and starts to watch.
func (s *Server) prepare(ctx context.Context, superuser bool) error {
	admin, err := pgx.ConnectConfig(ctx, s.config.Copy())
	if err != nil {
		return err
	}
	s.admin = admin
	s.undo.Defer("closing the connection to the scratch server", admin.Close)
	s.Version = admin.PgConn().ParameterStatus("server_version")
	if superuser {
		if err := s.makeRoles(ctx); err != nil {
			return err
		}
	}
	return s.watch(ctx)
}

// makeRoles makes the owner and the roles that migrations grant to.
func (s *Server) makeRoles(ctx context.Context) error {
	rights := "login nosuperuser nocreatedb nocreaterole"
	if s.secret != "" {
		rights += " password '" + s.secret + "'" // letters and digits
	}
	if err := s.makeRole(ctx, s.owner, rights); err != nil {
		return err
	}
	for _, role := range s.options.Roles {
		if err := s.makeRole(ctx, role, "nologin"); err != nil {
			return fmt.Errorf("ROLES: %w", err)
		}
	}
	return nil
}

// makeRole takes one that is there as it is.
func (s *Server) makeRole(ctx context.Context, name, rights string) error {
	_, err := s.admin.Exec(ctx, "create role "+quote(name)+" "+rights)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42710" {
		return nil
	}
	if err == nil {
		s.roles = append(s.roles, name)
	}
	return err
}

// Explain names the cause that an error of a connection only hints at: that the server
// is gone, or that we have ended the statement ourselves.
func (s *Server) Explain(err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	limit := s.limit
	s.limit = nil
	s.mu.Unlock()
	if limit != nil {
		return limit
	}
	if s.process != nil {
		return s.process.Explain(err)
	}
	return err
}

// Owner is the role that owns the databases and runs all user SQL.
func (s *Server) Owner() string { return s.owner }

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
