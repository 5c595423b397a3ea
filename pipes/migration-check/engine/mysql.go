package engine

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/scratch"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// variable is where the address comes from, for messages.
const variable = "SCRATCH_DATABASE_URL"

// mysqlServer is MariaDB or MySQL. User SQL is run by a user that owns its databases and
// has no right beyond them.
type mysqlServer struct {
	name    string
	maria   bool
	config  *mysql.Config // of the administrator
	admin   *sql.DB
	owner   string
	secret  string
	prefix  string
	options Options
	undo    *undo.Stack
	process *scratch.Process // nil of a server that somebody lends us
	count   atomic.Int64

	mu    sync.Mutex
	limit error // that was exceeded
}

// MySQL uses the server at an address, or starts a private MariaDB when there is none.
func MySQL(ctx context.Context, address string, o Options, stack *undo.Stack) (Server, error) {
	if address == "" {
		return startMariaDB(ctx, o, stack)
	}
	config, err := parse(address)
	if err != nil {
		return nil, err
	}
	return connect(ctx, config, o, stack, nil)
}

// parse reads mysql://user:password@127.0.0.1:3306/database; ?socket= takes the place of
// the host. Any other host than one of this step is refused.
func parse(address string) (*mysql.Config, error) {
	u, err := url.Parse(strings.NewReplacer("@tcp(", "@", ")/", "/").Replace(address))
	if err != nil {
		// The text of the error repeats the address, with a password in it.
		return nil, exit.Invalidf("%s is not an address of a MySQL server; expected: mysql://user:password@127.0.0.1:3306/", variable)
	}
	c := mysql.NewConfig()
	c.User, c.DBName = u.User.Username(), strings.Trim(u.Path, "/")
	c.Passwd, _ = u.User.Password()
	host, port := u.Hostname(), u.Port()
	if socket := u.Query().Get("socket"); socket != "" {
		c.Net, c.Addr = "unix", socket
		return c, nil
	}
	ip := net.ParseIP(host)
	if (ip == nil || !ip.IsLoopback()) && (ip != nil || strings.Contains(host, ".") && host != "host.docker.internal") {
		return nil, exit.Refusedf("%s names %s, which may be a server that others use", variable, host).
			Hint("Databases are created and dropped there, so only a service of this step, at 127.0.0.1, localhost or host.docker.internal, is accepted; never an RDS instance.")
	}
	if port == "" {
		port = "3306"
	}
	c.Net, c.Addr = "tcp", net.JoinHostPort(host, port)
	return c, nil
}

// connect takes a server into use.
func connect(ctx context.Context, config *mysql.Config, o Options, stack *undo.Stack, process *scratch.Process) (*mysqlServer, error) {
	suffix := strings.ToLower(rand.Text()[:8])
	s := &mysqlServer{
		config: config, options: o, undo: stack, process: process,
		owner: "fearless_" + suffix, secret: rand.Text(), prefix: "fearless_" + suffix + "_",
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, exit.Invalidf("%s: %w", variable, err)
	}
	s.admin = sql.OpenDB(connector)
	stack.Defer("closing the connection to the scratch server", func(context.Context) error { return s.admin.Close() })
	var version string
	if err := s.admin.QueryRowContext(ctx, "select version()").Scan(&version); err != nil {
		return nil, exit.Unablef("%s: %w", variable, err).
			Hint("Is the service listed under the step's services, and is it up? A pipe reaches a service at 127.0.0.1 or host.docker.internal.")
	}
	number, kind, _ := strings.Cut(version, "-")
	s.maria = strings.Contains(kind, "MariaDB")
	s.name = "MySQL " + number
	if s.maria {
		s.name = "MariaDB " + number
	}
	if process == nil {
		if err := s.disposable(ctx); err != nil {
			return nil, err
		}
	}
	user := "'" + s.owner + "'@'%'"
	if _, err := s.admin.ExecContext(ctx, "create user "+user+" identified by '"+s.secret+"'"); err != nil {
		return nil, exit.Invalidf("%s: the user %s may not create users: %w", variable, config.User, err).Hint("Use root of the service container.")
	}
	stack.Defer("dropping the scratch user", func(ctx context.Context) error {
		if process != nil && process.Gone() != nil {
			return nil
		}
		_, err := s.admin.ExecContext(ctx, "drop user "+user)
		return err
	})
	s.watch(ctx)
	return s, nil
}

