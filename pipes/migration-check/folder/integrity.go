package folder

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// Change is what integrity is judged on.
type Change struct {
	Head *Folder
	Base *Folder // what the change starts from; nil is not known
	Tip  *Folder // the destination branch as it is now; nil is not known, or the same as Base

	Now     time.Time
	Dialect statement.Dialect
	// Touched tells whether the change touches a file, by its path in the clone; Exists
	// whether the clone has it.
	Touched, Exists func(path string) bool
}

// Check is every rule of the folder, I01 to I11, for what the change adds, edits or
// deletes. What was merged long ago is not its fault.
func Check(c Change) []finding.Finding {
	j := &judge{Change: c}
	if c.Base != nil {
		j.new = c.Head.New(c.Base)
		j.history()
		j.order()
	} else {
		j.new = c.Head.Migrations
	}
	j.duplicates()
	j.tip()
	j.scheme()
	j.missingDowns()
	j.names()
	for _, m := range j.new {
		j.content(m)
	}
	j.companions()
	finding.Sort(j.found)
	return j.found
}

type judge struct {
	Change
	new   []Migration
	found []finding.Finding
}

// add reports a finding on a file of the folder; "" is the change as a whole.
func (j *judge) add(id, file string, line int, format string, args ...any) {
	if file != "" {
		file = j.Head.InClone(file)
	}
	j.found = append(j.found, rule.Find(id).Finding(file, line, format, args...))
}

// history is I01 and I02: what is merged stays.
func (j *judge) history() {
	for _, was := range j.Base.Migrations {
		if was.Repeatable {
			continue // its text may change; what it has made stays without it
		}
		is, there := j.Head.Find(was.Version)
		for _, p := range []struct {
			was, is Part
			what    string
		}{{was.Up, is.Up, "up"}, {was.Down, is.Down, "down"}} {
			switch {
			case !p.was.Exists():
			case !there || !p.is.Exists():
				j.add("I02", "", 0, "The merged %s migration %s is gone.", p.what, j.Head.InClone(p.was.File))
			case p.is.Text == p.was.Text || j.Dialect.Words(p.is.Text) == j.Dialect.Words(p.was.Text):
			case p.what == "down" && p.is.File != is.Up.File && j.Head.Format.Name == GolangMigrate.Name:
				j.mended(p.was, p.is, was.Version)
			default:
				j.add("I01", p.is.File, firstDifference(p.was.Text, p.is.Text), "The merged %s migration of version %s was edited.", p.what, was.Version)
			}
		}
	}
}

// mended is I01 for a down migration of golang-migrate, which keeps no checksums: databases
// do not differ by it, and the next one that goes down runs what is there then.
func (j *judge) mended(was, is Part, version Version) {
	f := rule.Find("I01").Finding(j.Head.InClone(is.File), firstDifference(was.Text, is.Text), "The merged down migration of version %s was edited.", version)
	f.Severity = finding.Warning
	f.Detail = "It runs where somebody goes back later, and is not tried here, since its version is not new.\nTry it by hand, down and up again."
	j.found = append(j.found, f)
}

// firstDifference is the line where the new text leaves the old one.
func firstDifference(was, is string) int {
	old, now := strings.Split(was, "\n"), strings.Split(is, "\n")
	for at := range now {
		if at >= len(old) || old[at] != now[at] {
			return at + 1
		}
	}
	return len(now)
}

// order is I03: databases only ever go forward.
func (j *judge) order() {
	highest, any := j.Base.Highest()
	for _, m := range j.new {
		if any && m.Version.Compare(highest) < 0 {
			j.add("I03", m.file(), 0, "Version %s comes before %s, which is merged, so databases that have that one never run it.", m.Version, highest)
		}
	}
}

// file is the one to point at.
func (m Migration) file() string {
	if m.Up.Exists() {
		return m.Up.File
	}
	return m.Down.File
}

// duplicates is I04. Those of the base are its own, unless the change adds a third.
func (j *judge) duplicates() {
	for _, t := range j.Head.Twice {
		if j.Base != nil && slices.Contains(j.Base.Twice, t) {
			continue
		}
		j.add("I04", t.Second, 0, "Version %s is also that of %s.", t.Version, t.First)
	}
	for _, m := range j.new {
		up, down := j.Head.title(m.Up), j.Head.title(m.Down)
		if up != down && m.Up.Exists() && m.Down.Exists() && m.Up.File != m.Down.File {
			j.add("I04", m.Down.File, 0, "Version %s goes up as %q and down as %q: two migrations, or one with two names?", m.Version, up, down)
		}
	}
}

