package rule_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server/servertest"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
)

// production is what the migrations of the corpus meet.
const production = `
create type mood as enum ('sad', 'fine');
create type gone as enum ('a');
create schema other;
create table p (id int primary key, name text);
create table t (id int primary key, a varchar(20), b int not null default 1, c text, d timestamp, p int, m mood, n int not null);
create index t_b on t (b);
create unique index t_c on t (c);
alter table t add constraint c_there check (c is not null);
create table child (id serial primary key, p int constraint child_p references p, q int);
create index child_q on child (q);
create table moods (m mood);
create table empty (x int);
create view v as select id, a, c from t;
create view lonely as select id from p;
create materialized view mat as select id from p;
create unique index on mat (id);
create function f(i int) returns int language sql as 'select i';
create function more(i int, j int default 1) returns int language sql as 'select i';
create function rows_of() returns table (a int, b text) language sql as 'select 1, null::text';
create procedure pr() language plpgsql as 'begin end';
create function trg() returns trigger language plpgsql as 'begin return new; end';
create function stamp() returns trigger language plpgsql as 'begin return new; end';
create function random_text() returns text language sql volatile as 'select random()::text';
create function seven() returns int language sql volatile as 'select 7';
create domain positive as int check (value > 0);
create table parted (id int not null) partition by range (id);
create table part (id int not null);
create table part_1 partition of parted for values from (1) to (10);
create table checked (id int not null check (id >= 10 and id < 20));
create table safe (id int, who text);
alter table safe enable row level security;
create policy mine on safe using (who = current_user);
create trigger stamp before update on safe for each row execute function stamp();
grant select, insert on p to reader;
insert into p values (1, 'x');
insert into t select i, 'a', i, i::text, now(), 1, 'sad', 1 from generate_series(1, 10) i;
insert into child (p) values (1);
`

// quiet keeps rules out of a case that is not about them.
const quiet = "set local lock_timeout = '2s'; "

