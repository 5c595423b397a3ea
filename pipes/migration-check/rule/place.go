package rule

import (
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
)

// Migrated is a new migration with what it was seen to do.
type Migrated struct {
	File  string // of its up, in the clone
	Trace *trace.Trace
	// Transaction is what the tool puts around it; Without is how the file asks for none.
	Transaction statement.Transaction
	Without     string
}

// place finds the statement that made a change of the whole, the last one when there are
// several. What no statement was seen to do is about the change as a whole.
func place(migrated []Migrated, c schema.Change) (file string, line int) {
	if file, line = Made(migrated, c); file != "" {
		return file, line
	}
	return locked(migrated, c.Object())
}

// Made is the statement that was seen to make the change; "" is none.
func Made(migrated []Migrated, c schema.Change) (file string, line int) {
	for at := len(migrated) - 1; at >= 0; at-- {
		if migrated[at].Trace == nil {
			continue
		}
		steps := migrated[at].Trace.Steps
		for n := len(steps) - 1; n >= 0; n-- {
			for _, did := range steps[n].Changes {
				if about(did, c) && !validates(did, c) {
					return migrated[at].File, lineOf(steps[n].Statement, c)
				}
			}
		}
	}
	return "", 0
}

// validates tells the second step of a constraint that the change also adds: what is said
// about it is said where it is added.
func validates(did, c schema.Change) bool {
	return did.Op == schema.Changed && c.Op == schema.Added && c.Kind() == "constraint" && did.Kind() == "constraint"
}

// locked finds the last statement that locked the relation of an object most strongly,
// for what the two snapshots around a statement do not tell.
func locked(migrated []Migrated, o schema.Object) (file string, line int) {
	for _, m := range slices.Backward(migrated) {
		if m.Trace == nil {
			continue
		}
		for _, s := range slices.Backward(m.Trace.Steps) {
			for _, l := range s.Locks {
				if l.Mode == trace.AccessExclusive && (l.Relation.Name == o.Parent || l.Relation.Name == o.Name) {
					return m.File, s.Statement.Line
				}
			}
		}
	}
	return "", 0
}

// Place is where a difference between two schemas was made.
func Place(migrated []Migrated, c schema.Change) (file string, line int) { return place(migrated, c) }

// about tells whether a change of one statement is, or is part of, one of the whole: a
// dropped table takes its columns along, and a constraint is made with its column.
func about(did, c schema.Change) bool {
	for _, o := range []schema.Object{c.Before, c.After} {
		if o.Name == "" {
			continue
		}
		for _, d := range []schema.Object{did.Before, did.After} {
			if d.Key() == o.Key() || did.Op != schema.Changed && d.Name != "" && d.Name == o.Parent && isRelation(d.Kind) {
				return true
			}
		}
	}
	return false
}

// lineOf is the line of the part of a statement that names the object.
func lineOf(s statement.Statement, c schema.Change) int {
	name := c.Before.Name
	if name == "" {
		name = c.After.Name
	}
	if line := s.LineOf(last(name)); line != s.Line {
		return line
	}
	for _, column := range c.After.Facts.Columns {
		if line := s.LineOf(column); line != s.Line {
			return line
		}
	}
	return s.Line
}

func last(name string) string {
	name = strings.TrimSuffix(name[strings.LastIndexByte(name, '.')+1:], `"`)
	return strings.TrimPrefix(name, `"`)
}

func isRelation(kind string) bool {
	switch kind {
	case "table", "view", "materialized view", "foreign table":
		return true
	}
	return false
}