// title is that of one file.
func (f *Folder) title(p Part) string {
	for _, found := range f.Format.parse(File{Name: p.File, Text: p.Text}) {
		return found.title
	}
	return ""
}

// tip is I05, and I03 for what was merged since: both show only after the merge, when it
// is too late.
func (j *judge) tip() {
	if j.Tip == nil {
		return
	}
	highest, any := j.Tip.Highest()
	for _, m := range j.new {
		other, taken := j.Tip.Find(m.Version)
		switch {
		case taken && (other.Up.Text != m.Up.Text || other.file() != m.file()):
			j.add("I05", m.file(), 0, "Version %s is %s on the destination branch by now.", m.Version, other.file())
		case !taken && any && m.Version.Compare(highest) < 0 && !j.olderThanBase(m):
			j.add("I03", m.file(), 0, "Version %s comes before %s, which the destination branch has by now, so databases that have that one never run it.", m.Version, highest)
		}
	}
}

// olderThanBase has been reported already.
func (j *judge) olderThanBase(m Migration) bool {
	if j.Base == nil {
		return false
	}
	highest, any := j.Base.Highest()
	return any && m.Version.Compare(highest) < 0
}

// scheme is I06.
func (j *judge) scheme() {
	if !j.Head.Format.Numeric {
		return
	}
	for _, m := range j.new {
		text := m.Version.String()
		before, ok := j.before(m)
		if len(text) > 14 && (!ok || len(text) != len(before.Version.String())) { // some folders have milliseconds, in all versions
			j.add("I06", m.file(), 0, "Version %s has more than the 14 digits of a time.", m.Version)
			continue
		}
		if at, err := time.Parse("20060102150405", text[:min(14, len(text))]); err == nil && at.After(j.Now.Add(24*time.Hour)) {
			j.add("I06", m.file(), 0, "Version %s is a time in the future: migrations made before %s would come before it.", m.Version, at.Format(time.DateOnly))
		}
		switch {
		case !ok:
		case isTime(before.Version) != isTime(m.Version):
			j.add("I06", m.file(), 0, "Version %s follows %s: one is a time, the other a count.", m.Version, before.Version)
		case !isTime(m.Version) && number(m.Version) > number(before.Version)+1:
			j.add("I06", m.file(), 0, "Version %s follows %s: there is a gap, in which another branch could be merged and never run.", m.Version, before.Version)
		}
	}
}

// before is the migration before m in the folder.
func (j *judge) before(m Migration) (Migration, bool) {
	at := slices.IndexFunc(j.Head.Migrations, func(o Migration) bool { return o.Version == m.Version })
	if at <= 0 {
		return Migration{}, false
	}
	return j.Head.Migrations[at-1], true
}

// isTime tells a time in digits (20260101, 202601011200, 1767225600) from a count.
func isTime(v Version) bool { return len(v.String()) >= 8 }

