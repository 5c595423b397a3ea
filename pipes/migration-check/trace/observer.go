package trace

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

// Observer takes down what a program does on a connection that it believes to be its own.
// Between two statements of the program, in its own transaction, it looks as Run does.
// Whoever owns the connection calls it, never while a statement runs.
type Observer struct {
	t       *tracer
	step    *Step // that runs now; nil is one that is passed over
	began   time.Time
	wrapped bool // the transaction around the statement is ours
}

// Observe begins to look at a connection, which must be idle.
func Observe(ctx context.Context, conn *pgx.Conn, o Options) (*Observer, error) {
	t := &tracer{conn: conn, options: o, trace: &Trace{}}
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	for oid, r := range t.relations {
		if slices.Contains(o.Ignore, r.Name) || slices.Contains(o.Ignore, r.Table) {
			delete(t.relations, oid) // what the tool writes for itself is no migration
		}
	}
	return &Observer{t: t}, nil
}

// Before is called before a statement is sent. inTransaction is how the connection stands.
// What would be a transaction of its own is put into one of ours, or its locks would be
// gone before anybody could look.
func (o *Observer) Before(ctx context.Context, text string, inTransaction bool) error {
	o.step = nil
	s := joined(text)
	if passesOver(s) {
		return nil
	}
	if !inTransaction {
		o.t.forget()
		if wraps(s) {
			if _, err := o.t.conn.Exec(ctx, "begin"); err != nil {
				return err
			}
			o.wrapped, inTransaction = true, true
		}
	}
	o.t.open = inTransaction
	step := Step{Statement: s, InTransaction: inTransaction && !o.wrapped, Held: o.t.strong()}
	if !s.OutsideTransactions() {
		if err := o.t.conn.QueryRow(ctx, "select current_setting('lock_timeout')").Scan(&step.LockTimeout); err != nil {
			return err
		}
		// What it read before was not read under these locks; and counters outlive a transaction.
		if _, _, err := o.t.counters(ctx); err != nil {
			return err
		}
	}
	o.step, o.began = &step, time.Now()
	return nil
}

// After is called when the statement has ended, and tells how the connection stands for
// the program: status is the server's own letter.
func (o *Observer) After(ctx context.Context, status byte, refused *pgconn.PgError) (byte, error) {
	if status == 'I' {
		defer o.t.forget()
	}
	if o.step == nil {
		return status, nil
	}
	step := o.step
	o.step = nil
	step.Took = time.Since(o.began)
	o.t.trace.Took += step.Took
	if refused == nil && status != 'E' {
		o.t.open = status == 'T'
		if err := o.t.look(ctx, step); err != nil {
			return status, err
		}
	}
	o.t.trace.Steps = append(o.t.trace.Steps, *step)
	if !o.wrapped {
		return status, nil
	}
	o.wrapped = false
	end := "commit"
	if refused != nil || status == 'E' {
		end = "rollback"
	}
	_, err := o.t.conn.Exec(ctx, end)
	return 'I', err
}

// End is called when the program has ended, and tells what was seen. Changes of the schema
// that no statement was seen to make, such as by a function in a SELECT, are part of After.
func (o *Observer) End(ctx context.Context) (*Trace, error) {
	after, err := schema.Of(ctx, o.t.conn, o.t.options.Ignore...)
	o.t.trace.After = after
	return o.t.trace, err
}

// joined is a text that a program sends at once, as one statement.
func joined(text string) statement.Statement {
	all := statement.Split(text)
	if len(all) == 0 {
		return statement.Statement{Text: text}
	}
	first := max(0, slices.IndexFunc(all, func(s statement.Statement) bool { return !passesOver(s) }))
	s := all[first]
	for _, more := range all[first+1:] {
		s.Tokens = append(s.Tokens, more.Tokens...)
		s.Text, s.End, s.EndLine = text[s.Start:more.End], more.End, more.EndLine
	}
	return s
}

// passesOver tells statements that do nothing that others wait for. A look before SET
// TRANSACTION would also be one too many for the server.
func passesOver(s statement.Statement) bool {
	for _, word := range []string{"set", "reset", "show", "savepoint", "release", "deallocate", "discard", "fetch", "close", "declare", "listen", "explain"} {
		if s.Is(word) {
			return true
		}
	}
	return len(s.Tokens) == 0 || s.Begins() || s.Ends() || s.Is("rollback") || s.Is("select") && asksOnly(s)
}

// asksOnly tells a SELECT that changes no schema: it calls no function, or only reads what
// functions give, or is the lock that tools keep on a connection of its own, where a look
// would see what they have done on another one.
func asksOnly(s statement.Statement) bool {
	return s.Has("from") || !strings.Contains(s.Text, "(") || strings.Contains(strings.ToLower(s.Text), "_advisory_")
}

// wraps tells what PostgreSQL does equally in a transaction around it alone.
func wraps(s statement.Statement) bool {
	if s.OutsideTransactions() {
		return false
	}
	for _, word := range []string{"alter", "create", "drop", "comment", "truncate", "insert", "update", "delete", "grant", "revoke", "reindex", "refresh"} {
		if s.Is(word) {
			return true
		}
	}
	return false
}