// corpus has for each rule migrations in which it must be found, and near misses.
var corpus = []struct {
	rule      string
	bad, good []string
}{
	{"M101", []string{"alter table t drop column d", "do $$ begin execute 'alter table t drop column n'; end $$"},
		[]string{"alter table t add x int; alter table t drop column x", "alter table t alter d drop not null", "create table x (y int, z int); alter table x drop y"}},
	{"M102", []string{"drop table child", "drop view lonely"}, []string{"create table x (); drop table x", "drop index child_q"}},
	{"M103", []string{"drop schema other", "alter schema other rename to another"}, []string{"create schema x; drop schema x", "create schema more"}},
	{"M104", []string{"alter table t rename d to e", "alter table t drop d, add e timestamp"}, []string{"alter table t rename constraint c_there to c_here", "alter table t add e timestamp"}},
	{"M105", []string{"alter table child rename to kids", "alter table p rename to parents"},
		[]string{"alter table child rename to kids; create view child as select * from kids", "create table x (); alter table x rename to y"}},
	{"M106", []string{"alter table empty add y int not null", "delete from child; alter table child add y int; alter table child alter y set not null"},
		[]string{"alter table t add y int not null default 3", "alter table t add y int", "alter table t add y int generated always as identity", "create table x (y int not null)"}},
	{"M107", []string{"alter table t alter p set not null", "update t set a = ''; alter table t alter a set not null"},
		[]string{"alter table t add constraint y check (a is not null) not valid", "alter table t alter c set default 'x'", "alter table t alter c set not null"}},
	{"M108", []string{"alter table t alter b drop default", "alter table child alter id drop default"},
		[]string{"alter table t alter b set default 2", "alter table t alter b drop default, alter b drop not null"}},
	{"M109", []string{"drop view v; alter table t alter a type varchar(10)", "alter table t alter b type text", "alter table t alter d type timestamptz"},
		[]string{"alter table t alter b type bigint", "drop view v; alter table t alter a type varchar(50)", "alter table p alter name type varchar"}},
	{"M110", []string{"alter table t add unique (b)", "alter table t add check (b > 0) not valid", "alter table t add foreign key (p) references p not valid", "create unique index on child (q)"},
		[]string{"alter table t add x int references p", "alter table t add x int check (x > 0)", "create table x (y int unique)", "alter table t add unique using index t_c", "create index on t (p)"}},
	{"M111", []string{"alter table t alter n drop not null", "alter table t alter b drop not null"}, []string{"alter table t alter a drop not null", "alter table t add x int"}},
	{"M112", []string{"alter type mood rename value 'sad' to 'unhappy'", "drop type gone",
		"alter type mood rename to old; create type mood as enum ('sad'); alter table t alter m type mood using 'sad'; alter table moods alter m type mood using 'sad'; drop type old"},
		[]string{"alter type mood add value 'good'", "create type x as enum ('a'); drop type x"}},
	{"M113", []string{"alter type mood add value 'good'", "alter type mood add value 'bad' before 'sad'"}, []string{"create type x as enum ('a')", "alter type mood rename value 'sad' to 'unhappy'"}},
	{"M114", []string{"drop function f(int)", "drop function f; create function f(i int, j int) returns int language sql as 'select i'", "drop procedure pr", "alter function f rename to g",
		"drop function f; create function f(i int) returns text language sql as 'select 1'", "drop function f; create function f() returns int language sql as 'select 1'",
		"drop function f; create function f(n int) returns int language sql as 'select n'", "drop function f; create function f(i text) returns int language sql as 'select 1'",
		"create function f(i int, j text default 'x') returns int language sql as 'select i'", "create function f(i text) returns int language sql as 'select 1'",
		"drop function rows_of; create function rows_of() returns table (a int) language sql as 'select 1'", "drop function f; create procedure f(i int) language sql as 'select 1'",
		"drop procedure pr; create procedure pr(i int) language sql as 'select 1'", "drop function f; create function f(i int) returns setof int language sql as 'select i'",
		"drop function rows_of; create function rows_of() returns table (a int, c text) language sql as 'select 1, null::text'", "drop function more; create function more(i int, j int) returns int language sql as 'select i'"},
		[]string{"create or replace function f(i int) returns int language sql as 'select i + 0'", "create function f(i text, j text) returns int language sql as 'select 1'",
			"drop function f; create function f(i int, j int default 3) returns int language sql as 'select i'", "drop function f; create function f(i bigint) returns bigint language sql as 'select i'",
			"create or replace function f(i int) returns int immutable strict language sql as 'select i'", "alter function f volatile security definer",
			"drop procedure pr; create procedure pr(i int default 1) language sql as 'select i'", "drop trigger stamp on safe; drop function stamp",
			"drop function rows_of; create function rows_of() returns table (a int, b text, c int) language sql as 'select 1, null::text, 3'",
			"create or replace function more(i int, j int default 2) returns int language sql as 'select i'", "create function other.f(i int, j int default 2) returns int language sql as 'select i'"}},
	{"M115", []string{"drop view v; create view v as select id, a from t", "alter view v rename a to b"},
		[]string{"create or replace view v as select id, a, c, b from t", "drop view v; alter table t alter a type text; create view v as select id, a, c from t", "drop view v; create view v as select id, a, c from t where true"}},
	{"M116", []string{"revoke insert on p from reader", "alter table t enable row level security", "drop policy mine on safe", "create policy less on safe as restrictive using (id > 0)"},
		[]string{"grant update on p to reader", "create policy more on safe using (true)", "create table x (); alter table x enable row level security"}},
	{"M117", []string{"create trigger x before insert on t for each row execute function trg()", "create trigger x after update on p for each row execute function trg()"},
		[]string{"create table x (); create trigger x before insert on x for each row execute function trg()", "create or replace function trg() returns trigger language plpgsql as 'begin return null; end'"}},
	{"M118", []string{"alter table t alter n add generated always as identity", "alter table child alter id drop default, alter id add generated always as identity"},
		[]string{"alter table t alter n add generated by default as identity", "alter table t add x int generated always as identity"}},
	{"M119", []string{"alter table child drop constraint child_p", "alter table child drop constraint child_p, add constraint child_p foreign key (p) references p on delete cascade not valid"},
		[]string{"alter table child drop constraint child_p, add constraint child_p foreign key (p) references p on delete restrict not valid", "alter table t drop constraint c_there"}},
	{"M120", []string{"drop table child; create table child (q int, p int, id serial primary key)", "alter table moods rename to o; create table moods (x int, m mood); alter table t drop a cascade, add a varchar(20); drop table o"},
		[]string{"alter table child add r int", "drop table child; create table child (id serial primary key, p int, q int)"}},

	{"M201", []string{"alter table t alter b type bigint", "drop view v; alter table t alter a type varchar(10)"},
		[]string{"alter table p alter name type varchar", "create table x (y int); alter table x alter y type bigint", "truncate t"}},
	{"M202", []string{"alter table t add x uuid default gen_random_uuid()", "alter table t add x serial", "alter table t add x int generated always as (b) stored", "alter table t add x text default random_text()"},
		[]string{"alter table t add x timestamptz default now()", "alter table t add x int default seven()", "alter table t add x int not null default 3", "create table x (); alter table x add y serial"}},
	{"M203", []string{"alter table t alter p set not null", "alter table t add check (b > 0)", "alter table t add x int check (x > 0)",
		"alter table t add constraint x check (b > 0) not valid; alter table t validate constraint x"},
		[]string{"alter table t alter c set not null", "alter table t add check (b > 0) not valid", "alter table t validate constraint c_there",
			"drop materialized view mat; drop view lonely; alter table p alter id type bigint",
			"alter table t add x int; create materialized view many as select a from t", "alter table t add x int; select count(*) from t"}},
	{"M204", []string{"alter table t add foreign key (p) references p", "alter table child add foreign key (q) references t", "drop materialized view mat; drop view lonely; alter table p alter id type bigint"},
		[]string{"alter table t add foreign key (p) references p not valid", "create table x (p int references p)", "alter table t add x int references p"}},
	{"M205", []string{"create index on t (a)", "create unique index on t (a, b)", "alter table t add x int; create index on t (x)"},
		[]string{"create index concurrently on t (a)", "create table x (y int); create index on x (y)"}},
	{"M206", []string{"alter table t add unique (b)", "alter table t add x int unique", "alter table part add primary key (id)"},
		[]string{"alter table t add unique using index t_c", "create table x (y int unique); alter table x add primary key (y)"}},
	{"M207", []string{"drop index t_b", "reindex table t", "alter table parted detach partition part_1", "refresh materialized view mat"},
		[]string{"drop index concurrently t_b", "reindex table concurrently t", "refresh materialized view concurrently mat", "create table x (y int primary key); reindex table x"}},
	{"M208", []string{"create index concurrently on t (a); select 1", "begin; drop index concurrently t_b; commit"},
		[]string{"-- why\ncreate index concurrently on t (a);", "create index on t (a); select 1"}},
	{"M209", []string{"alter table t add x int", "set lock_timeout = 0; create index on t (a)"},
		[]string{quiet + "alter table t add x int", "create table x ()", "create index concurrently on t (a)", "refresh materialized view concurrently mat", "insert into t values (11, '', 1, 'x', now(), 1, 'sad', 1)"}},
	{"M210", []string{"alter table t add x int; update t set x = 1", "alter table t add x int; alter table child add y int"},
		[]string{"alter table t add x int; alter table t add y int", "alter table t add x int; create table y ()"}},
	{"M211", []string{"alter table t add check (b > 0); alter table t add check (n > 0)", "alter table t alter p set not null; alter table t alter d set not null"},
		[]string{"alter table t add check (b > 0), add check (n > 0)", "alter table t add check (b > 0); alter table child add check (id > 0)"}},
	{"M212", []string{"update t set a = 'b'", "delete from child", "insert into child (p) select p from t", "do $$ begin update t set a = 'b'; end $$"},
		[]string{"insert into p values (2, 'y')", "create table x (y int); update x set y = 1", "create table x as select * from t"}},
	{"M213", []string{"truncate child", "drop table t cascade", "alter table t drop a cascade"},
		[]string{"drop table child", "create table x (p int references p on delete cascade)", "create table x (); drop table x cascade", "alter table child drop constraint child_p, add constraint child_p foreign key (p) references p on delete cascade not valid"}},
	{"M214", []string{"cluster t using t_b", "lock table t", "alter table t set unlogged", "vacuum full t", "vacuum (full) t"},
		[]string{"vacuum t", "alter table t set (fillfactor = 70)", "create table x (); lock table x"}},
	{"M215", []string{"alter table t add foreign key (p) references p not valid", "alter table t add x int references p"},
		[]string{"alter table child add foreign key (q) references t not valid", "create table x (p int primary key references p)"}},
	{"M216", []string{"create domain x as int check (value > 0)", "alter domain positive add check (value < 9)"},
		[]string{"create domain x as int", "alter domain positive set default 1"}},
	{"M217", []string{"alter table parted attach partition part for values from (10) to (20)", "alter table part drop constraint if exists none; alter table parted attach partition part default"},
		[]string{"alter table parted attach partition checked for values from (10) to (20)", "create table x partition of parted for values from (30) to (40)"}},
	{"M218", []string{"alter table t add x json", "alter table p alter name type json using null"}, []string{"alter table t add x jsonb", "create table x (y json)"}},
	{"M219", []string{"set lock_timeout = '2s'", "select set_config('search_path', '', false)", "create temp table x ()", "set role none; set search_path = other"},
		[]string{"set local search_path = other", "begin; set local lock_timeout = '2s'; commit", "reset lock_timeout"}},
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, server.Options{Roles: []string{"reader"}})
	d := servertest.Database(t, s, "production", production)

	tried := []string{}
	var found, missed, wrong int
	for _, c := range corpus {
		tried = append(tried, c.rule)
		if len(c.bad) < 2 || len(c.good) < 2 {
			t.Errorf("%s has too few cases", c.rule)
		}
		for _, sql := range c.bad {
			ids := judged(t, s, d, sql)
			if slices.Contains(ids, c.rule) {
				found++
			} else {
				missed++
				t.Errorf("%s is not found (but %v) in: %s", c.rule, ids, sql)
			}
		}
		for _, sql := range c.good {
			if ids := judged(t, s, d, sql); slices.Contains(ids, c.rule) {
				wrong++
				t.Errorf("%s is found in: %s", c.rule, sql)
			}
		}
	}
	t.Logf("%d rules: precision %.3f, recall %.3f (%d found, %d missed, %d wrong)", len(corpus),
		float64(found)/float64(found+wrong), float64(found)/float64(found+missed), found, missed, wrong)
	for _, r := range rule.Catalogue {
		// M3 and M4 are about other databases, whose stories tell of them.
		postgres := strings.HasPrefix(r.ID, "M1") || strings.HasPrefix(r.ID, "M2")
		if postgres && !slices.Contains(tried, r.ID) {
			t.Errorf("%s is not in the corpus", r.ID)
		}
	}
}

