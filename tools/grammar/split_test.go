// Package grammar holds the splitting of SQL by migration-check against PostgreSQL's parser.
package grammar

import (
	"os"
	"path/filepath"
	"testing"

	pgquery "github.com/wasilibs/go-pgquery"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

// TestSplit cuts the SQL of all extensions of the PostgreSQL that is installed, which has
// every kind of quoting and of function bodies in it: a statement that is cut too late has
// others in it, one that is cut too early does not parse, but does with the next.
func TestSplit(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("/usr/share/postgresql/*/extension/*.sql")
	if err != nil || len(files) == 0 {
		t.Skip("no PostgreSQL from Debian's packages is here")
	}
	statements, unknown := 0, 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all := statement.Split(string(text))
		for at, s := range all {
			if s.IsPsql() || s.Data {
				continue
			}
			statements++
			switch parsed, err := pgquery.Parse(s.Text); {
			case err == nil && len(parsed.GetStmts()) != 1:
				t.Errorf("%s:%d is %d statements", name, s.Line, len(parsed.GetStmts()))
			case err != nil && continues(string(text), all[at:]):
				t.Errorf("%s:%d is cut too early: %v", name, s.Line, err)
			case err != nil:
				unknown++ // such as @extowner@, which CREATE EXTENSION puts the owner for
			}
		}
	}
	t.Logf("%d files, %d statements, of which %d are no SQL", len(files), statements, unknown)
	if statements < 1000 || unknown > statements/100 {
		t.Errorf("%d of %d statements could not be judged", unknown, statements)
	}
}

// hard are texts with what ends a statement, or a quote, only seemingly.
var hard = []string{
	"create function f() returns int language sql begin atomic select 1; select case when true then 2 else 3 end; end; select 2",
	"create procedure p() begin atomic insert into a values (1); select 1 as \"end\"; end; select 2",
	"select 'a;b', 'it''s;', E'\\';', U&'\\0041;', B'01', N'x;'; select 2",
	"select 'a' \n ';b'; select 2",
	`select "a;b", "c"";d", U&"x;"; select 2`,
	"do $$ begin perform 1; end $$; do $a$ begin execute $b$ select 1; $b$; end $a$; select $1",
	"select a$b$c; select 1 as x$$; select '$$;$$'",
	"/* ; /* nested; */ ; */ select 1; -- ; \nselect 2; /* last; */",
	"create rule r as on insert to t do also (delete from a; delete from b); select 2",
	"select 1 - -1; select 1 --2;\n + 2; select 2 */* ; */ 3",
	"begin; end; begin transaction; commit; start transaction; abort",
	"select 1;;; ; select 2;",
	"create table begin_atomic (atomic int); select 1 as begin, 2 as atomic; select 3",
	"create function f() returns int language plpgsql as 'begin return 1; end'; select 2",
	"select e'\\\\'; select 2",
	"select x'1f;'; select 2",
}

// TestHard splits them as the parser does.
func TestHard(t *testing.T) {
	t.Parallel()
	for _, text := range hard {
		parsed, err := pgquery.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		all := statement.Split(text)
		if len(all) != len(parsed.GetStmts()) {
			t.Errorf("%s: %d statements, want %d", text, len(all), len(parsed.GetStmts()))
			continue
		}
		for at, s := range parsed.GetStmts() {
			theirs := statement.Words(text[s.GetStmtLocation():min(int(s.GetStmtLocation()+s.GetStmtLen()), len(text))])
			if s.GetStmtLen() == 0 { // the rest
				theirs = statement.Words(text[s.GetStmtLocation():])
			}
			if ours := statement.Words(all[at].Text); ours != theirs {
				t.Errorf("%s: statement %d is %q, want %q", text, at, ours, theirs)
			}
		}
	}
}

// continues tells whether the first statement is one only with some of the following.
func continues(text string, all []statement.Statement) bool {
	for next := 1; next < min(len(all), 6); next++ {
		parsed, err := pgquery.Parse(text[all[0].Start:all[next].End])
		if err == nil && len(parsed.GetStmts()) <= next {
			return true
		}
	}
	return false
}
