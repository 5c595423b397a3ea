package tool

import (
	"regexp"
	"strings"
)

// begins is how `alembic check` begins one: ('add_column', None, 'users', Column(…)).
var begins = regexp.MustCompile(`\('((?:add|remove|modify)_[a-z_]+)', ?`)

// subjects find what an operation is about, by the kind of it that they fit.
var subjects = []struct {
	kind, text *regexp.Regexp
	as         string
}{
	{regexp.MustCompile(`_column$`), regexp.MustCompile(`^(?:None|'[^']*'), '([^']*)', Column\('([^']*)', (\w+)`), "$1.$2 ($3)"},
	{regexp.MustCompile(`^modify_`), regexp.MustCompile(`^(?:None|'[^']*'), '([^']*)', '([^']*)', .*\}, (.*)$`), "$1.$2: from $3"},
	{regexp.MustCompile(`_index$`), regexp.MustCompile(`^Index\('([^']*)'.*?table=<([^>]*)>`), "$1 on $2"},
	{regexp.MustCompile(`_index$`), regexp.MustCompile(`^Index\('([^']*)'`), "$1"},
	{regexp.MustCompile(`_fk$`), regexp.MustCompile(`^ForeignKeyConstraint\(.*?name='([^']*)'.*?table=Table\('([^']*)'`), "$1 on $2"},
	{regexp.MustCompile(`_fk$`), regexp.MustCompile(`^ForeignKeyConstraint\(.*?table=Table\('([^']*)'`), "on $1"},
	{regexp.MustCompile(`_constraint$`), regexp.MustCompile(`^(\w+)\(Column\('([^']*)'.*?table=<([^>]*)>`), "$1 of $3.$2"},
	{regexp.MustCompile(`_table`), regexp.MustCompile(`^Table\('([^']*)'`), "$1"},
}

// addresses differ from run to run.
var addresses = regexp.MustCompile(` at 0x[0-9a-f]+`)

// operations are those that `alembic check` has found, a line each, in fewer words. The
// same at the base and the head are the same words.
func operations(found string) []string {
	starts := begins.FindAllStringSubmatchIndex(found, -1)
	var lines []string
	for i, at := range starts {
		end := len(found)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		kind := found[at[2]:at[3]]
		lines = append(lines, kind+" "+subject(kind, strings.TrimRight(found[at[1]:end], "[], ")))
	}
	return lines
}

func subject(kind, text string) string {
	text = strings.TrimSuffix(text, ")") // of the operation
	for _, s := range subjects {
		if s.kind.MatchString(kind) && s.text.MatchString(text) {
			return string(s.text.ExpandString(nil, s.as, text, s.text.FindStringSubmatchIndex(text)))
		}
	}
	return addresses.ReplaceAllString(text, "")
}
