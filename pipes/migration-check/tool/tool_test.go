package tool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server/servertest"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/exit"
)

func read(format folder.Format, files ...string) *folder.Folder {
	var all []folder.File
	for _, f := range files {
		name, text, _ := strings.Cut(f, "=")
		all = append(all, folder.File{Name: name, Text: text})
	}
	return folder.Read(format, "migrations", all)
}

// said is an answer in one line.
func said(err error) string {
	var failed *tool.Failure
	var ours *exit.Error
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, tool.ErrNothing):
		return "nothing"
	case errors.As(err, &ours):
		return exit.CodeOf(err).String() + " " + err.Error()
	case errors.As(err, &failed):
		return fmt.Sprintf("%s %s %d", failed.File, failed.Code, failed.Position)
	}
	return err.Error()
}

// TestGolangMigrate is what the library is known to do, as far as we build on it. Steps:
// "up" is all, "+" and "-" are one.
func TestGolangMigrate(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, server.Options{})
	for _, c := range []struct {
		name, files, steps, want string
	}{
		{"in order", "10_b.up.sql=create table b as select * from a|9_a.up.sql=create table a ()", "up up", "ok, nothing"},
		{"empty folder", "", "up", "nothing"},
		{"down and up", "1_a.up.sql=create table a ()|1_a.down.sql=drop table a", "+ - + up", "ok, ok, ok, nothing"},
		{"missing down", "1_a.up.sql=create table a ()", "+ -", "ok, ok"},
		{"inserted", "1_a.up.sql=select 1|2_b.up.sql=create table b ()", "up", "ok"},
		{"fails", "1_a.up.sql=select 1|2_b.up.sql=select 1;\nselect oops", "up", "2_b.up.sql 42703 18"},
		{"first down fails", "1_a.up.sql=select 1|1_a.down.sql=drop table nothing", "+ -", "ok, 1_a.down.sql 42P01 0"},
		{"second down fails", "1_a.up.sql=select 1|2_b.up.sql=select 1|2_b.down.sql=drop table nothing", "up -", "ok, 2_b.down.sql 42P01 0"},
		{"aborted transaction", "1_a.up.sql=begin;\ncreate table a ();\ncreate table a ();\ncommit;", "up", "1_a.up.sql 42P07 0"},
		{"begin without commit", "1_a.up.sql=begin; create table a ()", "up up", "ok, nothing"},
		{"index concurrently", "1_a.up.sql=create table a (b int)|2_b.up.sql=-- alone\ncreate index concurrently on a (b);", "up", "ok"},
		{"index concurrently with more", "1_a.up.sql=create table a (b int)|2_b.up.sql=create index concurrently on a (b); select 1", "up", "2_b.up.sql 25001 0"},
		{"savepoint", "1_a.up.sql=savepoint x; select 1", "up", "1_a.up.sql 25P01 0"},
		{"set local", "1_a.up.sql=set local lock_timeout = '1s'; create table a ()", "up", "ok"},
		{"leak", "1_a.up.sql=select set_config('search_path', '', false)|2_b.up.sql=create table b ()", "up", "2_b.up.sql 3F000 14"},
		{"no leak step by step", "1_a.up.sql=select set_config('search_path', '', false)|2_b.up.sql=create table b ()", "+ +", "ok, ok"},
		{"$$ and quotes", "1_a.up.sql=do $$ begin perform ';'; end $$; select ';'", "up", "ok"},
		{"byte order mark", "1_a.up.sql=\ufeffselect 1", "up", "1_a.up.sql 42601 1"},
		{"vacuum alone", "1_a.up.sql=create table a ()|2_b.up.sql=vacuum a;", "up", "ok"},
		{"vacuum with more", "1_a.up.sql=create table a ()|2_b.up.sql=vacuum a; select 1", "up", "2_b.up.sql 25001 0"},
		{"copy", "1_a.up.sql=create table a (b int)|2_b.up.sql=copy a from stdin;\n1\n\\.\n", "up", "2_b.up.sql 42601 20"},
		{"psql", "1_a.up.sql=\\restrict x", "up", "1_a.up.sql 42601 1"},
		{"enum value used", "1_a.up.sql=create type m as enum ('a')|2_b.up.sql=alter type m add value 'b'; select 'b'::m", "up", "2_b.up.sql 55P04 36"},
		{"setting leaks", "1_a.up.sql=set lock_timeout = '1s'|2_b.up.sql=select 1 / (current_setting('lock_timeout') = '0')::int", "up", "2_b.up.sql 22012 0"},
		{"nothing to take back", "1_a.up.sql=select 1", "-", "unable golang-migrate: file does not exist"},
		{"dirty", "1_a.up.sql=select oops", "up up", "1_a.up.sql 42703 8, unable golang-migrate: Dirty database version 1. Fix and force version."},
		{"only down", "1_a.down.sql=select 1", "up", "ok"},
		{"two names", "1_a.up.sql=create table a ()|1_b.down.sql=drop table a", "+ - +", "ok, ok, ok"},
		{"duplicate", "1_a.up.sql=select 1|01_b.up.sql=select 1", "up", "refused golang-migrate refuses migrations: failed to init driver with path .: duplicate migration file: 1_a.up.sql"},
		{"extension", "1_a.up.sql=create extension vector", "up", `unable 1_a.up.sql: ERROR: extension "vector" is not available (SQLSTATE 0A000)`},
	} {
		var files []string
		if c.files != "" {
			files = strings.Split(c.files, "|")
		}
		try(t, s, tool.GolangMigrate{}, c.name, read(folder.GolangMigrate, files...), c.steps, c.want)
	}
}