var once sync.Map // a case that several rules share is tried once

// judged are the rules found in a migration.
func judged(t *testing.T, s *server.Server, d *server.Database, sql string) []string {
	t.Helper()
	if ids, done := once.Load(sql); done {
		return ids.([]string)
	}
	clone, err := s.Clone(t.Context(), "case", d)
	if err != nil {
		t.Fatal(err)
	}
	traced, err := trace.Run(t.Context(), clone, sql, trace.Options{})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if err := s.Drop(t.Context(), clone); err != nil {
		t.Error(err)
	}
	m := rule.Migrated{File: "1_a.up.sql", Trace: traced}
	found := rule.Blocking(m, statement.Split(sql), nil)
	if traced.Failed == nil {
		found = append(found, rule.Compatible(traced.Before, traced.After, []rule.Migrated{m})...)
	} else if traced.Failed.Code != "25001" {
		t.Errorf("%s: %v", sql, traced.Failed.Err)
	}
	var ids []string
	for _, f := range found {
		ids = append(ids, f.Rule)
		if f.Line == 0 || f.File == "" {
			t.Errorf("%s: %s has no place: %s", sql, f.Rule, f.Message)
		}
	}
	once.Store(sql, ids)
	return ids
}

// TestPlace holds the line of each finding of one file.
func TestPlace(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, server.Options{})
	d := servertest.Database(t, s, "production", "create table t (a int, b int, c int); create table u (a int primary key)")
	var before *schema.Snapshot
	err := d.Look(t.Context(), func(conn *pgx.Conn) (err error) {
		before, err = schema.Of(t.Context(), conn)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	m := rule.Migrated{File: "2_b.up.sql"}
	text := "set local lock_timeout = '1s';\n/* größer */ alter table t\n  add x uuid default gen_random_uuid(),\n  drop a,\n  alter b set not null;\n\ndo $$\nbegin\n  alter table t drop c;\nend $$;\nalter table u rename to w;\n"
	if m.Trace, err = trace.Run(t.Context(), d, text, trace.Options{}); err != nil {
		t.Fatal(err)
	}
	found := append(rule.Blocking(m, statement.Split(text), []string{"u"}), rule.Compatible(before, m.Trace.After, []rule.Migrated{m})...)
	var got []string
	for _, f := range found {
		got = append(got, fmt.Sprintf("%s:%d:%s", f.Rule, f.Line, f.Severity))
	}
	slices.Sort(got)
	want := "M101:4:error M101:7:error M105:11:error M107:5:error M202:3:warning M210:11:warning"
	if all := strings.Join(got, " "); all != want {
		t.Errorf("got  %s\nwant %s", all, want)
	}
}
