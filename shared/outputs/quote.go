package outputs

import (
	"errors"
	"fmt"
	"strings"
)

// header is the start of the first line; the pipeline's UUID follows.
const header = "# fearless outputs of pipeline "

// nobody stands for the UUID where there is no pipeline.
const nobody = "none"

var errDamaged = errors.New("not written by us, or damaged")

// format writes the file: its origin, then one variable after the other.
func format(pipeline string, vars []Variable) []byte {
	var b strings.Builder
	if pipeline == "" {
		pipeline = nobody
	}
	b.WriteString(header + oneLine(pipeline) + "\n")
	for _, v := range vars {
		fmt.Fprintf(&b, "%s=%s\n", v.Name, quote(v.Value))
	}
	return []byte(b.String())
}

// quote makes any value safe for a POSIX shell. Between single quotes nothing
// has a meaning but the quote itself: there the text ends, a quote behind a
// backslash follows, and the text begins again.
func quote(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// parse reads what format has written, and only that: this is no shell.
func parse(text []byte) (pipeline string, vars []Variable, err error) {
	first, rest, _ := strings.Cut(string(text), "\n")
	pipeline, ours := strings.CutPrefix(first, header)
	if !ours {
		return "", nil, errDamaged
	}
	if pipeline == nobody {
		pipeline = ""
	}
	for rest != "" {
		name, tail, found := strings.Cut(rest, "='")
		if !found || !variableName().MatchString(name) {
			return "", nil, errDamaged
		}
		value, after, closed := unquote(tail)
		if !closed || !strings.HasPrefix(after, "\n") {
			return "", nil, errDamaged
		}
		vars = append(vars, Variable{name, value})
		rest = after[1:]
	}
	return pipeline, vars, nil
}

// unquote reads up to the closing quote of a value whose opening one is gone.
func unquote(text string) (value, rest string, closed bool) {
	var b strings.Builder
	for {
		part, after, found := strings.Cut(text, "'")
		if !found {
			return "", "", false
		}
		b.WriteString(part)
		if text, found = strings.CutPrefix(after, `\''`); !found {
			return b.String(), after, true
		}
		b.WriteByte('\'')
	}
}
