// Package trace runs one migration statement by statement in a clone of the database
// and writes down what each did there: locks, tables written anew, tables read as a
// whole, rows, and what became different in the schema. It sees what a statement does
// on this server, whatever function or DO block hides it.
package trace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

// Trace is what one file did.
type Trace struct {
	Steps  []Step
	Before *schema.Snapshot
	After  *schema.Snapshot // nil when it failed
	Took   time.Duration    // of the statements alone

	Failed *Failure
	// Leaks are settings of the session that outlive the file, by name.
	Leaks []string
	// EndsItself tells that a statement commits within itself, so that nobody could see
	// what it locks.
	EndsItself bool
}

// Failure is a statement that the server refused.
type Failure struct {
	Step int // index; of a COMMIT that failed, the last
	Line int
	Code string
	Err  error
}

// Step is one statement with what it did.
type Step struct {
	Statement statement.Statement
	Took      time.Duration

	Locks   []Lock // that it was the first to take, or to take so strongly
	Held    []Lock // strong ones that the statements before it have left
	Rewrote []Relation
	Rebuilt []Relation // indexes
	Scanned []Relation
	Rows    []Rows
	Changes []schema.Change

	LockTimeout   string // in force when it began; "0" is none
	InTransaction bool   // with other statements
}

// Relation is a table, index or view that was there before the migration.
type Relation struct {
	OID   int64
	Name  string // in full
	Kind  string // relkind
	Table string // of an index or TOAST table: what it belongs to; else Name
	file  int64
}

// Lock is one on a relation.
type Lock struct {
	Relation Relation
	Mode     Mode
}

// Rows is how many rows a statement wrote in a table.
type Rows struct {
	Relation                   Relation
	Inserted, Updated, Deleted int64
}

// Options say what counts.
type Options struct {
	Ignore []string // tables of the tool, as for schema.Take
	// Existing are the relations that production has; nil is those at the start of this
	// file. What an earlier migration of the same change made is empty and unused.
	Existing map[int64]bool
	// Before is the schema at the start, where it is known; nil is read.
	Before *schema.Snapshot
	// Undo takes everything back at the end, so that no copy of the database is needed. It
	// is for files that Undoable allows.
	Undo bool
	// Transaction is what the tool puts around the file.
	Transaction statement.Transaction
}

// Undoable tells a file, in one transaction, that leaves nothing behind when its transaction is rolled back,
// and of which the same can be seen: it only changes the schema. Sequences and settings
// of the session are not rolled back, or are when they should not be.
func Undoable(text string) bool {
	statements := statement.Split(text)
	for _, s := range statements {
		if s.OutsideTransactions() || s.Has("temp") || s.Has("temporary") || s.Is("create", "table") && s.Has("as") ||
			!s.Is("create") && !s.Is("alter") && !s.Is("drop") && !s.Is("comment") && !s.Is("set", "local") {
			return false
		}
	}
	return len(statements) > 0
}

// Run traces a file's text. An error means that we could not; a file that fails is in
// Trace.Failed.
func Run(ctx context.Context, d *server.Database, text string, o Options) (*Trace, error) {
	conn, err := d.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	t := &tracer{conn: conn, server: d.Server(), options: o, trace: &Trace{}}
	if err := t.run(ctx, statement.Split(text)); err != nil {
		return nil, fmt.Errorf("tracing: %w", d.Server().Explain(err))
	}
	return t.trace, nil
}

type tracer struct {
	conn    *pgx.Conn
	server  *server.Server
	options Options
	trace   *Trace
	session server.Session // at the start

	relations map[int64]Relation // that count, by oid
	held      map[int64]Mode     // in the current transaction
	scans     map[int64]int64    // counters at the last look
	rows      map[int64]Rows
	schema    *schema.Snapshot
	open      bool // in a transaction of ours or of the file's
}

func (t *tracer) run(ctx context.Context, statements []statement.Statement) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	alone := t.options.Transaction.Alone(len(statements))
	for at, s := range statements {
		if s.Begins() && t.open {
			t.trace.Steps = append(t.trace.Steps, Step{Statement: s, LockTimeout: "0"})
			continue // it is the implicit transaction's until now, the file's from now on
		}
		run := t.step
		if alone && !t.open && !s.Begins() {
			run = t.only
		} else if !t.open && !s.Begins() {
			if err := t.transaction(ctx, "begin"); err != nil {
				return err
			}
		}
		if err := run(ctx, at, s, !alone); err != nil || t.trace.Failed != nil {
			return err
		}
	}
	if err := t.end(ctx, len(statements)-1); err != nil || t.trace.Failed != nil {
		return err
	}
	t.trace.After = t.schema
	return t.leaks(ctx)
}

