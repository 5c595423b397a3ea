package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// Of the database on the server itself: user and name of the database, and where it is.
const (
	databaseName   = "app"
	databasePort   = 5432
	databaseFolder = contract.AppRoot + "/.fearless/database"

	// databaseBound is how long it may take from nothing to its first answer; a micro
	// server needs some ten seconds to make one.
	databaseBound = 2 * time.Minute
	databasePoll  = 500 * time.Millisecond
)

// findPostgres puts the newest PostgreSQL of the image first, wherever a distribution
// has it.
const findPostgres = `for bin in /usr/pgsql-*/bin /usr/lib/postgresql/*/bin; do [ -x "$bin/postgres" ] && PATH="$bin:$PATH"; done
command -v postgres >/dev/null && command -v initdb >/dev/null || { echo "there is no PostgreSQL in the image: let the provision script install the server"; exit 1; }
`

// runPostgres makes an empty database when there is none, and becomes its server. It
// trusts whoever comes from this server, and listens to nobody else.
const runPostgres = findPostgres + `umask 077
if ! [ -e "$PGDATA/made" ]; then
  rm -rf "$PGDATA" && mkdir -p "$PGDATA"
  initdb --auth=trust --username=` + databaseName + ` --encoding=UTF8 --no-locale -D "$PGDATA" >/dev/null
  echo "host all all $DATABASE_HOST/32 trust" >>"$PGDATA/pg_hba.conf"
  echo "create database ` + databaseName + `" | postgres --single -D "$PGDATA" postgres >/dev/null
  : >"$PGDATA/made"
fi
exec postgres -D "$PGDATA" -c listen_addresses="$DATABASE_HOST" -c port="$DATABASE_PORT" -c unix_socket_directories= -c log_min_messages=fatal`

// askPostgres succeeds when the database answers.
const askPostgres = findPostgres + `exec pg_isready -q -h "$DATABASE_HOST" -p "$DATABASE_PORT" -d ` + databaseName

// database is PostgreSQL on this server, for the processes of this server.
type database struct {
	host string
	port int
}

// ownDatabase is the one that the user data asks for; nil: none. Where servers share an
// address its port moves as all ports do.
func (a *agent) ownDatabase(base int) (*database, error) {
	switch a.userData.Database {
	case "":
		return nil, nil
	case contract.DatabaseServer:
		return &database{host: a.address, port: databasePort + base - contract.PortBase}, nil
	}
	return nil, fmt.Errorf("the user data asks for a database %q, which this image does not know: bake a new image of the commit", a.userData.Database)
}

// url is the DATABASE_URL of the processes.
func (d *database) url() string {
	return "postgresql://" + databaseName + "@" + net.JoinHostPort(d.host, strconv.Itoa(d.port)) + "/" + databaseName + "?sslmode=disable"
}

// keepDatabase starts the database and keeps it running until stop is called. It returns
// when it answers.
func (a *agent) keepDatabase(ctx context.Context, d *database, like Call) (stop func(), err error) {
	call := like
	call.Port, call.Out = 0, a.log.process("database")
	call.Environ = append(slices.Clip(like.Environ), "PGDATA="+a.path(databaseFolder), "DATABASE_HOST="+d.host, "DATABASE_PORT="+strconv.Itoa(d.port))
	call.Shell = runPostgres
	work, end := context.WithCancel(context.WithoutCancel(ctx)) // the processes end before it
	staff := newStaff(a.Start, a.log, a.userData.DrainTime())
	staff.hire("database", call)
	ended := make(chan struct{})
	go func() { defer close(ended); staff.work(&shift{duty: work, work: work}) }()
	stop = func() { end(); <-ended }
	a.reports.set(false, "the database is starting", nil)
	call.Shell = askPostgres
	if err := a.awaitDatabase(ctx, staff, call); err != nil {
		stop()
		return nil, err
	}
	a.log.say("the database answers at %s", d.url())
	return stop, nil
}

// awaitDatabase asks until there is an answer, or no hope for one.
func (a *agent) awaitDatabase(ctx context.Context, staff *staff, ask Call) error {
	ctx, cancel := context.WithTimeoutCause(ctx, databaseBound, fmt.Errorf("the database does not answer within %s", databaseBound))
	defer cancel()
	for {
		var said bytes.Buffer
		ask.Out = &said
		process, err := a.Start(ask)
		if err == nil {
			err = process.Wait()
			process.End(time.Second)
		}
		if err == nil {
			return nil
		}
		if hopeless := staff.hopeless(); hopeless != "" {
			return errors.New(strings.TrimSuffix(hopeless+": "+lastLine(said.String()), ": "))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(databasePoll):
		}
	}
}