// disposable refuses a server that holds anything, or is a cloud's.
func (s *mysqlServer) disposable(ctx context.Context) error {
	var others, tables, managed, replicas string
	err := s.admin.QueryRowContext(ctx, `select
		coalesce((select group_concat(schema_name) from information_schema.schemata
		  where schema_name not in ('information_schema', 'mysql', 'performance_schema', 'sys', ?) and schema_name not like 'fearless\_%'), ''),
		(select count(*) from information_schema.tables where table_schema = ?),
		(select count(*) from mysql.user where user in ('rdsadmin', 'cloudsqladmin', 'azure_superuser')),
		(select count(*) from information_schema.processlist where command like 'Binlog Dump%')`, s.config.DBName, s.config.DBName).
		Scan(&others, &tables, &managed, &replicas)
	var reason string
	switch {
	case err != nil:
		return exit.Unablef("%s: %w: we cannot tell whether the server is disposable", variable, err).Hint("Use root of the service container.")
	case others != "":
		reason = "holds other databases: " + others
	case tables != "0":
		reason = "holds " + tables + " tables in the database " + s.config.DBName
	case managed != "0":
		reason = "is a cloud's managed server"
	case replicas != "0":
		reason = "takes part in replication"
	default:
		return nil
	}
	return exit.Refusedf("%s: the server %s, so it is not ours to try migrations on", variable, reason).
		Hint("Start an empty one as a service of the step (image: mariadb:10.11 or mysql:8).")
}

// Name tells MariaDB from MySQL.
func (s *mysqlServer) Name() string { return s.name }

// Dialect is the one of both.
func (s *mysqlServer) Dialect() statement.Dialect { return statement.MySQL }

// Create makes a database that the owner may do everything in.
func (s *mysqlServer) Create(ctx context.Context, purpose string) (*Database, error) {
	name := fmt.Sprintf("%s%s_%d", s.prefix, purpose, s.count.Add(1))
	for _, text := range []string{"create database `" + name + "` character set utf8mb4", "grant all on `" + name + "`.* to '" + s.owner + "'@'%'"} {
		if _, err := s.admin.ExecContext(ctx, text); err != nil {
			return nil, exit.Unablef("making the scratch database %s: %w", name, s.Explain(err))
		}
	}
	drop := func(ctx context.Context) error {
		_, err := s.admin.ExecContext(ctx, "drop database if exists `"+name+"`")
		return err
	}
	if s.process == nil {
		s.undo.Defer("dropping the scratch database "+name, drop)
	}
	config := s.config.Clone()
	config.User, config.Passwd, config.DBName, config.MultiStatements = s.owner, s.secret, name, true
	d := &Database{
		Name: name, Server: s, URL: "mysql://" + config.User + ":" + config.Passwd + "@" + config.Addr + "/" + name,
		open: func() *sql.DB {
			connector, err := mysql.NewConnector(config)
			if err != nil {
				panic(err) // it is that of the administrator, which has been used
			}
			return sql.OpenDB(connector)
		},
		snapshot: func(ctx context.Context, db *sql.DB, ignore []string) ([]schema.Object, error) {
			return mysqlObjects(ctx, db, name, s.maria, ignore)
		},
		tables: mysqlTables,
		insert: func(table string, columns []string) string { return insert(table, columns, "`", "() values ()") },
		drop:   drop,
	}
	return d, nil
}

// quote makes a name of anything.
func (d *Database) quote(name string) string {
	if d.Server.Dialect() == statement.SQLite {
		return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// pace is how often the time limit is looked at.
const pace = 200 * time.Millisecond

// watch ends the owner's statements that take too long.
func (s *mysqlServer) watch(ctx context.Context) {
	if s.options.Statement <= 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				s.enforce(ctx)
			}
		}
	}()
	s.undo.Defer("ending the watch over the scratch server", func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}

// enforce looks once. Errors are not ours to report: whoever works on the server notices.
func (s *mysqlServer) enforce(ctx context.Context) {
	var ids []int64
	rows, err := s.admin.QueryContext(ctx, "select id from information_schema.processlist where user = ? and command = 'Query' and time >= ?",
		s.owner, int64(max(1, s.options.Statement.Seconds())))
	if err != nil {
		return
	}
	for rows.Next() {
		var id int64
		if rows.Scan(&id) == nil {
			ids = append(ids, id)
		}
	}
	err = errors.Join(rows.Err(), rows.Close())
	for _, id := range ids {
		if _, killed := s.admin.ExecContext(ctx, fmt.Sprintf("kill %d", id)); err == nil && killed == nil {
			s.mu.Lock()
			s.limit = fmt.Errorf("%w: it ran longer than STATEMENT_TIMEOUT, %s", ErrLimit, s.options.Statement)
			s.mu.Unlock()
		}
	}
}

// Explain names a limit of ours, or that the private server is gone.
func (s *mysqlServer) Explain(err error) error {
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
