package rows_test

import (
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rows"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server/servertest"
)

const start = `
create type colour as enum ('red', 'green', 'blue');
create domain short as varchar(3) not null;
create table parent (id serial primary key, code varchar(5) unique not null, price numeric(10,4) not null, rate numeric(3,3), seen timestamp not null);
create table child (id uuid primary key, parent int not null references parent, boss uuid references child, c colour not null, s short, ip inet, j jsonb, tags text[], during tsrange, fixed char(4), double int generated always as (3) stored);
create table one_to_one (parent int primary key references parent, name text not null);
create table strict (n int check (n > 100));
create table impossible (n int not null check (n <> n));
create table parted (id int not null, at date) partition by range (id);
create table parted_1 partition of parted for values from (0) to (1000);
create table log (version bigint);
create table weird ("A b" text, "select" int not null);
create table only_own (id serial primary key);
create domain kind as text check (value in ('big', 'small'));
create table named (status text not null check (status in ('new', 'it''s paid')), k kind not null, at date not null check (at >= '2026-01-01' and at < '2027-01-01'), note varchar(20) not null check (note <> ''));
create table left_over (a int references right_over_not_there(id));
`

func TestGenerateAndCompare(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, server.Options{})
	d, err := s.Create(t.Context(), "state")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := d.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.SplitSeq(strings.TrimSpace(start), ";\n") {
		if _, err := conn.Exec(t.Context(), text); err != nil && !strings.Contains(text, "not_there") {
			t.Fatal(text, err)
		}
	}
	g, err := rows.Generate(t.Context(), conn, []string{"public.log"}, true)
	if err != nil {
		t.Fatal(err)
	}
	if g.Tables != 8 || len(g.Empty) != 1 || !strings.Contains(g.Empty[0], "impossible") {
		t.Errorf("%+v", g)
	}
	before, err := rows.Take(t.Context(), conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	for table, n := range map[string]int64{"public.parent": 3, "public.child": 3, "public.one_to_one": 3, "public.strict": 2, "public.parted": 3, "public.log": 0, "public.weird": 3, "public.named": 3, "public.only_own": 3} {
		if before[table].Count != n {
			t.Errorf("%s has %d rows, want %d", table, before[table].Count, n)
		}
	}
	for _, c := range []struct{ sql, want string }{
		{"alter table parent alter price type numeric(12,6)", ""},
		{"alter table parent alter price type numeric(10,2)", "values of public.parent.price read otherwise as numeric(10,2) than they did as numeric(10,4)"},
		{"alter table parent alter code type varchar(2) using left(code, 2)", "public.parent.code"},
		{"alter table parent alter seen type timestamptz", ""},
		{"alter table child alter fixed type text", ""},
		{"alter table parent alter id type bigint", ""},
		{"delete from child", "public.child had 3 rows and has 0"},
		{"update weird set \"A b\" = 'x'", "values of public.weird.A b are not what they were"},
		{"insert into log values (1)", ""},
		{"alter table weird drop \"A b\"", ""},
		{"select 1", ""},
	} {
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), c.sql); err != nil {
			t.Errorf("%s: %v", c.sql, err)
		}
		after, err := rows.Take(t.Context(), conn, nil)
		if err != nil {
			t.Fatal(err)
		}
		var lost []string
		for _, l := range rows.Compare(before, after, nil, nil) {
			lost = append(lost, l.Text)
		}
		if got := strings.Join(lost, "; "); !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", c.sql, got, c.want)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
