// Package listen stands between a program that migrates and the scratch database. The
// program connects to an address of this machine with a password of its own; what it
// sends is handed on as it is. Whoever asked is told which statements were refused, and
// what each one did.
package listen

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// Listener is open for one run of a program.
type Listener struct {
	database *server.Database
	observe  *trace.Options
	port     int
	password string
	socket   net.Listener
	cancel   context.CancelFunc
	sessions sync.WaitGroup

	mu    sync.Mutex // guards what follows
	heard Heard
	open  map[net.Conn]bool
}

// Heard is what went through.
type Heard struct {
	Connections int
	Refused     *pgconn.PgError // the last one that the server refused
	Query       string          // what that was
	Took        time.Duration   // that the server worked for the program
	Trace       *trace.Trace    // nil when nobody asked for it
	Err         error           // why the trace is not complete
}

// Open listens for programs that want the database. With observe each statement is traced.
func Open(ctx context.Context, d *server.Database, observe *trace.Options) (*Listener, error) {
	socket, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, exit.Unablef("listening for the tool: %w", err)
	}
	address, ok := socket.Addr().(*net.TCPAddr)
	if !ok {
		return nil, exit.Unablef("listening for the tool: %s", socket.Addr())
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &Listener{database: d, observe: observe, port: address.Port, password: rand.Text(), socket: socket, cancel: cancel, open: map[net.Conn]bool{}}
	if observe != nil {
		l.heard.Trace = &trace.Trace{}
	}
	go l.accept(ctx)
	return l, nil
}

// Port is the one of 127.0.0.1 that it listens on.
func (l *Listener) Port() int { return l.port }

// Environ are the variables by which programs find a database: DATABASE_URL, and those of
// PostgreSQL's own library.
func (l *Listener) Environ() []string {
	user, port := l.database.Server().Owner(), fmt.Sprint(l.port)
	return []string{
		"DATABASE_URL=postgresql://" + user + ":" + l.password + "@127.0.0.1:" + port + "/" + l.database.Name,
		"PGHOST=127.0.0.1", "PGPORT=" + port, "PGUSER=" + user, "PGPASSWORD=" + l.password, "PGDATABASE=" + l.database.Name,
		"PGSSLMODE=disable", "PGGSSENCMODE=disable",
	}
}

// Close waits for connections that are being ended, ends the others, and tells what was
// heard. The program must have ended.
func (l *Listener) Close() Heard {
	_ = l.socket.Close()
	l.mu.Lock()
	for conn := range l.open {
		_ = conn.SetReadDeadline(time.Now()) // what the program has sent before it ended is still worked on
	}
	l.mu.Unlock()
	l.sessions.Wait()
	l.cancel()
	return l.heard
}

func (l *Listener) accept(ctx context.Context) {
	for {
		conn, err := l.socket.Accept()
		if err != nil {
			return // closed
		}
		l.mu.Lock()
		l.open[conn] = true
		l.mu.Unlock()
		l.sessions.Go(func() {
			l.serve(ctx, conn)
			l.mu.Lock()
			delete(l.open, conn)
			l.mu.Unlock()
			_ = conn.Close()
		})
	}
}

// serve brings a connection up and works on it to its end.
func (l *Listener) serve(ctx context.Context, conn net.Conn) {
	client := pgproto3.NewBackend(conn, conn)
	parameters, ok := l.greet(conn, client)
	if !ok {
		return
	}
	upstream, err := l.database.ConnectFor(ctx, parameters)
	if err != nil {
		refuse(client, "08006", err.Error())
		return
	}
	defer upstream.Close(context.WithoutCancel(ctx))
	s := &session{listener: l, client: client, conn: upstream, server: upstream.PgConn().Frontend(), status: 'I',
		prepared: map[string]string{}, portals: map[string]string{}}
	if l.observe != nil {
		if s.observer, err = trace.Observe(ctx, upstream, *l.observe); err != nil {
			refuse(client, "08006", "tracing: "+err.Error())
			return
		}
	}
	l.mu.Lock()
	l.heard.Connections++
	l.mu.Unlock()
	client.Send(&pgproto3.AuthenticationOk{})
	for _, name := range reported {
		if value := upstream.PgConn().ParameterStatus(name); value != "" {
			client.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
		}
	}
	client.Send(&pgproto3.BackendKeyData{ProcessID: upstream.PgConn().PID(), SecretKey: []byte{0, 0, 0, 0}})
	client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if client.Flush() == nil {
		s.run(ctx)
	}
	if s.observer != nil {
		s.end(ctx)
	}
}

// reported are the settings of which a server tells its clients.
var reported = []string{
	"server_version", "server_encoding", "client_encoding", "application_name", "default_transaction_read_only", "in_hot_standby",
	"is_superuser", "session_authorization", "DateStyle", "IntervalStyle", "TimeZone", "integer_datetimes", "standard_conforming_strings",
}

// worked counts how long the server did.
func (l *Listener) worked(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard.Took += took
}

// add puts a connection's trace behind those of connections before it.
func add(all, more *trace.Trace) {
	if all.Before == nil {
		all.Before = more.Before
	}
	all.Steps = append(all.Steps, more.Steps...)
	all.Took += more.Took
	if len(more.Steps) > 0 || all.After == nil {
		all.After = more.After
	}
}

// greet does what comes before a connection works: no encryption on one machine, a
// password so that only the program gets in, and one database.
func (l *Listener) greet(conn net.Conn, client *pgproto3.Backend) (map[string]string, bool) {
	for {
		message, err := client.ReceiveStartupMessage()
		if err != nil {
			return nil, false
		}
		switch m := message.(type) {
		case *pgproto3.SSLRequest, *pgproto3.GSSEncRequest:
			if _, err := conn.Write([]byte{'N'}); err != nil {
				return nil, false
			}
		case *pgproto3.StartupMessage:
			return l.admit(client, m)
		default:
			return nil, false // a request to cancel: the statement's own limits end it
		}
	}
}

func (l *Listener) admit(client *pgproto3.Backend, m *pgproto3.StartupMessage) (map[string]string, bool) {
	client.Send(&pgproto3.AuthenticationCleartextPassword{})
	if client.Flush() != nil || client.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
		return nil, false
	}
	answer, err := client.Receive()
	given, ok := answer.(*pgproto3.PasswordMessage)
	switch {
	case err != nil || !ok:
		return nil, false
	case subtle.ConstantTimeCompare([]byte(given.Password), []byte(l.password)) != 1:
		refuse(client, "28P01", "password authentication failed: the scratch database has one of its own, in DATABASE_URL and PGPASSWORD")
		return nil, false
	case m.Parameters["database"] != l.database.Name:
		refuse(client, "3D000", fmt.Sprintf("database %q is not the one to migrate: that is %q, in DATABASE_URL and PGDATABASE", m.Parameters["database"], l.database.Name))
		return nil, false
	}
	parameters := map[string]string{}
	for name, value := range m.Parameters {
		if !slices.Contains([]string{"user", "database", "replication"}, name) {
			parameters[name] = value
		}
	}
	return parameters, true
}

func refuse(client *pgproto3.Backend, code, message string) {
	client.Send(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: message})
	_ = client.Flush() // it goes either way
}
