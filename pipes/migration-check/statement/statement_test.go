package statement

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want []string // "line:column-endline text"
	}{
		{"", nil},
		{";;  ; -- nothing\n", nil},
		{"select 1", []string{"1:1-1 select 1"}},
		{"select 1;\n  select 2 ;", []string{"1:1-1 select 1", "2:3-2 select 2"}},
		{"select ';', E'\\';', \";\", U&'\\003b', b'1', $$;$$, $a$;$$;$a$;select 2", []string{"1:1-1 select ';', E'\\';', \";\", U&'\\003b', b'1', $$;$$, $a$;$$;$a$", "1:61-1 select 2"}},
		{"-- a;\n/* b; /* c; */ d; */ select\n 1 -- e;\n;select 2", []string{"2:22-3 select\n 1", "4:2-4 select 2"}},
		{"select 'it''s;'; select $1", []string{"1:1-1 select 'it''s;'", "1:18-1 select $1"}},
		{"create rule r as on delete to a do (select 1; select 2); select 3", []string{"1:1-1 create rule r as on delete to a do (select 1; select 2)", "1:58-1 select 3"}},
		{"create function f() returns int begin atomic select 1; select case when true then 1 end; end; select 3",
			[]string{"1:1-1 create function f() returns int begin atomic select 1; select case when true then 1 end; end", "1:95-1 select 3"}},
		{"begin; select 1; end;", []string{"1:1-1 begin", "1:8-1 select 1", "1:18-1 end"}},
		{"\\restrict abc;def\nselect 1;\n\\unrestrict abc", []string{"1:1-1 \\restrict abc;def", "2:1-2 select 1", "3:1-3 \\unrestrict abc"}},
		{"copy a (b) from stdin;\n1;2\n'\n\\.\nselect 1", []string{"1:1-1 copy a (b) from stdin", "5:1-5 select 1"}},
		{"select 'open;\n", []string{"1:1-2 select 'open;\n"}},
		{"\ufeffselect 1;", []string{"1:4-1 select 1"}},
		{"select größe, a$b from \"x;y\"; select 1", []string{"1:1-1 select größe, a$b from \"x;y\"", "1:33-1 select 1"}},
		{"select a[1;2]", []string{"1:1-1 select a[1;2]"}},
		{"select 1\r\n;\r\nselect 2", []string{"1:1-1 select 1", "3:1-3 select 2"}},
	} {
		var got []string
		for _, s := range Split(c.text) {
			got = append(got, fmt.Sprintf("%d:%d-%d %s", s.Line, s.Column, s.EndLine, s.Text))
			if c.text[s.Start:s.End] != s.Text {
				t.Errorf("%q: wrong place", c.text)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q:\n%s", c.text, diff)
		}
	}
}

func TestUnterminated(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"select 'a": "a quote", "select $x$a": "$x$", "select 1 /* a": "a comment", "select 1; -- a": "",
	} {
		if s := Split(text); s[0].Unterminated != want {
			t.Errorf("%s: %q is open, want %q", text, s[0].Unterminated, want)
		}
	}
}

func TestComments(t *testing.T) {
	t.Parallel()
	got := ""
	for _, s := range Split("-- one\nselect 1 /* two */; -- three\n-- four\nselect 2; -- five\n-- six") {
		got += s.Text[:8] + ":"
		for _, c := range s.Comments {
			got += fmt.Sprintf(" %s@%d", c.Text, c.Line)
		}
		got += "\n"
	}
	want := "select 1: one@1 two@2 three@2\nselect 2: four@3 five@4 six@5\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"BEGIN": "begins", "start transaction isolation level serializable": "begins", "begin work": "begins",
		"COMMIT": "ends", "end": "ends", "rollback": "ends", "rollback to savepoint a": "", "commit prepared 'x'": "",
		"create unique index CONCURRENTLY on a (b)": "concurrently outside", "drop index concurrently i": "concurrently outside",
		"reindex (verbose) table concurrently a": "concurrently outside", "reindex (concurrently) table a": "concurrently outside",
		"refresh materialized view concurrently m": "", "create table concurrently_done ()": "", "vacuum full a": "outside",
		"alter table a detach partition b concurrently": "concurrently outside",
		"update a set b = 1":                            "data", "with x as (delete from a returning *) insert into b select * from x": "data",
		"with x as (delete from a) select 1": "", "\\connect a": "psql", "select '\\d'": "",
	} {
		s := Split(text)[0]
		var got []string
		for name, is := range map[string]bool{"begins": s.Begins(), "ends": s.Ends(), "data": s.ChangesData(), "psql": s.IsPsql()} {
			if is {
				got = append(got, name)
			}
		}
		if s.Concurrently() {
			got = append(got, "concurrently")
		}
		if s.OutsideTransactions() {
			got = append(got, "outside")
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	if Words("SELECT 1 -- x\n ;") != Words("select\t1;/* y */") {
		t.Error("comments, case and white space count")
	}
	for _, other := range []string{"select 12", "select '1'", "select \"1\"", "select 1; select 1", "select 1 2"} {
		if Words("select 1") == Words(other) {
			t.Errorf("%q counts as the same", other)
		}
	}
}

func TestLineAt(t *testing.T) {
	t.Parallel()
	s := Split("\n\nselect 'ö',\n  oops\nfrom a")[0]
	for position, want := range map[int]int{0: 3, 1: 3, 13: 4, 16: 4, 21: 5, 1000: 5} {
		if got := s.LineAt(position); got != want {
			t.Errorf("position %d is on line %d, want %d", position, got, want)
		}
	}
}

// BenchmarkSplit is over 1 MB of statements like those of a dump.
func BenchmarkSplit(b *testing.B) {
	text := strings.Repeat("INSERT INTO public.users (id, name) VALUES (1, 'it''s'); -- a comment\n", 1<<20/70)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Split(text)
	}
}
