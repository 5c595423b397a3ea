package trace_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server/servertest"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
)

const start = `
create table p (id int primary key);
create table t (id int primary key, a varchar(20), b int, c text, d timestamp, p int);
create index t_b on t (b);
create index t_c on t (c);
alter table t add constraint b_there check (b is not null);
create function seven() returns int language sql volatile as 'select 7';
create function random_text() returns text language sql volatile as 'select random()::text';
create domain positive as int check (value > 0);
create materialized view m as select * from p;
create unique index on m (id);
create table parted (id int not null) partition by range (id);
create table part (id int not null);
create table part_1 partition of parted for values from (1) to (10);
create table checked (id int not null check (id >= 10 and id < 20));
create type mood as enum ('sad');
insert into p values (1);
insert into t select i, 'a', i, 'c', now(), 1 from generate_series(1, 10) i;
`

// measured is the table of locks, rewrites and scans, as measured with 20,000 rows.
var measured = []struct{ sql, locks, work string }{
	{"alter table t add e int", "t AccessExclusive", ""},
	{"alter table t add e int not null default 3", "t AccessExclusive", ""},
	{"alter table t add e timestamptz default now()", "t AccessExclusive", ""},
	{"alter table t add e uuid default gen_random_uuid()", "t AccessExclusive", "rewrote t, scanned t"},
	{"alter table t add e text default random_text()", "t AccessExclusive", "rewrote t, scanned t"},
	{"alter table t add e int default seven()", "t AccessExclusive", ""},
	{"alter table t add e serial", "t AccessExclusive", "rewrote t, scanned t"},
	{"alter table t add e int generated always as identity", "t AccessExclusive", "rewrote t, scanned t"},
	{"alter table t add e int generated always as (b + 1) stored", "t AccessExclusive", "rewrote t, scanned t"},
	{"alter table t add e int check (e > 0)", "t AccessExclusive", "scanned t"},
	{"alter table t add e int references p", "t AccessExclusive, p ShareRowExclusive", ""},
	{"alter table t add e int unique", "t AccessExclusive", "scanned t"},
	{"alter table t drop a", "t AccessExclusive", ""},
	{"alter table t rename a to e", "t AccessExclusive", ""},
	{"alter table t alter a set default 'x'", "t AccessExclusive", ""},
	{"alter table t alter c set not null", "t AccessExclusive", "scanned t"},
	{"alter table t alter b set not null", "t AccessExclusive", ""}, // a validated check says so already
	{"alter table t alter a type varchar(50)", "t AccessExclusive", ""},
	{"alter table t alter a type text", "t AccessExclusive", ""},
	{"alter table t alter b type bigint", "t AccessExclusive", "rewrote t, scanned t"},
	{"alter table t alter a type varchar(10)", "t AccessExclusive", "rewrote t, scanned t"},
	{"alter table t alter d type timestamptz", "t AccessExclusive", ""},
	{"alter table t add constraint x check (b > 0)", "t AccessExclusive", "scanned t"},
	{"alter table t add constraint x check (b > 0) not valid", "t AccessExclusive", ""},
	{"alter table t add constraint x foreign key (p) references p", "p ShareRowExclusive, t ShareRowExclusive", "scanned p, scanned t"},
	{"alter table t add constraint x foreign key (p) references p not valid", "p ShareRowExclusive, t ShareRowExclusive", ""},
	{"alter table t add unique (b)", "t AccessExclusive", "scanned t"},
	{"create index on t (a)", "t Share", "scanned t"},
	{"drop index t_b", "t AccessExclusive", ""},
	{"truncate t", "t AccessExclusive", "rewrote t, scanned t"},
	{"drop table t cascade", "t AccessExclusive", ""},
	{"create table n (t int references t)", "t ShareRowExclusive", ""},
	{"alter table parted detach partition part_1", "part_1 AccessExclusive, parted AccessExclusive", ""},
	{"create table n partition of parted for values from (10) to (20)", "parted AccessExclusive", ""},
	{"alter table parted attach partition part for values from (10) to (20)", "part AccessExclusive, parted ShareUpdateExclusive", "scanned part"},
	{"alter table parted attach partition checked for values from (10) to (20)", "checked AccessExclusive, parted ShareUpdateExclusive", ""},
	{"refresh materialized view m", "m AccessExclusive", "rewrote m, scanned m, scanned p, inserted m 1"},
	{"refresh materialized view concurrently m", "m Exclusive", "scanned m, scanned p, inserted m 1"},
	{"cluster t using t_b", "t AccessExclusive", "rewrote t, scanned t"},
	{"alter table t set (fillfactor = 70)", "t ShareUpdateExclusive", ""},
	{"alter type mood add value 'good'", "", ""},
	{"update t set a = 'b'", "t RowExclusive", "scanned t, updated t 10"},
	{"do $$ begin execute 'alter table ' || 't' || ' alter b type bigint'; end $$", "t AccessExclusive", "rewrote t, scanned t"},
	{"create table x (id int); create index on x (id); alter table x alter id type bigint", "", ""},
	{"select 1", "", ""},
}

