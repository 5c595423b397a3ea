package tool

import (
	"fmt"
	"testing"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
)

const revision = `"""A "docstring" # no comment
"""
def upgrade():
    # first
    op.add_column(
        "orders",  # fearless: inside
        "it's # no comment",
    )
    op.execute('a \' # b')  # behind


def downgrade():
    """Nothing."""
    pass
`

func TestScan(t *testing.T) {
	t.Parallel()
	spans, remarks := scan(revision)
	var got string
	for _, s := range spans {
		got += fmt.Sprintf("%d-%d ", s.First, s.Last)
	}
	for _, r := range remarks {
		first, last, head := Nearest(spans, r.Line)
		got += fmt.Sprintf("| %d %s: %d-%d %t ", r.Line, r.Text, first, last, head)
	}
	const want = "1-2 3-3 5-8 9-9 12-12 13-13 14-14 | 4 first: 5-8 false | 6 fearless: inside: 5-8 false | 9 behind: 9-9 false "
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if why := oneWay(revision); why != "downgrade() is empty" {
		t.Errorf("got %q", why)
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	operations := []Operation{
		{First: 1, Last: 3, Text: `op.add_column("orders", sa.Column("note", sa.Text))`},
		{First: 4, Last: 4, Text: `op.create_index("by_title", "orders", ["title"])`},
		{First: 5, Last: 5, Text: `fill(op.get_bind())`},
		{First: 6, Last: 6, Text: "Raw SQL", SQL: []string{"-- x", "DROP TABLE  b;"}},
	}
	tr := &trace.Trace{}
	for _, text := range []string{`ALTER TABLE orders ADD COLUMN note TEXT`, `CREATE INDEX by_title ON orders (title)`, `UPDATE things SET x = 1`, `drop table b`} {
		tr.Steps = append(tr.Steps, trace.Step{Statement: statement.Split(text)[0]})
	}
	Place(tr, operations)
	for i, want := range []int{1, 4, 4, 6} {
		if got := tr.Steps[i].Statement.Line; got != want {
			t.Errorf("%s: line %d, want %d", tr.Steps[i].Statement.Text, got, want)
		}
	}
}

func TestLastWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "it printed nothing", "a\nValueError: x\n  ^^^^\n\n": "ValueError: x", "oops\n[SQL: select]\n(Background on this error at: x)": "oops"} {
		if got := (Answer{All: text}).LastWords(); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
