package schema_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server/servertest"
)

const start = `
create type colour as enum ('red', 'green');
create domain positive as int check (value > 0);
create table parents (id bigint generated always as identity primary key, name varchar(20) not null default 'x', shade colour);
create table children (id serial primary key, parent bigint references parents on delete cascade, n positive, unique (n));
create index on children (parent) where n > 3;
create view both_of_them as select c.id, p.name from children c join parents p on p.id = c.parent;
create function double(i int) returns int language sql as 'select 2 * i';
create procedure nothing() language plpgsql as 'begin end';
create function touch() returns trigger language plpgsql as 'begin return new; end';
create trigger touched before update on parents for each row execute function touch();
create table rows_of (id int) partition by range (id);
create table rows_of_1 partition of rows_of for values from (1) to (10);
create table schema_migrations (version bigint primary key, dirty boolean);
create table secret (id int, who text);
alter table secret enable row level security;
create policy mine on secret using (who = current_user);
grant select on secret to reader;
comment on table secret is 'hush';
create statistics s on id, who from secret;
create materialized view m as select 1 as one;
create sequence numbers increment 5;
create type pair as (a int, b text);
create schema other;
create table other.things (id int);
create table a_name_as_long_as_people_make_them (a_column_whose_name_is_long_too_1 int, a_column_whose_name_is_long_too_2 int);
`

// changes are single changes with the lines that tell of them. Every kind that Atlas
// does not see is among them.
var changes = []struct {
	sql  string
	want []string
}{
	{"alter table parents add column phone text", []string{"column public.parents.phone added: text"}},
	{"alter table parents drop column name cascade", []string{"column public.parents.name dropped", "view public.both_of_them dropped"}},
	{"alter table parents rename column shade to hue", []string{"column public.parents.shade renamed to public.parents.hue"}},
	{"alter table parents rename to people", []string{"table public.parents renamed to public.people"}},
	{"drop table children cascade", []string{"table public.children dropped", "view public.both_of_them dropped", "sequence public.children_id_seq dropped"}},
	{"alter table children alter n drop not null, alter n set default 3", []string{`column public.children.n changed from "public.positive" to "public.positive default 3"`}},
	{"alter type colour add value 'blue'", []string{`enum public.colour changed from "red, green" to "red, green, blue"`}},
	{"alter domain positive set not null", []string{"domain public.positive changed"}},
	{"create or replace view both_of_them as select c.id, p.name, 1 as one from children c join parents p on p.id = c.parent", []string{"column public.both_of_them.one added", "view public.both_of_them changed"}},
	{"create or replace function double(i int) returns int language sql as 'select i + i'", []string{"function public.double(i integer) changed"}},
	{"drop procedure nothing", []string{"procedure public.nothing() dropped"}},
	{"alter table parents disable trigger touched", []string{"trigger public.parents.touched changed"}},
	{"alter table rows_of detach partition rows_of_1", []string{"inheritance public.rows_of_1 from public.rows_of dropped", "table public.rows_of_1 changed"}},
	{"alter table secret disable row level security", []string{"table public.secret changed"}},
	{"drop policy mine on secret", []string{"policy public.secret.mine dropped"}},
	{"revoke select on secret from reader", []string{"grant public.secret to reader dropped"}},
	{"comment on table secret is 'what?'", []string{"comment on public.secret changed"}},
	{"comment on column secret.id is 'number'", []string{"comment on public.secret.id added"}},
	{"drop statistics s", []string{"statistics public.s dropped"}},
	{"drop materialized view m", []string{"materialized view public.m dropped"}},
	{"alter sequence numbers increment 6", []string{"sequence public.numbers changed"}},
	{"alter type pair add attribute c int", []string{"type public.pair changed"}},
	{"drop schema other cascade", []string{"schema other dropped"}},
	{"create extension citext", []string{"extension citext added"}},
	{"alter table a_name_as_long_as_people_make_them drop column a_column_whose_name_is_long_too_2", // in full more than a name may have
		[]string{"column public.a_name_as_long_as_people_make_them.a_column_whose_name_is_long_too_2 dropped"}},
	{"alter table secret replica identity full", []string{"table public.secret changed"}},
	{"alter table secret set (fillfactor = 70)", []string{"table public.secret changed"}},
	{"alter table secret set unlogged", []string{"table public.secret changed"}},
	{"alter table other.things add c text collate \"C\"", []string{`column other.things.c added: text collate "C"`}},
	{"alter table secret alter who set storage external", []string{"column public.secret.who changed"}},
	{"alter table children drop constraint children_parent_fkey, add constraint children_parent_fkey foreign key (parent) references parents on delete cascade not valid", []string{"constraint public.children.children_parent_fkey changed"}},
	{"alter table children alter constraint children_parent_fkey deferrable", []string{"constraint public.children.children_parent_fkey changed"}},
	{"alter index children_parent_idx rename to by_parent", []string{"index public.children_parent_idx renamed to public.by_parent"}},
	{"create rule no_delete as on delete to secret do instead nothing", []string{"rule public.secret.no_delete added"}},
	{"alter table parents drop column shade, add column shade colour", nil}, // position only
	{"set search_path = other; create table more ()", []string{"table other.more added"}},
}

func TestChanges(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, server.Options{Roles: []string{"reader"}})
	d, err := s.Create(t.Context(), "state")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := d.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	before := of(t, conn)
	if _, ok := before.Find("table", "public.schema_migrations"); ok {
		t.Error("an ignored table is in the snapshot")
	}
	for _, c := range changes {
		t.Run(c.sql, func(t *testing.T) { check(t, conn, before, c.sql, c.want) })
	}
	if again := of(t, conn); again.Fingerprint() != before.Fingerprint() {
		t.Error("nothing changed, but the fingerprint did")
	}
	conn.Close(t.Context())
	clone, err := s.Clone(t.Context(), "copy", d)
	if err != nil {
		t.Fatal(err)
	}
	other, err := clone.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(t.Context())
	if diff := cmp.Diff(before.Fingerprint(), of(t, other).Fingerprint()); diff != "" {
		t.Error(diff)
	}
}

func of(t *testing.T, conn *pgx.Conn) *schema.Snapshot {
	t.Helper()
	s, err := schema.Of(t.Context(), conn, "public.schema_migrations")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// check makes a change in a transaction, looks, and takes it back.
func check(t *testing.T, conn *pgx.Conn, before *schema.Snapshot, sql string, want []string) {
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context()) //nolint:errcheck // the test has its answer
	if _, err := tx.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
	after, err := schema.Take(t.Context(), tx, "public.schema_migrations")
	if err != nil {
		t.Fatal(err)
	}
	found := schema.Follow(before, after)
	lines := make([]string, len(found))
	for i, c := range found {
		lines[i] = c.String()
	}
	for _, w := range want {
		if !strings.Contains("\n"+strings.Join(lines, "\n"), "\n"+w) {
			t.Errorf("no line %q in\n%s", w, strings.Join(lines, "\n"))
		}
	}
	if len(want) != len(lines) {
		t.Errorf("%d changes, want %d:\n%s", len(lines), len(want), strings.Join(lines, "\n"))
	}
	if (before.Fingerprint() == after.Fingerprint()) != (len(want) == 0) {
		t.Error("the fingerprint says something else")
	}
}
