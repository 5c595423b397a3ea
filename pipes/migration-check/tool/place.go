package tool

import (
	"regexp"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
)

// Operation is a part of a migration that is written in another language than SQL.
type Operation struct {
	First, Last int // lines of its file, from 1; 0 is not known
	Kind        string
	Text        string
	OneWay      bool     // cannot be taken back
	Program     bool     // code of the project's own, which may do anything
	SQL         []string // what the tool says it sends for it; may be nothing
}

// Place puts the steps of a trace on the lines of the operations that they come from: by
// the tool's own account of its SQL, else by the names that both mention, else between
// those that are known, because statements come in the order of operations.
func Place(t *trace.Trace, operations []Operation) {
	if t == nil {
		return
	}
	at := make([]int, len(t.Steps))
	from := 0
	for i, step := range t.Steps {
		at[i] = find(step.Statement, operations, from)
		if at[i] >= 0 && at[i] > from {
			from = at[i]
		}
		if at[i] < 0 && len(operations) > 0 {
			at[i] = unaccounted(operations, from)
		}
		if at[i] < 0 || operations[at[i]].First == 0 {
			t.Steps[i].Statement.At(0, 0)
			continue
		}
		t.Steps[i].Statement.At(operations[at[i]].First, operations[at[i]].Last)
	}
}

// Narrow puts steps of an operation of many lines on the one on which their SQL begins,
// when it stands in the file as it was sent.
func Narrow(t *trace.Trace, file string) {
	lines := strings.Split(file, "\n")
	passed := 0
	for i := range t.Steps {
		s := &t.Steps[i].Statement
		begins, more, _ := strings.Cut(s.Text, "\n")
		if begins = strings.TrimSpace(begins); s.Line == 0 || s.EndLine > len(lines) || len(begins) < lineScore {
			continue
		}
		for at := max(s.Line, passed); at <= s.EndLine; at++ {
			if strings.Contains(lines[at-1], begins) {
				last := at + strings.Count(more, "\n")
				if more != "" {
					last++
				}
				s.At(at, min(last, s.EndLine))
				passed = at
				break
			}
		}
	}
}

// lineScore is how many bytes a line needs to be told from others.
const lineScore = 8

// find is the operation of a statement; -1 is that none fits.
func find(s statement.Statement, operations []Operation, from int) int {
	text := ";" + statement.Words(s.Text) // which ends with one, too
	for i, o := range operations {
		if slices.ContainsFunc(o.SQL, func(sql string) bool {
			return !strings.HasPrefix(sql, "--") && strings.Contains(";"+statement.Words(sql), text) // it may be one of several in a text
		}) {
			return i
		}
	}
	if at := asSent(s, operations, from); at >= 0 {
		return at
	}
	names := map[string]bool{}
	for _, t := range s.Tokens {
		if t.Kind == statement.Word || t.Kind == statement.Name {
			names[t.Text] = true
		}
	}
	best, score := -1, 0
	for i, o := range operations {
		if len(o.SQL) > 0 {
			continue // it has accounted for its own
		}
		n := alike(o.Text, names)
		if n > score || n == score && n > 0 && best < from && i >= from {
			best, score = i, n
		}
	}
	if score < nameScore {
		return -1
	}
	return best
}

// asSent is the operation in which a statement stands as it was sent; -1 is none.
func asSent(s statement.Statement, operations []Operation, from int) int {
	begins, _, _ := strings.Cut(s.Text, "\n")
	for i := from; i < len(operations) && len(begins) >= lineScore; i++ {
		if len(operations[i].SQL) == 0 && strings.Contains(operations[i].Text, strings.TrimSpace(begins)) {
			return i
		}
	}
	return -1
}

// nameScore is what a name that both mention is worth; another word is worth 1.
const nameScore = 4

// alike counts what an operation and a statement's words have in common.
func alike(text string, names map[string]bool) int {
	n := 0
	for _, name := range quotedNames.FindAllStringSubmatch(text, -1) {
		if names[name[1]] || names[strings.ToLower(name[1])] {
			n += nameScore
		}
	}
	for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r < 'a' || r > 'z' }) {
		if len(word) > 2 && names[word] {
			n++
		}
	}
	return n
}

// quotedNames are strings of Python and Ruby that may be names, and Ruby's symbols.
var quotedNames = regexp.MustCompile(`["':]([A-Za-z_][A-Za-z0-9_]*)\b`)

// unaccounted is the next operation of which nobody told its SQL, such as a program.
func unaccounted(operations []Operation, from int) int {
	for i := from; i < len(operations); i++ {
		if len(operations[i].SQL) == 0 {
			return i
		}
	}
	return from
}
