package settings

import (
	"fmt"
	"strconv"
	"strings"
)

// environment is what the pipe was given.
type environment struct {
	names  []string // in the order given
	values map[string]string
}

func newEnvironment(environ []string) *environment {
	e := &environment{values: make(map[string]string, len(environ))}
	for _, pair := range environ {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			continue
		}
		if _, again := e.values[name]; !again {
			e.names = append(e.names, name)
		}
		e.values[name] = value
	}
	return e
}

// get returns the value of a variable, nothing when it is blank.
func (e *environment) get(name string) string {
	value := e.values[name]
	if strings.TrimSpace(value) == "" || value == "$"+name || value == "${"+name+"}" {
		return ""
	}
	return value
}

// raw is a value before parsing: text, or the items of a list that Bitbucket
// took apart, and the variable it came from (none for a default).
type raw struct {
	from  string
	text  string
	items []string
}

func (r raw) unset() bool { return r.text == "" && r.items == nil }

// lookup finds the value of a field: its own variable, then its fallbacks,
// then its default.
func (e *environment) lookup(f field) (raw, string) {
	for _, name := range append([]string{f.Name}, split(f.Fallback)...) {
		value, problem := e.one(f, name)
		if problem != "" || !value.unset() {
			return value, problem
		}
	}
	return raw{text: f.Default}, ""
}

// one reads a variable in either of the two forms Bitbucket knows. A list
// that is given as a list wins over a text that only repeats the default.
func (e *environment) one(f field, name string) (raw, string) {
	text := e.get(name)
	items, problem := e.items(name)
	switch {
	case problem != "":
		return raw{from: name}, problem
	case items == nil:
		return raw{from: name, text: text}, ""
	case f.Type != typeList:
		return raw{from: name}, "is given as a list, but takes one value"
	case text != "" && text != f.Default:
		return raw{from: name}, fmt.Sprintf("is given twice, as a list (%s_COUNT) and as one value", name)
	}
	return raw{from: name, items: items}, ""
}

// items puts NAME_0, NAME_1, … together. Nil means that NAME_COUNT is unset,
// zero, or not of Bitbucket's making.
func (e *environment) items(name string) ([]string, string) {
	text := e.get(name + "_COUNT")
	if text == "" {
		return nil, ""
	}
	count, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || count < 0 {
		return nil, fmt.Sprintf("cannot be read as a list: %s_COUNT is not a count", name)
	}
	var items []string
	for i := range count {
		key := fmt.Sprintf("%s_%d", name, i)
		value, ok := e.values[key]
		if !ok {
			return nil, fmt.Sprintf("cannot be read as a list: %s_COUNT says %d, but %s is missing", name, count, key)
		}
		if value = strings.TrimSpace(value); value != "" {
			items = append(items, value)
		}
	}
	return items, ""
}
