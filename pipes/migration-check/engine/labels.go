package engine

import (
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

// labelsOf finds in the text of a table the values that its checks name, as in
// state IN ('open', 'done'), by column.
func labelsOf(dialect statement.Dialect, text string) map[string][]string {
	all := map[string][]string{}
	for _, s := range dialect.Split(text) {
		for at := 1; at < len(s.Tokens)-1; at++ {
			column := s.Tokens[at-1]
			if t := s.Tokens[at]; t.Kind != statement.Word || t.Text != "in" || column.Kind > statement.Name || column.Text == "not" {
				continue
			}
			if values := literals(s.Tokens[at+1:]); len(values) > 0 {
				all[column.Text] = values
			}
		}
	}
	return all
}

// literals reads a list in parentheses; anything else than literals in it makes it none.
func literals(tokens []statement.Token) []string {
	var all []string
	for at, t := range tokens {
		switch {
		case at == 0 && t.Text == "(", t.Text == ",":
		case at == 0:
			return nil
		case t.Kind == statement.String:
			all = append(all, strings.ReplaceAll(strings.Trim(t.Text, "'\""), "''", "'"))
		case t.Kind == statement.Number:
			all = append(all, t.Text)
		case t.Kind == statement.Word && strings.HasPrefix(t.Text, "_"): // MySQL's character set
		case t.Text == ")":
			return all
		default:
			return nil
		}
	}
	return nil
}

// label gives the columns of a table the values that its checks name.
func (t *table) label(dialect statement.Dialect, text string) {
	for name, values := range labelsOf(dialect, text) {
		for i := range t.columns {
			if c := &t.columns[i]; strings.EqualFold(c.name, name) && len(c.labels) == 0 {
				c.labels = values
			}
		}
	}
}
