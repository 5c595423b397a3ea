package rule

import (
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// Blocking judges who has to wait while a migration runs. Only what production has counts.
// Large names the tables where waiting matters, "table" or "schema.table"; with none given
// it may matter everywhere, and with some an error elsewhere is a warning.
func Blocking(m Migrated, statements []statement.Statement, large []string) []finding.Finding {
	j := &blocking{Migrated: m, large: large, once: map[string]bool{}}
	for _, s := range statements {
		if m.Transaction.Refuses(s, len(statements)) {
			j.together(s)
		}
		j.text(s)
	}
	if m.Trace == nil {
		return j.found
	}
	for _, step := range m.Trace.Steps {
		j.step(step)
	}
	j.repeated()
	j.leaks(statements)
	return j.found
}

// together is M208.
func (j *blocking) together(s statement.Statement) {
	if j.Transaction != statement.Around {
		j.add("M208", s.Line, "", "This cannot run together with other statements.")
		return
	}
	f := Find("M208").Finding(j.File, s.Line, "This cannot run in the transaction that the tool puts around the file.")
	f.Detail = "PostgreSQL refuses it there.\nPut it into a file of its own that asks for no transaction: " + j.Without + "."
	j.found = append(j.found, f)
}

type blocking struct {
	Migrated
	large []string
	once  map[string]bool
	found []finding.Finding
}

// add reports what happens to a table; "" is none in particular.
func (j *blocking) add(id string, line int, table, format string, args ...any) {
	f := Find(id).Finding(j.File, line, format, args...)
	if table != "" && len(j.large) > 0 && f.Severity == finding.Error &&
		!slices.Contains(j.large, table) && !slices.Contains(j.large, last(table)) {
		f.Severity = finding.Warning
		f.Detail += "\nA warning only, because the table is not among LARGE_TABLES."
	}
	j.found = append(j.found, f)
}

func (j *blocking) addOnce(id string, line int, table, format string, args ...any) {
	if !j.once[id] {
		j.once[id] = true
		j.add(id, line, table, format, args...)
	}
}

// text judges what the words alone say, and what no trace can see.
func (j *blocking) text(s statement.Statement) {
	switch {
	case s.Is("vacuum") && (s.Is("vacuum", "full") || hasWord(s, "full")):
		j.add("M214", s.Line, "", "VACUUM FULL writes the table anew while nobody can use it.")
	case s.Is("create", "domain") && s.Has("check"), s.Is("alter", "domain") && s.Has("add"):
		j.add("M216", s.Line, "", "The domain gets a constraint.")
	}
}

func hasWord(s statement.Statement, word string) bool {
	return slices.ContainsFunc(s.Tokens, func(t statement.Token) bool { return t.Kind == statement.Word && t.Text == word })
}

// tables are the strong locks of a step on what holds rows.
func tables(locks []trace.Lock, at trace.Mode) []trace.Relation {
	var all []trace.Relation
	for _, l := range locks {
		reads := l.Relation.Kind == "m" // and nothing but a refresh writes it
		if l.Mode >= at && (l.Relation.Kind == "r" || l.Relation.Kind == "p" || reads && l.Mode == trace.AccessExclusive) {
			all = append(all, l.Relation)
		}
	}
	return all
}

func (j *blocking) step(s trace.Step) {
	j.whole(s)
	j.rewrites(s)
	j.scans(s)
	j.data(s)
	strong := tables(s.Locks, trace.Share)
	if len(strong) > 0 && s.LockTimeout == "0" {
		j.addOnce("M209", s.Statement.Line, strong[0].Name, "%s is locked (%s) for as long as it takes to get the lock.", strong[0].Name, modeOf(s.Locks, strong[0]))
	}
	j.held(s)
}

func modeOf(locks []trace.Lock, r trace.Relation) trace.Mode {
	for _, l := range locks {
		if l.Relation.OID == r.OID {
			return l.Mode
		}
	}
	return 0
}

// whole is M205, M207, M213 and M214: statements that name what they do.
func (j *blocking) whole(s trace.Step) {
	st := s.Statement
	name := subject(s)
	if name == "" {
		return
	}
	for _, k := range kinds {
		if k.is(st) {
			j.add(k.id, st.Line, name, k.text, name)
			return
		}
	}
	if cascades(st) {
		j.add("M213", st.Line, name, "CASCADE drops whatever depends on it: %s.", dropped(s.Changes))
	}
}

// kinds are statements that say by themselves whom they block; the text names the table.
var kinds = []struct {
	id   string
	is   func(statement.Statement) bool
	text string
}{
	{"M205", func(s statement.Statement) bool { return s.Is("create") && s.Has("index") && !s.Concurrently() },
		"The index is built while %s cannot be written."},
	{"M207", func(s statement.Statement) bool { return s.Is("drop", "index") && !s.Concurrently() },
		"DROP INDEX blocks %s; DROP INDEX CONCURRENTLY does not."},
	{"M207", func(s statement.Statement) bool { return s.Is("reindex") && !s.Concurrently() },
		"REINDEX blocks %s; with CONCURRENTLY it does not."},
	{"M207", func(s statement.Statement) bool { return s.Is("refresh") && !s.Has("concurrently") },
		"REFRESH blocks who reads %s; with CONCURRENTLY it does not."},
	{"M207", func(s statement.Statement) bool {
		return s.Is("alter", "table") && s.Has("detach", "partition") && !s.Concurrently()
	}, "DETACH PARTITION blocks all of %s; with CONCURRENTLY it does not."},
	{"M214", func(s statement.Statement) bool { return s.Is("cluster") }, "CLUSTER writes %s anew while nobody can use it."},
	{"M214", func(s statement.Statement) bool { return s.Is("lock") }, "LOCK TABLE keeps %s to the end of the transaction."},
	{"M214", func(s statement.Statement) bool {
		return s.Is("alter", "table") && (s.Has("set", "unlogged") || s.Has("set", "logged"))
	},
		"%s is written anew while nobody can use it."},
	{"M213", func(s statement.Statement) bool { return s.Is("truncate") }, "TRUNCATE empties %s."},
}

// subject is the table that production has and that a statement is about; "" is none.
func subject(s trace.Step) string {
	switch strong := tables(s.Locks, trace.Share); {
	case len(strong) > 0:
		return strong[0].Name
	case len(s.Locks) > 0:
		return s.Locks[0].Relation.Table
	case len(s.Scanned) > 0 && len(s.Held) > 0:
		return s.Scanned[0].Name // locked by a statement before
	}
	return ""
}

// cascades tells DROP … CASCADE from ON DELETE CASCADE.
func cascades(s statement.Statement) bool {
	drops := s.Is("drop") || s.Is("alter", "table") && s.Has("drop")
	for at, t := range s.Tokens {
		if drops && t.Kind == statement.Word && t.Text == "cascade" && at > 0 && s.Tokens[at-1].Text != "delete" && s.Tokens[at-1].Text != "update" {
			return true
		}
	}
	return false
}

func dropped(changes []schema.Change) string {
	var names []string
	for _, c := range changes {
		if c.Op == schema.Dropped {
			names = append(names, c.Before.String())
		}
	}
	if len(names) == 0 {
		return "nothing now, but perhaps in production"
	}
	return strings.Join(names, ", ")
}

// ownRule are statements that are judged as a whole.
func ownRule(s statement.Statement) bool {
	return s.Is("truncate") || s.Is("refresh") || s.Is("cluster") || s.Is("vacuum") || s.Is("reindex") ||
		s.Has("set", "unlogged") || s.Has("set", "logged")
}

// rewrites is M201 and M202.
func (j *blocking) rewrites(s trace.Step) {
	if ownRule(s.Statement) {
		return
	}
	for _, r := range s.Rewrote {
		id, line := "M201", s.Statement.Line
		for _, c := range s.Changes {
			if c.Kind() == "column" && c.Object().Parent == r.Name {
				line = lineOf(s.Statement, c)
				if c.Op == schema.Added {
					id = "M202"
				}
			}
		}
		j.add(id, line, r.Name, "%s is written anew%s.", r.Name, indexes(s, r))
	}
}

// indexes are those that were written anew with the table. That of a column whose type
// changes is made under another number, so none is not said.
func indexes(s trace.Step, table trace.Relation) string {
	n := 0
	for _, r := range s.Rebuilt {
		if r.Table == table.Name {
			n++
		}
	}
	switch n {
	case 0:
		return ""
	case 1:
		return ", with its index"
	}
	return ", with all its indexes"
}

// scans is M203, M204, M206 and M217: an existing table is read as a whole while it, or
// what it belongs to, is locked.
func (j *blocking) scans(s trace.Step) {
	st := s.Statement
	if ownRule(st) || st.ChangesData() || st.Is("create") { // an index has a rule of its own, and what else reads a table checks nothing
		return
	}
	foreign := false
	for _, r := range s.Scanned {
		locked := slices.ContainsFunc(append(slices.Clone(s.Locks), s.Held...), func(l trace.Lock) bool {
			return l.Relation.OID == r.OID && l.Mode.BlocksWrites()
		})
		if !locked || slices.ContainsFunc(s.Rewrote, func(o trace.Relation) bool { return o.OID == r.OID }) {
			continue
		}
		c, id := why(s, r)
		if c.Op == "" && (st.Is("select") || st.Is("with")) {
			continue // a question, and not a check
		}
		if foreign && id == "M204" {
			continue // the other table of the same key
		}
		foreign = foreign || id == "M204"
		line := st.Line
		if c.Op != "" {
			line = lineOf(st, c)
		}
		j.add(id, line, r.Name, "%s", scanText(id, r.Name))
	}
}

func scanText(id, table string) string {
	switch id {
	case "M204":
		return "The foreign key is checked against all rows of " + table + " while it cannot be written."
	case "M206":
		return "An index over " + table + " is built while nobody can use it."
	case "M217":
		return "All rows of " + table + " are checked to fit the partition."
	}
	return "All rows of " + table + " are checked while nobody can use it."
}

// why finds what made a statement read a table.
func why(s trace.Step, r trace.Relation) (schema.Change, string) {
	if s.Statement.Has("attach", "partition") {
		return schema.Change{}, "M217"
	}
	for _, c := range s.Changes {
		o := c.After
		switch {
		case c.Kind() != "constraint" || o.Parent != r.Name && o.Facts.References != r.Name:
		case o.Facts.Type == "f" && o.Facts.Valid:
			return c, "M204"
		case c.Op == schema.Added && strings.Contains("upx", o.Facts.Type) && !s.Statement.Has("using", "index"):
			return c, "M206"
		case o.Facts.Type == "c":
			return c, "M203"
		}
	}
	return column(s.Changes, r)
}

// column finds the column for whose sake a table was read: its own, or one with another
// type by now that a foreign key leads to.
func column(changes []schema.Change, r trace.Relation) (schema.Change, string) {
	var retyped schema.Change
	for _, c := range changes {
		switch {
		case c.Kind() != "column":
		case c.After.Parent == r.Name:
			return c, "M203"
		case c.Op == schema.Changed && c.Before.Facts.Type != c.After.Facts.Type:
			retyped = c
		}
	}
	if retyped.Op != "" {
		return retyped, "M204"
	}
	return schema.Change{}, "M203"
}

// data is M212. One INSERT … VALUES writes no more rows than the file has.
func (j *blocking) data(s trace.Step) {
	st := s.Statement
	if ownRule(st) || st.Is("create") || st.Is("alter") || st.Is("drop") || st.Is("insert") && st.Has("values") {
		return
	}
	written := tables(s.Locks, trace.RowExclusive)
	if !st.ChangesData() {
		written = nil
		for _, r := range s.Rows {
			written = append(written, r.Relation)
		}
	} else if len(written) == 0 && len(s.Rows) > 0 {
		written = []trace.Relation{s.Rows[0].Relation} // locked by a statement before
	}
	if len(written) > 0 {
		j.add("M212", st.Line, written[0].Name, "Rows of %s are changed.", written[0].Name)
	}
}

// held is M210: work that could have been done without the lock.
func (j *blocking) held(s trace.Step) {
	held := tables(s.Held, trace.Share)
	if len(held) == 0 {
		return
	}
	another := slices.ContainsFunc(tables(s.Locks, trace.Share), func(r trace.Relation) bool {
		return !slices.ContainsFunc(held, func(h trace.Relation) bool { return h.OID == r.OID })
	})
	switch {
	case len(s.Rewrote) > 0, len(s.Scanned) > 0, len(s.Rows) > 0:
		j.addOnce("M210", s.Statement.Line, "", "This runs while %s is locked by a statement before.", held[0].Name)
	case another:
		j.addOnce("M210", s.Statement.Line, "", "A second table is locked while %s is locked by a statement before.", held[0].Name)
	}
}

// repeated is M211.
func (j *blocking) repeated() {
	read := map[string]bool{}
	for _, s := range j.Trace.Steps {
		if !s.Statement.Is("alter", "table") {
			continue
		}
		for _, r := range s.Scanned {
			if read[r.Name] {
				j.addOnce("M211", s.Statement.Line, "", "%s is read once more.", r.Name)
			}
			read[r.Name] = true
		}
	}
}

// leaks is M219, at the statement that sets what stays.
func (j *blocking) leaks(statements []statement.Statement) {
	for _, name := range j.Trace.Leaks {
		line := 0
		for _, s := range statements {
			if hasWord(s, name) || strings.Contains(s.Text, name) || strings.HasPrefix(name, "temporary") && (hasWord(s, "temp") || hasWord(s, "temporary")) {
				line = s.Line
			}
		}
		j.add("M219", line, "", "%s stays set for the migrations that follow.", name)
	}
}
