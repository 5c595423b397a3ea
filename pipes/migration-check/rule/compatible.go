package rule

import (
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// Compatible judges whether the old release can run on the new schema, on the sum of the
// change: a column that is added and dropped within it harms nobody. Before and after are
// moments of one database.
func Compatible(before, after *schema.Snapshot, migrated []Migrated) []finding.Finding {
	j := &compatibility{before: before, after: after, migrated: migrated, changes: schema.Follow(before, after)}
	for _, c := range j.changes {
		switch c.Kind() {
		case "schema":
			j.schema(c)
		case "table", "view", "materialized view", "foreign table":
			j.relation(c)
		case "column":
			j.column(c)
		case "constraint":
			j.constraint(c)
		case "index":
			j.index(c)
		case "enum":
			j.enum(c)
		case "function", "procedure", "aggregate":
			j.function(c)
		case "grant", "policy":
			j.right(c)
		case "trigger":
			if c.Op == schema.Added {
				j.add("M117", c, "The trigger %s now runs on writes of %s.", last(c.After.Name), c.After.Parent)
			}
		}
	}
	j.order()
	return j.found
}

type compatibility struct {
	before, after *schema.Snapshot
	changes       []schema.Change
	migrated      []Migrated
	found         []finding.Finding
}

func (j *compatibility) add(id string, c schema.Change, format string, args ...any) {
	file, line := place(j.migrated, c)
	j.found = append(j.found, Find(id).Finding(file, line, format, args...))
}

func (j *compatibility) schema(c schema.Change) {
	switch c.Op {
	case schema.Dropped:
		j.add("M103", c, "The schema %s is dropped.", c.Before.Name)
	case schema.Renamed:
		j.add("M103", c, "The schema %s is now called %s.", c.Before.Name, c.After.Name)
	}
}

func (j *compatibility) relation(c schema.Change) {
	switch c.Op {
	case schema.Dropped, schema.Renamed:
		if j.stillThere(c) {
			return
		}
		if c.Op == schema.Renamed {
			j.add("M105", c, "The %s %s is now called %s.", c.Before.Kind, c.Before.Name, c.After.Name)
		} else {
			j.add("M102", c, "The %s %s is dropped.", c.Before.Kind, c.Before.Name)
		}
	case schema.Changed:
		if !c.Before.Facts.RLS && c.After.Facts.RLS {
			j.add("M116", c, "Row security is switched on for %s.", c.After.Name)
		}
	}
}

// stillThere looks for something else of the same name, such as a view over the renamed
// table; what it lacks of the columns is missed.
func (j *compatibility) stillThere(c schema.Change) bool {
	found := false
	for _, o := range j.after.Objects {
		found = found || isRelation(o.Kind) && o.Name == c.Before.Name
	}
	if !found {
		return false
	}
	for _, o := range j.before.Of("column") {
		if o.Parent != c.Before.Name {
			continue
		}
		if _, ok := j.after.Find("column", o.Name); !ok {
			j.add("M101", c, "%s is there, but without the column %s.", c.Before.Name, last(o.Name))
		}
	}
	return true
}

func (j *compatibility) column(c schema.Change) {
	o := c.Object()
	if o.Facts.Relation == "v" || o.Facts.Relation == "m" {
		if c.Op == schema.Dropped || c.Op == schema.Renamed || c.Op == schema.Changed && !widens(c.Before.Facts.Type, c.After.Facts.Type) {
			j.add("M115", c, "View: %s.", c)
		}
		return
	}
	switch c.Op {
	case schema.Dropped:
		if twin := j.twin(c.Before); twin != "" {
			j.add("M104", c, "The column %s is dropped and %s of the same type added: a renaming?", c.Before.Name, twin)
			return
		}
		j.add("M101", c, "The column %s is dropped.", c.Before.Name)
	case schema.Renamed:
		j.add("M104", c, "The column %s is now called %s.", c.Before.Name, last(c.After.Name))
	case schema.Added:
		j.columnAdded(c)
	case schema.Changed:
		j.columnChanged(c)
	}
	if c.After.Facts.Type == "json" && c.Before.Facts.Type != "json" {
		j.add("M218", c, "The column %s is of type json.", c.After.Name)
	}
}

// twin is a new column of the same table and type, when there is exactly one.
func (j *compatibility) twin(dropped schema.Object) string {
	var found []string
	for _, c := range j.changes {
		if c.Kind() == "column" && c.Op == schema.Added && c.After.Parent == dropped.Parent && c.After.Facts.Type == dropped.Facts.Type {
			found = append(found, last(c.After.Name))
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

func (j *compatibility) columnAdded(c schema.Change) {
	if f := c.After.Facts; f.NotNull && !f.FillsItself() && !j.perhapsRenamed(c.After) {
		j.add("M106", c, "INSERTs of the old release do not give %s, which is NOT NULL and has no default.", c.After.Name)
	}
}

// perhapsRenamed tells a column that M104 was said of, and that is otherwise as it was.
func (j *compatibility) perhapsRenamed(added schema.Object) bool {
	return slices.ContainsFunc(j.changes, func(c schema.Change) bool {
		return c.Kind() == "column" && c.Op == schema.Dropped && c.Before.Parent == added.Parent &&
			c.Before.Definition == added.Definition && j.twin(c.Before) == last(added.Name)
	})
}

func (j *compatibility) columnChanged(c schema.Change) {
	was, is := c.Before.Facts, c.After.Facts
	name := c.After.Name
	if was.Type != is.Type && !widens(was.Type, is.Type) {
		j.add("M109", c, "The type of %s changes from %s to %s.", name, was.Type, is.Type)
	}
	if !was.NotNull && is.NotNull && !j.neverNull(c.Before) {
		j.add("M107", c, "%s may not be NULL any more.", name)
	}
	if was.NotNull && !is.NotNull {
		j.add("M111", c, "%s may be NULL now.", name)
	}
	if was.Default != "" && !is.FillsItself() && is.NotNull {
		j.add("M108", c, "%s loses its default %s.", name, was.Default)
	}
	if was.Identity != "a" && is.Identity == "a" || was.Generated == "" && is.Generated != "" {
		j.add("M118", c, "%s may not be given by INSERTs any more.", name)
	}
}

// neverNull tells a column of which a check says NOT NULL already, valid for the rows that
// are there or not: the old release cannot write NULL. It is the step before the last of
// the way that M203 advises.
func (j *compatibility) neverNull(column schema.Object) bool {
	return slices.ContainsFunc(j.before.Of("constraint"), func(o schema.Object) bool {
		return o.Parent == column.Parent && o.Facts.Type == "c" && slices.Equal(o.Facts.Columns, []string{column.Name[len(column.Parent)+1:]}) &&
			strings.HasSuffix(strings.TrimSuffix(o.Definition, " NOT VALID"), " IS NOT NULL))") && strings.Count(o.Definition, "(") == 2
	})
}

// words for constraints, by their type in the catalogue.
var constraintWords = map[string]string{"p": "primary key", "u": "unique constraint", "c": "check", "f": "foreign key", "x": "exclusion constraint"}

func (j *compatibility) constraint(c schema.Change) {
	o := c.Object()
	word, known := constraintWords[o.Facts.Type]
	if !known {
		return
	}
	switch {
	case c.Op == schema.Added:
		if !j.onNewColumns(o) && !j.onlyRenames(o) {
			j.add("M110", c, "The %s %s: %s", word, o.Name, o.Definition)
		}
		if o.Facts.Type == "f" {
			j.unindexed(c)
		}
	case o.Facts.Type != "f":
	case c.Op == schema.Dropped:
		if !j.replaced(o) {
			j.add("M119", c, "The foreign key %s is dropped.", o.Name)
		}
	case c.Op == schema.Changed && c.Before.Facts.OnDelete != "c" && c.After.Facts.OnDelete == "c":
		j.add("M119", c, "Rows of %s are now deleted along with those of %s.", o.Parent, o.Facts.References)
	}
}

// onNewColumns tells a constraint that the old release cannot violate, since it does not
// know the columns.
func (j *compatibility) onNewColumns(o schema.Object) bool {
	if len(o.Facts.Columns) == 0 {
		return false
	}
	for _, column := range o.Facts.Columns {
		if _, old := j.before.Find("column", o.Parent+"."+column); old {
			return false
		}
	}
	return true
}

// onlyRenames tells a constraint that was there under another name, or as a unique index.
func (j *compatibility) onlyRenames(o schema.Object) bool {
	for _, was := range j.before.Objects {
		same := was.Parent == o.Parent && slices.Equal(was.Facts.Columns, o.Facts.Columns)
		switch {
		case was.Kind == "constraint" && was.Parent == o.Parent && was.Definition == o.Definition:
			return true
		case was.Kind == "index" && same && was.Facts.Unique && !was.Facts.Partial && (o.Facts.Type == "u" || o.Facts.Type == "p"):
			return true
		}
	}
	return false
}

// replaced tells a foreign key that another one on the same columns follows.
func (j *compatibility) replaced(o schema.Object) bool {
	for _, is := range j.after.Of("constraint") {
		if is.Facts.Type == "f" && is.Parent == o.Parent && slices.Equal(is.Facts.Columns, o.Facts.Columns) &&
			is.Facts.References == o.Facts.References && (is.Facts.OnDelete == o.Facts.OnDelete || is.Facts.OnDelete != "c") {
			return true
		}
	}
	return false
}

// unindexed is M215.
func (j *compatibility) unindexed(c schema.Change) {
	columns := c.After.Facts.Columns
	for _, o := range j.after.Of("index") {
		if o.Parent == c.After.Parent && !o.Facts.Partial && len(o.Facts.Columns) >= len(columns) && slices.Equal(o.Facts.Columns[:len(columns)], columns) {
			return
		}
	}
	j.add("M215", c, "There is no index on %s (%s) for the foreign key %s.", c.After.Parent, strings.Join(columns, ", "), last(c.After.Name))
}

// index is M110 for a unique index that no constraint stands for.
func (j *compatibility) index(c schema.Change) {
	if c.Op != schema.Added || !c.After.Facts.Unique || j.onNewColumns(c.After) {
		return
	}
	if _, constraint := j.after.Find("constraint", c.After.Parent+"."+last(c.After.Name)); constraint {
		return
	}
	for _, was := range j.before.Of("index") {
		if was.Parent == c.After.Parent && was.Facts.Unique && !was.Facts.Partial && slices.Equal(was.Facts.Columns, c.After.Facts.Columns) {
			return
		}
	}
	j.add("M110", c, "The unique index %s: %s", last(c.After.Name), c.After.Definition)
}

func (j *compatibility) enum(c schema.Change) {
	if c.Op == schema.Dropped || c.Op == schema.Renamed {
		j.add("M112", c, "The enum %s is gone.", c.Before.Name)
		return
	}
	if c.Op != schema.Changed {
		return
	}
	for _, label := range c.Before.Facts.Labels {
		if !slices.Contains(c.After.Facts.Labels, label) {
			j.add("M112", c, "The value %q of the enum %s is gone.", label, c.Before.Name)
		}
	}
	for _, label := range c.After.Facts.Labels {
		if !slices.Contains(c.Before.Facts.Labels, label) && len(c.After.Facts.Labels) > len(c.Before.Facts.Labels) {
			j.add("M113", c, "The enum %s has the new value %q.", c.After.Name, label)
		}
	}
}

// right is M116: grants that get fewer, and policies that let fewer rows through or may.
func (j *compatibility) right(c schema.Change) {
	if c.Kind() == "grant" {
		if c.Op == schema.Added {
			return
		}
		var lost []string
		now := strings.Split(c.After.Definition, ", ")
		for right := range strings.SplitSeq(c.Before.Definition, ", ") {
			if !slices.Contains(now, right) {
				lost = append(lost, right)
			}
		}
		if len(lost) > 0 {
			j.add("M116", c, "%s is revoked on %s.", strings.Join(lost, ", "), c.Before.Name)
		}
		return
	}
	if c.Op == schema.Added && !strings.Contains(c.After.Definition, " restrictive") {
		return // lets more through
	}
	j.add("M116", c, "The policy %s on %s: %s.", last(c.Object().Name), c.Object().Parent, c.Op)
}

// order is M120, for tables that were built anew under their old name, and for columns
// that were.
func (j *compatibility) order() {
	for _, t := range j.after.Of("table") {
		was, ok := j.before.Find("table", t.Name)
		if !ok {
			continue
		}
		old, now := columns(j.before, was, j.after), columns(j.after, t, j.before)
		for at := range old {
			if old[at] != now[at] {
				moved, _ := j.after.Find("column", old[at])
				j.add("M120", schema.Change{Op: schema.Changed, Before: moved, After: moved}, "The columns of %s are in another order.", t.Name)
				break
			}
		}
	}
}

// columns are the names of a table's columns, in order, that the other schema has, too.
func columns(s *schema.Snapshot, t schema.Object, other *schema.Snapshot) []string {
	var all []schema.Object
	for _, o := range s.Of("column") {
		if _, both := other.Find("column", o.Name); both && o.Parent == t.Name {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b schema.Object) int { return int(a.Number - b.Number) })
	names := make([]string, len(all))
	for i, o := range all {
		names[i] = o.Name
	}
	return names
}
