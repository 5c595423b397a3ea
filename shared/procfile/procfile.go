// Package procfile reads a Procfile: one process type and its command per
// line. The type release is special: its command is run once per release, the
// others are kept running.
package procfile

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Release is the process type that runs once per release.
const Release = "release"

// all is the role that runs every process type, so no type may have its name.
const all = "all"

// maxSize is far above any real Procfile; what is larger is another file.
const maxSize = 256 << 10

// Process is one line of a Procfile.
type Process struct {
	Type    string
	Command string
	Line    int
}

var typeName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// Parse reads a Procfile. name stands in the errors, which name every problem
// of the file; empty lines and lines that start with # are skipped.
func Parse(name string, r io.Reader) ([]Process, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, exit.Unablef("cannot read %s: %w", name, err)
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	switch {
	case len(data) > maxSize:
		return nil, exit.Invalidf("%s: larger than %d KB, this is no Procfile", name, maxSize>>10)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return nil, exit.Invalidf("%s: not a text file in UTF-8", name)
	}
	f := file{name: name, first: map[string]int{}}
	for i, line := range strings.Split(text, "\n") {
		f.line(i+1, strings.TrimSpace(line))
	}
	f.whole()
	if len(f.problems) > 0 {
		return nil, exit.Invalidf("%s", strings.Join(f.problems, "\n"))
	}
	return f.processes, nil
}

// Types are the process types in the order of the file, release included.
func Types(processes []Process) []string {
	types := make([]string, len(processes))
	for i, p := range processes {
		types[i] = p.Type
	}
	return types
}

// Find is the process of a type.
func Find(processes []Process, name string) (Process, bool) {
	for _, p := range processes {
		if p.Type == name {
			return p, true
		}
	}
	return Process{}, false
}

type file struct {
	name      string
	processes []Process
	problems  []string
	first     map[string]int // line of each type
}

func (f *file) line(number int, line string) {
	if line == "" || strings.HasPrefix(line, "#") {
		return
	}
	name, command, found := strings.Cut(line, ":")
	name, command = strings.TrimSpace(name), strings.TrimSpace(command)
	problem := func(format string, args ...any) {
		f.problems = append(f.problems, fmt.Sprintf("%s:%d: ", f.name, number)+fmt.Sprintf(format, args...))
	}
	switch {
	case !found:
		problem("no colon in %q, expected a line such as \"web: bin/server\"", short(line))
		return
	case !typeName.MatchString(name):
		problem("%q cannot be a process type: lower-case letters, digits and dashes, a letter first, at most 31", short(name))
	case name == all:
		problem("a process type cannot be called %q, that is the role which runs every type", all)
	case f.first[name] > 0:
		problem("%s is already on line %d", name, f.first[name])
	}
	switch {
	case command == "":
		problem("%s has no command", short(name))
	case strings.HasSuffix(command, `\`):
		problem("the command of %s ends with a backslash, but a command is one line", short(name))
	}
	if f.first[name] == 0 {
		f.first[name] = number
	}
	f.processes = append(f.processes, Process{Type: name, Command: command, Line: number})
}

// whole checks what no single line can tell.
func (f *file) whole() {
	if len(f.problems) > 0 {
		return
	}
	switch {
	case len(f.processes) == 0:
		f.problems = append(f.problems, f.name+": names no process, expected lines such as \"web: bin/server\"")
	case len(f.processes) == 1 && f.processes[0].Type == Release:
		f.problems = append(f.problems, f.name+": names only the release process, at least one more is needed")
	}
}

// short keeps a strange line from filling the log.
func short(s string) string {
	const limit = 60
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}
