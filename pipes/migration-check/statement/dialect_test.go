package statement_test

import (
	"testing"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

func TestDialects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dialect statement.Dialect
		text    string
		lines   []int // at which statements begin
	}{
		{statement.MySQL, "# why; not\ncreate table `a;b` (x varchar(9) default 'it\\'s;');\ndrop table `a;b`", []int{2, 3}},
		{statement.MySQL, "insert into a values (\"x;\\\";y\");\nselect 1 /* /* ; */;\nselect 2", []int{1, 2, 3}},
		{statement.MySQL, "create definer=`r`@`%` trigger t before insert on a for each row begin\n if new.x = 1 then set new.x = case 1 when 1 then 2 end; end if;\n" +
			" begin set new.y = 1; end;\n case new.x when 1 then set new.y = 2; end case;\nend;\nselect 1;", []int{1, 6}},
		{statement.MySQL, "create table t (`begin` int);\ncreate procedure p() begin while 1 do select 1; end while; end;\nselect 1", []int{1, 2, 3}},
		{statement.SQLite, "create table [a;b] (x);\ncreate trigger t after insert on a begin\n update a set x = case x when 1 then 2 end;\nend;\nselect 1", []int{1, 2, 5}},
		{statement.SQLite, "select '\\';\nselect \"a;b\" from `c;d`;", []int{1, 2}},
	} {
		got := c.dialect.Split(c.text)
		for i, s := range got {
			if i >= len(c.lines) || s.Line != c.lines[i] || s.Unterminated != "" {
				t.Errorf("%s: statement %d begins on line %d, %q is open: %q", c.text, i, s.Line, s.Unterminated, s.Text)
			}
		}
		if len(got) != len(c.lines) {
			t.Errorf("%s: got %d statements, want %d", c.text, len(got), len(c.lines))
		}
	}
}
