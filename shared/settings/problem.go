package settings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Problem is one thing that is wrong with one variable.
type Problem struct {
	Variable string
	Text     string // without the name
}

// Problems is everything that is wrong with the settings, in the order of the
// struct's fields.
type Problems struct {
	List []Problem
}

// Error lists all problems, one a line.
func (p *Problems) Error() string {
	var b strings.Builder
	if len(p.List) == 1 {
		b.WriteString("1 problem with the settings:")
	} else {
		fmt.Fprintf(&b, "%d problems with the settings:", len(p.List))
	}
	for _, one := range p.List {
		fmt.Fprintf(&b, "\n%s: %s", one.Variable, one.Text)
	}
	return b.String()
}

// As makes Problems an exit.Error with the code Invalid.
func (p *Problems) As(target any) bool {
	e, ok := target.(**exit.Error)
	if ok {
		*e = &exit.Error{Code: exit.Invalid, Err: p}
	}
	return ok
}

// Report collects the problems of one Load.
type Report struct {
	found  []Problem
	rank   map[string]int    // where a variable stands among the fields
	failed map[string]bool   // variables with a problem
	typos  map[string]string // known name: what was written instead
}

func newReport(fields []field) *Report {
	r := &Report{rank: map[string]int{}, failed: map[string]bool{}, typos: map[string]string{}}
	for i, f := range fields {
		for _, name := range append(split(f.Fallback), f.Name) {
			if _, first := r.rank[name]; !first {
				r.rank[name] = i
			}
		}
	}
	return r
}

// Problemf reports what is wrong with a variable, for Checkers: a text that
// goes on after "NAME: ". It must not contain the value of a secret.
func (r *Report) Problemf(variable, format string, args ...any) {
	p := Problem{variable, fmt.Sprintf(format, args...)}
	r.failed[variable] = true
	if !slices.Contains(r.found, p) {
		r.found = append(r.found, p)
	}
}

// Failed tells whether a variable already has a problem; its field may be
// zero although it was set.
func (r *Report) Failed(variable string) bool { return r.failed[variable] }

// wrong reports a value that cannot be used, with how to do better. The value
// is shown unless it is a secret.
func (r *Report) wrong(f field, given raw, what string) {
	if given.text != "" && !f.Secret && f.Type != typeList {
		what = shown(given.text) + " " + what
	}
	name := f.Name
	if given.from != "" {
		name = given.from
	}
	r.failed[f.Name] = true
	r.Problemf(name, "%s%s", what, advice(f))
}

// shown quotes a value; of a long one the beginning will do.
func shown(value string) string {
	runes := []rune(value)
	if len(runes) > 60 {
		runes = append(runes[:60], '…')
	}
	return strconv.Quote(string(runes))
}

// missing reports a required variable that nobody set. Where a typo explains
// it, the typo alone is reported.
func (r *Report) missing(f field) {
	r.failed[f.Name] = true
	if r.typos[f.Name] != "" {
		return
	}
	text := "required, but not set"
	if f.Fallback != "" {
		text += fmt.Sprintf(" (nor is %s)", strings.Join(split(f.Fallback), " or "))
	}
	r.Problemf(f.Name, "%s%s", text, advice(f))
}

// typo reports an unknown name in the place of the variable it resembles.
func (r *Report) typo(t typo, f field) {
	r.typos[f.Name] = t.name
	if _, known := r.rank[t.name]; !known {
		r.rank[t.name] = r.rank[f.Name]
	}
	unset := "is not set"
	switch {
	case f.Required && f.Fallback == "":
		unset = "is required, but not set"
	case f.Default != "":
		unset = fmt.Sprintf("has its default, %q", f.Default)
	}
	r.Problemf(t.name, "unknown variable; did you mean %s, which %s?", f.Name, unset)
}

// advice says what is expected, gives an example, and says where to set it.
func advice(f field) string {
	text := ""
	if good := expected(f); good != "" {
		text += "; expected: " + good
	}
	if f.Example != "" && !f.Secret {
		text += fmt.Sprintf("; for example %s: '%s'", f.Name, f.Example)
	}
	return text + "; " + f.place()
}

// problems is the result: nil, or all of them in the order of the fields,
// those of unknown variables last.
func (r *Report) problems() error {
	if len(r.found) == 0 {
		return nil
	}
	rank := func(p Problem) int {
		if at, known := r.rank[p.Variable]; known {
			return at
		}
		return len(r.rank)
	}
	slices.SortStableFunc(r.found, func(a, b Problem) int { return rank(a) - rank(b) })
	return &Problems{List: r.found}
}
