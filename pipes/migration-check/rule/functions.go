package rule

import (
	"fmt"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// function is M114: every call that the old release may make must find a function still,
// and only one. What a function does inside, and how volatile it is, is its own affair.
func (j *compatibility) function(c schema.Change) {
	if c.Op == schema.Added {
		j.overload(c)
		return
	}
	if trigger(c.Before) {
		return // nobody calls it
	}
	var best []string // what is wrong with the one that comes closest
	for _, now := range j.after.Objects {
		if !isFunction(now.Kind) || bare(now) != bare(c.Before) {
			continue
		}
		wrong := misfits(c.Before, now)
		if len(wrong) == 0 {
			j.names(c, now)
			return
		}
		if best == nil || len(wrong) < len(best) {
			best = wrong
		}
	}
	if best == nil {
		j.add("M114", c, "The %s %s is gone.", c.Before.Kind, c.Before.Name)
		return
	}
	j.add("M114", c, "Calls of the %s %s fail or get something else: %s.", c.Before.Kind, c.Before.Name, strings.Join(best, ", and "))
}

func isFunction(kind string) bool {
	return kind == "function" || kind == "procedure" || kind == "aggregate"
}

// bare is the name without arguments.
func bare(o schema.Object) string {
	name, _, _ := strings.Cut(o.Name, "(")
	return name
}

func trigger(o schema.Object) bool {
	return o.Facts.Type == "trigger" || o.Facts.Type == "event_trigger"
}

// misfits tells why calls of one function cannot be served by another of its name.
func misfits(was, is schema.Object) []string {
	if was.Kind != is.Kind {
		return []string{fmt.Sprintf("it is a %s now", is.Kind)}
	}
	var wrong []string
	old, now := given(was), given(is)
	for at, a := range old {
		switch {
		case at >= len(now):
			wrong = append(wrong, fmt.Sprintf("%s does not take %s", is.Name, argument(a, at)))
		case !widens(a.Type, now[at].Type) || (a.Mode == "v") != (now[at].Mode == "v"):
			wrong = append(wrong, fmt.Sprintf("%s takes %s as %s instead of %s", is.Name, argument(a, at), now[at].Type, a.Type))
		}
	}
	if at := was.Facts.Required; is.Facts.Required > at && at < len(now) {
		wrong = append(wrong, fmt.Sprintf("%s must be given %s", is.Name, argument(now[at], at)))
	}
	if !sameResult(was, is) {
		wrong = append(wrong, fmt.Sprintf("it returns %s instead of %s", is.Facts.Type, was.Facts.Type))
	}
	return wrong
}

// given are the arguments that a call gives. CALL names those that go out, too.
func given(o schema.Object) []schema.Argument {
	return slices.DeleteFunc(slices.Clone(o.Facts.Arguments), func(a schema.Argument) bool {
		return a.Mode == "t" || a.Mode == "o" && o.Kind != "procedure"
	})
}

func argument(a schema.Argument, at int) string {
	if a.Name != "" {
		return a.Name
	}
	return fmt.Sprintf("argument %d", at+1)
}

// sameResult tells that whoever reads the old result can read the new one. A table may have
// more columns, as a view may.
func sameResult(was, is schema.Object) bool {
	old, now := strings.TrimPrefix(was.Facts.Type, "SETOF "), strings.TrimPrefix(is.Facts.Type, "SETOF ")
	switch {
	case old == "void" || was.Facts.Type == is.Facts.Type && old != "record":
		return true
	case several(was) != several(is):
		return false
	}
	before, after := returned(was), returned(is)
	if len(before) < 2 {
		return len(after) == len(before) && widens(old, now)
	}
	for at, column := range before {
		if at >= len(after) || after[at].Name != column.Name || !widens(column.Type, after[at].Type) {
			return false
		}
	}
	return true
}

// several tells a function that returns rows.
func several(o schema.Object) bool {
	return strings.HasPrefix(o.Facts.Type, "SETOF ") || strings.HasPrefix(o.Facts.Type, "TABLE(")
}

// returned are the columns of the result.
func returned(o schema.Object) []schema.Argument {
	return slices.DeleteFunc(slices.Clone(o.Facts.Arguments), func(a schema.Argument) bool { return a.Mode == "i" || a.Mode == "v" })
}

// names is M114 for calls like f(price => 3).
func (j *compatibility) names(c schema.Change, is schema.Object) {
	now := given(is)
	for at, a := range given(c.Before) {
		if a.Name != "" && now[at].Name != a.Name {
			j.add("M114", c, "Calls of the %s %s that name %s fail: %s calls it %s.", c.Before.Kind, c.Before.Name, a.Name, is.Name, argument(now[at], at))
			j.found[len(j.found)-1].Severity = finding.Warning
			return
		}
	}
}

// overload is M114 for a function beside one of the same name: a call that fits both fails,
// and one whose types are not known, such as with parameters, may go to the new one.
func (j *compatibility) overload(c schema.Change) {
	for _, is := range j.after.Objects {
		was, old := j.before.Find(is.Kind, is.Name)
		if !old || !isFunction(is.Kind) || bare(is) != bare(c.After) || trigger(is) || trigger(c.After) {
			continue
		}
		mine, theirs := given(c.After), given(was)
		for n := was.Facts.Required; n <= len(theirs); n++ {
			if n < c.After.Facts.Required || n > len(mine) {
				continue
			}
			if slices.EqualFunc(mine[:n], theirs[:n], func(a, b schema.Argument) bool { return a.Type == b.Type && a.Mode == b.Mode }) {
				j.add("M114", c, "Calls of %s with %s fail: they fit %s and %s, and neither is better.", bare(was), arguments(n), is.Name, c.After.Name)
				return
			}
			if n > 0 {
				j.add("M114", c, "Calls of %s with %s whose type is not given, such as a parameter's, may go to %s instead of %s, or fail.", bare(was), arguments(n), c.After.Name, is.Name)
				j.found[len(j.found)-1].Severity = finding.Warning
				return
			}
		}
	}
}

func arguments(n int) string {
	switch n {
	case 0:
		return "no argument"
	case 1:
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", n)
}