func TestSQL(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, server.Options{})
	for _, c := range []struct{ name, files, steps, want string }{
		{"in order", "V2__b.sql=create table b as select * from a|V1.1__a.sql=create table a ()|U2__b.sql=drop table b", "up up - up", "ok, nothing, ok, ok"},
		{"one at a time", "V1__a.sql=create table a ()|V2__b.sql=create table b ()", "+ + +", "ok, ok, nothing"},
		{"half", "V1__a.sql=create table a ();\nselect oops", "up", "V1__a.sql 42703 27"},
		{"mixture", "V1__a.sql=create table a (b int);\ncreate index concurrently on a (b);\nselect 1", "up", "V1__a.sql 25001 0"},
		{"outside of transactions", "V1__a.sql=create table a (b int)|V2__b.sql=create index concurrently on a (b);\nvacuum a", "up", "ok"},
		{"own transaction that fails", "V1__a.sql=begin;\nselect oops;\ncommit;", "up", "V1__a.sql 42703 15"},
	} {
		try(t, s, tool.SQL{}, c.name, read(folder.Flyway, strings.Split(c.files, "|")...), c.steps, c.want)
	}
}

func try(t *testing.T, s *server.Server, by tool.Tool, name string, f *folder.Folder, steps, want string) {
	t.Helper()
	d, err := s.Create(t.Context(), "case")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for step := range strings.FieldsSeq(steps) {
		switch step {
		case "up":
			got = append(got, said(by.Up(t.Context(), d, f)))
		case "+":
			got = append(got, said(by.Step(t.Context(), d, f, tool.Up)))
		case "-":
			got = append(got, said(by.Step(t.Context(), d, f, tool.Down)))
		}
	}
	if all := strings.Join(got, ", "); all != want {
		t.Errorf("%s: %s, want %s", name, all, want)
	}
	if err := s.Drop(t.Context(), d); err != nil {
		t.Error(err)
	}
}

// TestStopped ends a run that knows no context.
func TestStopped(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, server.Options{})
	for _, by := range []tool.Tool{tool.GolangMigrate{}, tool.SQL{}} {
		d, err := s.Create(t.Context(), "case")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("stopped")
		answer := make(chan error)
		go func() {
			answer <- by.Up(ctx, d, read(folder.SQLx, "1_a.up.sql=select pg_sleep(600)"))
		}()
		// Wait until it sleeps: then its lock is taken and its file sent.
		conn, err := d.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for asleep := false; !asleep; {
			err := conn.QueryRow(t.Context(), "select exists (select 1 from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database())").Scan(&asleep)
			if err != nil {
				t.Fatal(err)
			}
		}
		conn.Close(t.Context())
		cancel(stopped)
		if err := <-answer; !errors.Is(err, stopped) {
			t.Errorf("%s: %v", by.Name(), err)
		}
	}
}