func number(v Version) uint64 {
	n, err := strconv.ParseUint(v.String(), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// missingDowns is I07, where the project has the habit of writing them.
func (j *judge) missingDowns() {
	if !j.Head.Format.Down {
		return
	}
	old := j.Head.versioned()
	if j.Base != nil && len(j.Base.versioned()) > 0 {
		old = j.Base.versioned()
	}
	with := 0
	for _, m := range old {
		if m.Down.Exists() {
			with++
		}
	}
	if with*100 < len(old)*80 {
		return
	}
	for _, m := range j.new {
		switch {
		case !m.Up.Exists(), m.Repeatable:
		case !m.Down.Exists():
			j.add("I07", m.Up.File, 0, "There is no down migration for version %s, while %d of %d others have one.", m.Version, with, len(old))
		case len(j.Dialect.Split(m.Down.Text)) == 0:
			j.add("I07", m.Down.File, 0, "The down migration of version %s is empty.", m.Version)
		}
	}
}

// versioned are the migrations that are applied once.
func (f *Folder) versioned() []Migration {
	return slices.DeleteFunc(slices.Clone(f.Migrations), func(m Migration) bool { return m.Repeatable })
}

// names is I09 for files that are passed over. Those that the base has, too, stay.
func (j *judge) names() {
	for _, name := range j.Head.Ignored {
		if j.Base != nil && slices.Contains(j.Base.Ignored, name) {
			continue
		}
		j.add("I09", name, 0, "%s does not see this file as a migration%s.", j.Head.Format.Name, j.Head.Format.hint(name))
	}
	if j.Head.Format.Name != GolangMigrate.Name {
		return
	}
	for _, m := range j.new {
		for _, p := range []Part{m.Up, m.Down} {
			if p.Exists() && !strings.HasSuffix(strings.ToLower(p.File), ".sql") {
				j.add("I09", p.File, 0, "golang-migrate applies this file, too: it looks at .up. and .down. only, not at how a name ends.")
			}
		}
	}
}

// hint says what the name would have to be.
func (f Format) hint(name string) string {
	if f.Name != GolangMigrate.Name {
		return ""
	}
	switch base := strings.ToLower(name); {
	case strings.Contains(name, "/"):
		return ": it does not look into folders"
	case base[0] < '0' || base[0] > '9':
		return ": the name must begin with the version, as in 1_title.up.sql"
	case golangMigrate.MatchString(base) && !golangMigrate.MatchString(name):
		return ": .up. and .down. are written in small letters"
	case golangMigrate.MatchString(name):
		return ": its version is larger than 2^64"
	case !strings.Contains(base, ".up.") && !strings.Contains(base, ".down."):
		return ": .up or .down is missing before .sql"
	}
	return ": the version must be followed by an underscore, as in 1_title.up.sql"
}

// largest is what golang-migrate's database drivers take without being told otherwise.
const largest = 10 << 20

// content is I08, I09 and I10: what the text of a file does to the tool.
func (j *judge) content(m Migration) {
	if !m.Up.Exists() {
		j.add("I08", m.Down.File, 0, "Version %s has a down migration only.", m.Version)
	}
	for _, p := range []Part{m.Up, m.Down} {
		if !p.Exists() {
			continue
		}
		statements := j.Dialect.Split(p.Text)
		if p == m.Up && len(statements) == 0 {
			j.add("I08", p.File, 0, "There is no statement in this file.")
		}
		j.encoding(p)
		j.sendable(p, statements)
	}
}

func (j *judge) encoding(p Part) {
	if strings.HasPrefix(p.Text, "\ufeff") {
		j.add("I09", p.File, 1, "The file begins with a byte order mark, which PostgreSQL takes for a syntax error.")
	}
	if crlf := strings.Count(p.Text, "\r\n"); crlf > 0 && crlf < strings.Count(p.Text, "\n") {
		j.add("I09", p.File, 0, "Some lines end with CR LF and some with LF.")
	}
	if len(p.Text) > largest {
		j.add("I09", p.File, 0, "The file has %d MB; more than 10 MB are sent as one statement.", len(p.Text)>>20)
	}
	if at := strings.IndexByte(p.Text, 0); at >= 0 {
		j.add("I10", p.File, 1+strings.Count(p.Text[:at], "\n"), "There is a zero byte in the file, which PostgreSQL refuses.")
	}
}

// sendable is I10.
func (j *judge) sendable(p Part, statements []statement.Statement) {
	var open *statement.Statement
	for at := range statements {
		s := &statements[at]
		switch {
		case s.Unterminated != "":
			j.add("I10", p.File, s.Line, "The statement is not complete: %s is open at the end of the file.", s.Unterminated)
		case s.IsPsql():
			j.add("I10", p.File, s.Line, "%s is a command of psql, which the server does not know.", strings.Fields(s.Text)[0])
		case s.Data:
			j.add("I10", p.File, s.Line, "COPY … FROM stdin needs its rows from a client such as psql.")
		case s.Begins():
			open = s
		case s.Ends():
			if open == nil {
				j.add("I10", p.File, s.Line, "%s ends a transaction that the file did not begin.", strings.ToUpper(s.Text))
			} else if at != len(statements)-1 {
				j.add("I10", p.File, s.Line, "%s in the middle: when what follows fails, half of the file is applied.", strings.ToUpper(s.Text))
			}
			open = nil
		}
	}
	if open != nil {
		j.add("I10", p.File, open.Line, "BEGIN without COMMIT: nothing reports it when what comes after it is lost.")
	}
}

// companions is I11.
func (j *judge) companions() {
	if len(j.new) == 0 || j.Touched == nil || j.Exists == nil {
		return
	}
	for _, c := range []struct{ path, by string }{
		{j.Head.InClone("atlas.sum"), "atlas migrate hash"},
		{"db/structure.sql", "rails db:migrate"},
		{"db/schema.rb", "rails db:migrate"},
	} {
		if j.Exists(c.path) && !j.Touched(c.path) {
			j.found = append(j.found, rule.Find("I11").Finding(c.path, 0, "%s", fmt.Sprintf("The change adds migrations, but not what `%s` writes here.", c.by)))
		}
	}
}
