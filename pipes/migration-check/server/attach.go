package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// variable is where the address comes from, for messages.
const variable = "SCRATCH_DATABASE_URL"

// Attach uses a server that somebody else runs, such as a service container. Databases
// of our own are made there, under names that nobody has, and dropped; no other one is
// touched. It refuses a server that may be anything but disposable.
func Attach(ctx context.Context, address string, o Options, stack *undo.Stack) (*Server, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		// The text of the error repeats the address, with a password in it.
		return nil, exit.Invalidf("%s is not an address of a PostgreSQL server; expected: postgres://user:password@127.0.0.1:5432/postgres", variable)
	}
	if err := near(config); err != nil {
		return nil, err
	}
	suffix := strings.ToLower(rand.Text()[:8])
	s := &Server{config: config, options: o, owner: "fearless_" + suffix + "_owner", prefix: "fearless_" + suffix + "_", undo: stack, template: "template1"}
	conn, err := pgx.ConnectConfig(ctx, config.Copy())
	if err != nil {
		return nil, exit.Unablef("%s: %w", variable, err).
			Hint("Is the service listed under the step's services, and is it up? A pipe reaches a service at 127.0.0.1 or host.docker.internal.")
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := disposable(ctx, conn, config.Database); err != nil {
		return nil, err
	}
	var super, createdb bool
	if err := conn.QueryRow(ctx, "select rolsuper, rolcreatedb from pg_roles where rolname = current_user").Scan(&super, &createdb); err != nil {
		return nil, exit.Unablef("%s: %w", variable, err)
	}
	switch {
	case super:
		s.secret = rand.Text()
		stack.Defer("dropping the scratch roles", s.dropRoles)
	case createdb:
		s.owner = config.User
	default:
		return nil, exit.Invalidf("%s: the user %s may not create databases", variable, config.User).
			Hint("Use the superuser of the service container.")
	}
	if err := s.prepare(ctx, super); err != nil {
		return nil, exit.Unablef("%s: %w", variable, err)
	}
	s.config.Database = config.Database
	return s, nil
}

// dropRoles runs after all databases are dropped and our connections are closed.
func (s *Server) dropRoles(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, s.config.Copy())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, role := range s.roles {
		if _, err := conn.Exec(ctx, "drop role if exists "+quote(role)); err != nil {
			return err
		}
	}
	return nil
}

// near refuses what a pipeline's own services are not: a host of the world.
func near(config *pgx.ConnConfig) error {
	hosts := []string{config.Host}
	for _, f := range config.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	for _, host := range hosts {
		ip := net.ParseIP(host)
		switch {
		case strings.HasPrefix(host, "/"), ip != nil && ip.IsLoopback():
		case ip == nil && (!strings.Contains(host, ".") || host == "host.docker.internal"):
			// A name without a dot is localhost or a container beside this one.
		default:
			return exit.Refusedf("%s names %s, which may be a server that others use", variable, host).
				Hint("Databases are created and dropped there, so only a service of this step, at 127.0.0.1, localhost or host.docker.internal, is accepted; never an RDS instance.",
					"Leave it out: the pipe's image carries a PostgreSQL of its own.")
		}
	}
	return nil
}

// disposable refuses a server that holds anything.
func disposable(ctx context.Context, conn *pgx.Conn, ours string) error {
	rows, err := conn.Query(ctx, "select datname from pg_database where not datistemplate order by 1")
	if err != nil {
		return exit.Unablef("%s: %w", variable, err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return exit.Unablef("%s: %w", variable, err)
	}
	others := slices.DeleteFunc(names, func(name string) bool {
		return name == "postgres" || name == ours || strings.HasPrefix(name, "fearless_")
	})
	var relations, replicas int
	var recovery, managed bool
	err = conn.QueryRow(ctx, `select
		(select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
		  where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'),
		(select count(*) from pg_stat_replication) + (select count(*) from pg_replication_slots),
		pg_is_in_recovery(),
		exists (select 1 from pg_roles where rolname in ('rds_superuser', 'rdsadmin', 'cloudsqlsuperuser', 'azure_superuser'))`).
		Scan(&relations, &replicas, &recovery, &managed)
	if err != nil {
		return exit.Unablef("%s: %w: we cannot tell whether the server is disposable", variable, err)
	}
	var reason string
	switch {
	case len(others) > 0:
		reason = "holds other databases: " + strings.Join(others, ", ")
	case relations > 0:
		reason = fmt.Sprintf("holds %d relations in the database %s", relations, ours)
	case managed:
		reason = "is a cloud's managed server"
	case recovery || replicas > 0:
		reason = "takes part in replication"
	default:
		return nil
	}
	return exit.Refusedf("%s: the server %s, so it is not ours to try migrations on", variable, reason).
		Hint("Start an empty one as a service of the step (image: postgres:15), or leave the variable out: the pipe's image carries a PostgreSQL of its own.")
}