// end closes what is open behind the last statement. What is put off to the end of the
// transaction must not be forgotten.
func (t *tracer) end(ctx context.Context, last int) error {
	if !t.open {
		return nil
	}
	end := "commit"
	if t.options.Undo {
		end = "set constraints all immediate; rollback"
	}
	failed, err := t.send(ctx, statement.Statement{Text: end})
	t.fail(last, failed)
	t.open = failed != nil || err != nil
	return err
}

// only runs a statement that the tool sends by itself, in a transaction of ours so that
// its locks can be seen, unless it refuses one. One that fails for no other reason than
// that, such as a DO block that commits after each batch of rows, is run again without.
func (t *tracer) only(ctx context.Context, at int, s statement.Statement, inTransaction bool) error {
	if s.OutsideTransactions() {
		return t.step(ctx, at, s, inTransaction)
	}
	if err := t.transaction(ctx, "begin"); err != nil {
		return err
	}
	err := t.step(ctx, at, s, inTransaction)
	switch {
	case err != nil:
		return err
	case t.trace.Failed == nil:
		return t.end(ctx, at)
	case t.trace.Failed.Code != "2D000":
		return nil
	}
	t.trace.Failed, t.trace.Steps, t.trace.EndsItself = nil, t.trace.Steps[:len(t.trace.Steps)-1], true
	if err := t.transaction(ctx, "rollback"); err != nil {
		return err
	}
	return t.step(ctx, at, s, inTransaction)
}

// begin reads what is there.
func (t *tracer) begin(ctx context.Context) error {
	var err error
	if t.schema = t.options.Before; t.schema == nil {
		if t.schema, err = schema.Of(ctx, t.conn, t.options.Ignore...); err != nil {
			return err
		}
	}
	t.trace.Before = t.schema
	if t.relations, err = relations(ctx, t.conn, t.options.Existing); err != nil {
		return err
	}
	t.forget()
	t.session, err = server.SessionOf(ctx, t.conn)
	return err
}

// forget starts a transaction's account.
func (t *tracer) forget() {
	t.held, t.scans, t.rows = map[int64]Mode{}, map[int64]int64{}, map[int64]Rows{}
}

func (t *tracer) transaction(ctx context.Context, text string) error {
	if _, err := t.conn.Exec(ctx, text); err != nil {
		return err
	}
	t.open = text == "begin"
	if t.open {
		t.forget()
		// What is counted is the difference; the counters outlive a rollback.
		_, _, err := t.counters(ctx)
		return err
	}
	return nil
}

// step runs one statement and looks at what it did.
func (t *tracer) step(ctx context.Context, at int, s statement.Statement, inTransaction bool) error {
	step := Step{Statement: s, InTransaction: inTransaction, Held: t.strong()}
	if err := t.conn.QueryRow(ctx, "select current_setting('lock_timeout')").Scan(&step.LockTimeout); err != nil {
		return err
	}
	began := time.Now()
	failed, err := t.send(ctx, s)
	step.Took = time.Since(began)
	t.trace.Took += step.Took
	if err != nil {
		return err
	}
	if failed != nil {
		t.trace.Steps = append(t.trace.Steps, step)
		t.fail(at, failed)
		return nil
	}
	switch {
	case s.Ends():
		t.open = false
		t.forget()
	case s.Begins():
		t.open = true
		t.forget()
		_, _, err = t.counters(ctx)
	default:
		err = t.look(ctx, &step)
	}
	t.trace.Steps = append(t.trace.Steps, step)
	return err
}

// send runs user SQL as it is. The first result is the server's refusal of it.
func (t *tracer) send(ctx context.Context, s statement.Statement) (*pgconn.PgError, error) {
	if s.Data { // the server would wait for rows for ever
		return &pgconn.PgError{Severity: "ERROR", Code: "42601", Message: "COPY … FROM stdin needs its rows from a client such as psql"}, nil
	}
	_, err := t.conn.PgConn().Exec(ctx, s.Text).ReadAll()
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code != "57P01" {
		return refused, nil
	}
	if err != nil {
		if explained := t.server.Explain(err); errors.Is(explained, server.ErrLimit) {
			return &pgconn.PgError{Severity: "ERROR", Code: "57P01", Message: explained.Error()}, nil
		}
	}
	return nil, err
}

// fail places a refusal.
func (t *tracer) fail(at int, refused *pgconn.PgError) {
	if refused == nil {
		return
	}
	s := t.trace.Steps[max(0, min(at, len(t.trace.Steps)-1))].Statement
	t.trace.Failed = &Failure{Step: at, Line: s.LineAt(int(refused.Position)), Code: refused.Code, Err: refused}
}

// strong are the held locks that others wait for.
func (t *tracer) strong() []Lock {
	var all []Lock
	for oid, mode := range t.held {
		if mode.BlocksWrites() {
			all = append(all, Lock{t.relations[oid], mode})
		}
	}
	return sortLocks(all)
}
