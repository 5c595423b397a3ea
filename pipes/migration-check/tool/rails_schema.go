package tool

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// schemaFile is the dump of the schema that Rails keeps in the clone.
const schemaFile = "db/schema.rb"

// dump is the one that Rails keeps as SQL, where a project has chosen that.
func (rails) dump(dir string) string {
	const structure = "db/structure.sql"
	if _, err := os.Stat(filepath.Join(dir, schemaFile)); err == nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(dir, structure)); err != nil {
		return ""
	}
	return structure
}

// missing holds the dump that Rails makes of the database against the one in the clone.
// db/structure.sql is SQL, and so compared as SCHEMA_FILE is.
func (r rails) missing(ctx context.Context, run *run) (*Missing, error) {
	was, err := os.ReadFile(filepath.Join(run.dir, schemaFile))
	if err != nil {
		return nil, nil //nolint:nilerr // there is none to compare with
	}
	dir, err := os.MkdirTemp("", "fearless-answer-")
	if err != nil {
		return nil, exit.Unablef("%w", err)
	}
	defer os.RemoveAll(dir)
	dump := filepath.Join(dir, filepath.Base(schemaFile))
	answer, err := run.with(ctx, r.command("db:schema:dump", dump))
	if err != nil {
		return nil, err
	}
	is, err := os.ReadFile(dump)
	if answer.Code != 0 || err != nil {
		return nil, exit.Refusedf("`%s db:schema:dump` ended with exit code %d: %s", r.program, answer.Code, answer.LastWords())
	}
	return compareDumps(string(was), string(is)), nil
}

// dumped is a line of a dump of the schema.
type dumped struct {
	line  int
	table string // that it is in; "" is none
	text  string
}

func (d dumped) String() string {
	if d.table == "" {
		return ": " + d.text
	}
	return ", in " + d.table + ": " + d.text
}

var (
	dumpedVersion = regexp.MustCompile(`^ActiveRecord::Schema\S*\(version: ([0-9_]+)\)`)
	dumpedTable   = regexp.MustCompile(`^create_table "([^"]+)"`)
)

// contents are what a dump says.
type contents struct {
	version dumped
	lines   []dumped
	known   map[string]bool // lines by what they say of which table
	tables  map[string]int  // where each begins
}

func contentsOf(text string) contents {
	spans, _ := scan(text)
	c := contents{known: map[string]bool{}, tables: map[string]int{}}
	table := ""
	for _, s := range spans {
		if m := dumpedVersion.FindStringSubmatch(s.Text); m != nil {
			c.version = dumped{s.First, "", m[1]}
			continue
		}
		one := dumped{s.First, table, s.Text}
		if m := dumpedTable.FindStringSubmatch(s.Text); m != nil {
			table, one.table = m[1], ""
			c.tables[table] = s.First
		} else if s.Text == "end" {
			table = ""
			continue
		}
		if !c.known[one.String()] {
			c.known[one.String()] = true
			c.lines = append(c.lines, one)
		}
	}
	return c
}

// without are the lines that other does not have. Of a table that it does not know the
// first line says enough.
func (c contents) without(other contents) []dumped {
	var all []dumped
	for _, l := range c.lines {
		if _, there := other.tables[l.table]; !other.known[l.String()] && (l.table == "" || there) {
			all = append(all, l)
		}
	}
	return all
}

// compareDumps tells what the dump in the clone says otherwise than the migrations do, on
// its lines.
func compareDumps(was, is string) *Missing {
	have, made := contentsOf(was), contentsOf(is)
	m := &Missing{}
	add := func(line int, format string, args ...any) {
		m.Lines = append(m.Lines, fmt.Sprintf(format, args...))
		m.At = append(m.At, Spot{schemaFile, line})
	}
	for _, l := range have.without(made) {
		add(l.line, "No migration makes%s", l)
	}
	for _, l := range made.without(have) {
		add(have.tables[l.table], "%s lacks%s", schemaFile, l)
	}
	if strings.ReplaceAll(have.version.text, "_", "") != strings.ReplaceAll(made.version.text, "_", "") {
		add(have.version.line, "%s is of version %s, and the migrations lead to %s", schemaFile, have.version.text, made.version.text)
	}
	m.Text = strings.Join(m.Lines, "; ")
	return m
}