func database(t *testing.T) (*server.Server, *server.Database) {
	t.Helper()
	s := servertest.Start(t, server.Options{})
	d := servertest.Database(t, s, "state", start)
	return s, d
}

func run(t *testing.T, s *server.Server, of *server.Database, sql string) *trace.Trace {
	t.Helper()
	clone, err := s.Clone(t.Context(), "trace", of)
	if err != nil {
		t.Fatal(err)
	}
	got, err := trace.Run(t.Context(), clone, sql, trace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Drop(t.Context(), clone); err != nil {
		t.Error(err)
	}
	return got
}

func TestMeasured(t *testing.T) {
	t.Parallel()
	s, d := database(t)
	for _, m := range measured {
		got := run(t, s, d, m.sql)
		if got.Failed != nil {
			t.Errorf("%s: %v", m.sql, got.Failed.Err)
			continue
		}
		var locks, work []string
		for _, step := range got.Steps {
			for _, l := range step.Locks {
				if l.Relation.Kind != "i" && l.Relation.Kind != "t" && l.Mode > trace.RowShare {
					locks = append(locks, fmt.Sprintf("%s %s", l.Relation.Name[len("public."):], l.Mode))
				}
			}
			for _, r := range step.Rewrote {
				work = append(work, "rewrote "+r.Name[len("public."):])
			}
			for _, r := range step.Scanned {
				work = append(work, "scanned "+r.Name[len("public."):])
			}
			for _, r := range step.Rows {
				for what, n := range map[string]int64{"inserted": r.Inserted, "updated": r.Updated, "deleted": r.Deleted} {
					if n > 0 {
						work = append(work, fmt.Sprintf("%s %s %d", what, r.Relation.Name[len("public."):], n))
					}
				}
			}
		}
		if diff := cmp.Diff(m.locks, strings.Join(locks, ", ")); diff != "" {
			t.Errorf("%s: locks\n%s", m.sql, diff)
		}
		if diff := cmp.Diff(m.work, strings.Join(work, ", ")); diff != "" {
			t.Errorf("%s: work\n%s", m.sql, diff)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	s, d := database(t)
	for _, c := range []struct {
		sql  string
		line int
		code string
	}{
		{"select 1;\nselect\n  oops;", 3, "42703"},
		{"create table n ();\nalter table t\n add e int not null;", 2, "23502"},
		{"create index concurrently on t (a);\nselect 1", 1, "25001"},
		{"alter type mood add value 'x';\nselect 'x'::mood", 2, "55P04"},
		{"create table n (p int references p deferrable initially deferred);\ninsert into n values (7);", 2, "23503"},
		{"select 1;\ncreate extension dblink", 2, "42501"},
		{"begin;\nselect 1;\nselect 1/0;\ncommit;", 3, "22012"},
	} {
		got := run(t, s, d, c.sql)
		if got.Failed == nil || got.Failed.Line != c.line || got.Failed.Code != c.code {
			t.Errorf("%s: %+v, want %s on line %d", c.sql, got.Failed, c.code, c.line)
		}
	}
}

func TestLeaksAndTransactions(t *testing.T) {
	t.Parallel()
	s, d := database(t)
	for sql, want := range map[string]string{
		"set lock_timeout = '2s'; select 1": "lock_timeout", "begin; set local lock_timeout = '2s'; commit": "",
		"select set_config('search_path', '', false)": "search_path", "create temp table x ()": "temporary table x",
		"set local lock_timeout = '2s'; select 1": "", "create index concurrently x on t (a)": "", "select 1": "",
	} {
		got := run(t, s, d, sql)
		if got.Failed != nil || strings.Join(got.Leaks, " ") != want {
			t.Errorf("%s: %v leaks, want %s (%v)", sql, got.Leaks, want, got.Failed)
		}
	}
	got := run(t, s, d, "set local lock_timeout = '2s';\nalter table t add e int;\nupdate t set e = 1;")
	if got.Steps[1].LockTimeout != "2s" || len(got.Steps[2].Held) == 0 || len(got.Steps[1].Changes) != 1 {
		t.Errorf("%+v", got.Steps)
	}
	if strongest, _ := got.Strongest(); strongest.Mode != trace.AccessExclusive || strongest.Relation.Name != "public.t" {
		t.Errorf("strongest lock: %v", strongest)
	}
}

// TestEndsItself runs what changes rows in batches, which ends its transaction itself.
func TestEndsItself(t *testing.T) {
	t.Parallel()
	s, d := database(t)
	got := run(t, s, d, "do $$ begin update t set a = 'b'; commit; create table made (); commit; end $$")
	if got.Failed != nil || len(got.Steps) != 1 || !got.EndsItself || got.After == nil {
		t.Fatalf("%+v", got.Failed)
	}
	if _, made := got.After.Find("table", "public.made"); !made {
		t.Error("what it did is not seen")
	}
	if got := run(t, s, d, "select 1;\ndo $$ begin commit; end $$"); got.Failed == nil || got.Failed.Line != 2 {
		t.Errorf("behind another statement: %+v", got.Failed)
	}
}
