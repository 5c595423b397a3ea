package listen_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"bitbucket.org/fearless/pipes/pipes/migration-check/listen"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server/servertest"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
)

func start(t *testing.T) *server.Database {
	t.Helper()
	s := servertest.Start(t, server.Options{})
	d := servertest.Database(t, s, "state", "create table a (id int primary key, note text); insert into a select i, 'x' from generate_series(1, 20000) i; create table journal (id int)")
	return d
}

func address(l *listen.Listener) string {
	return strings.TrimPrefix(l.Environ()[0], "DATABASE_URL=")
}

// TestTrace is a program that migrates, in the ways in which drivers speak.
func TestTrace(t *testing.T) {
	t.Parallel()
	d := start(t)
	l, err := listen.Open(t.Context(), d, &trace.Options{Ignore: []string{"public.journal"}})
	if err != nil {
		t.Fatal(err)
	}
	config, err := pgx.ParseConfig(address(l) + "?application_name=me")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	run := func(text string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), text, args...); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	run("begin")
	run("set transaction isolation level serializable")
	run("alter table a add column n int default 0 not null", pgx.QueryExecModeSimpleProtocol)
	run("update a set note = $1 where id = $2", "y", 7) // prepared by name, described, executed
	run("alter table a alter column id type bigint")
	run("insert into journal values (1)")
	run("commit")
	run("create index on a (note)")              // a transaction of its own
	run("create index concurrently on a (note)") // that cannot be in one
	var names int
	if err := conn.QueryRow(t.Context(), "select count(*) from a where current_setting('application_name') = 'me'").Scan(&names); err != nil || names != 20000 {
		t.Errorf("%d %v", names, err)
	}
	if n, err := conn.CopyFrom(t.Context(), pgx.Identifier{"journal"}, []string{"id"}, pgx.CopyFromSlice(30000, func(i int) ([]any, error) { return []any{i}, nil })); err != nil || n != 30000 {
		t.Errorf("COPY: %d %v", n, err)
	}
	batch := &pgx.Batch{} // more than fits into what lies between us and the server
	for range 20 {
		batch.Queue("select repeat(note, 10) from a")
	}
	if err := conn.SendBatch(t.Context(), batch).Close(); err != nil {
		t.Errorf("pipeline: %v", err)
	}
	if _, err := conn.Exec(t.Context(), "alter table a add column n int"); err == nil {
		t.Error("twice the same column")
	}
	run("select abs(1)") // the transaction around the failure was ended
	_ = conn.Close(t.Context())

	heard := l.Close()
	var got []string
	for _, s := range heard.Trace.Steps {
		line := strings.Join(strings.Fields(s.Statement.Text)[:2], " ")
		for _, lock := range s.Locks {
			if lock.Relation.Kind == "r" {
				line += fmt.Sprintf(" %s %s", lock.Mode, lock.Relation.Name)
			}
		}
		for _, r := range s.Rewrote {
			line += " rewrites " + r.Name
		}
		for _, r := range s.Rows {
			line += fmt.Sprintf(" writes %d", r.Updated+r.Inserted)
		}
		if len(s.Held) > 0 {
			line += " held"
		}
		got = append(got, line)
	}
	want := []string{
		"alter table AccessExclusive public.a", "update a writes 1 held", "alter table rewrites public.a held", "insert into held",
		"create index Share public.a", "create index", `copy "journal"`, "alter table", "select abs(1)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if heard.Connections != 1 || heard.Refused == nil || heard.Refused.Code != "42701" || heard.Query != "alter table a add column n int" {
		t.Errorf("%+v", heard)
	}
	if _, ok := heard.Trace.After.Find("column", "public.a.n"); !ok {
		t.Error("the schema after it is not known")
	}
}

func TestRefusesStrangers(t *testing.T) {
	t.Parallel()
	d := start(t)
	l, err := listen.Open(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ url, code string }{
		{fmt.Sprintf("postgres://%s:guess@127.0.0.1:%d/%s", d.Server().Owner(), l.Port(), d.Name), "28P01"},
		{address(l) + "x", "3D000"},
	} {
		if conn, err := pgx.Connect(t.Context(), c.url); err == nil || !strings.Contains(err.Error(), c.code) {
			_ = conn
			t.Errorf("%v, want %s", err, c.code)
		}
	}
	if heard := l.Close(); heard.Connections != 0 {
		t.Errorf("%d connections", heard.Connections)
	}
}

// TestTexts are several statements in one text: each is looked at, and the program finds
// what it would find on the server itself.
func TestTexts(t *testing.T) {
	t.Parallel()
	d := start(t)
	l, err := listen.Open(t.Context(), d, &trace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgconn.Connect(t.Context(), address(l))
	if err != nil {
		t.Fatal(err)
	}
	run := func(text string) string {
		all, err := conn.Exec(t.Context(), text).ReadAll()
		var answer []string
		for _, one := range all {
			answer = append(answer, one.CommandTag.String())
		}
		var refused *pgconn.PgError
		if errors.As(err, &refused) {
			answer = append(answer, fmt.Sprintf("%s at %d", refused.Code, refused.Position))
		} else if err != nil {
			answer = append(answer, err.Error())
		}
		return strings.Join(answer, ", ") + " " + string(conn.TxStatus())
	}
	for _, c := range []struct{ text, want string }{
		{"create index by_note on a (note);\nalter table a add check (id > 0); -- last", "CREATE INDEX, ALTER TABLE I"},
		{"create table b (); select ü", "CREATE TABLE, 42703 at 27 I"},
		{"select 'b'::regclass", "42P01 at 8 I"}, // it went with what failed
		{"savepoint x; select 1", "25P01 at 0 I"},
		{"create table c (id int primary key deferrable initially deferred); insert into c values (1), (1)", "CREATE TABLE, INSERT 0 2, 23505 at 0 I"},
		{"begin; create table c ()", "BEGIN, CREATE TABLE T"},
		{"savepoint x; select 1; release x", "SAVEPOINT, SELECT 1, RELEASE T"},
		{"select 1; select oops", "SELECT 1, 42703 at 18 E"},
		{"select 1; select 2", "25P02 at 0 E"},
		{"rollback; select 1", "ROLLBACK, SELECT 1 I"},
	} {
		if got := run(c.text); got != c.want {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
	_ = conn.Close(t.Context())
	heard := l.Close()
	if s := heard.Trace.Steps; len(s) < 2 || !s[0].Statement.Is("create", "index") || !s[1].Statement.Is("alter") || len(s[1].Scanned) != 1 || len(s[1].Held) != 1 {
		t.Errorf("%+v", s)
	}
	if heard.Err != nil {
		t.Error(heard.Err)
	}
}
