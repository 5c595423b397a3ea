package check

import (
	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rows"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// losses is D06, and M401 where the rows went with a table that was built anew.
func (t *trial) losses(m folder.Migration, lost []rows.Loss) {
	file := t.head.InClone(m.Up.File)
	rebuilt, pragma := t.rebuilds(m)
	said := false
	for _, l := range lost {
		if l.Column == "" && rebuilt > 0 && t.server.Dialect() == statement.SQLite {
			t.add(rule.Find("M401").Finding(file, rebuilt, "Dropping a table deletes the rows that refer to it: %s.", l.Text))
			said = true
			continue
		}
		t.add(rule.Find("D06").Finding(file, 0, "After the up: %s.", l.Text))
	}
	if pragma > 0 && !said && !t.tool.Plain && !t.state.NoTxWrap() {
		f := rule.Find("M401").Finding(file, pragma, "PRAGMA foreign_keys is of no effect here: golang-migrate runs the file in a transaction.")
		f.Severity = finding.Warning
		t.add(f)
	}
}

// rebuilds are the lines of a DROP TABLE and of a PRAGMA foreign_keys, 0 without.
func (t *trial) rebuilds(m folder.Migration) (drop, pragma int) {
	if t.server.Dialect() != statement.SQLite {
		return 0, 0
	}
	for _, s := range statement.SQLite.Split(m.Up.Text) {
		switch {
		case s.Is("drop", "table"):
			drop = s.Line
		case s.Is("pragma", "foreign_keys"):
			pragma = s.Line
		}
	}
	return drop, pragma
}

// notAtomic is M304.
func (t *trial) notAtomic(m folder.Migration) {
	changes := 0
	for _, s := range statement.MySQL.Split(m.Up.Text) {
		if s.Is("create") || s.Is("alter") || s.Is("drop") || s.Is("rename") || s.Is("truncate") {
			if changes++; changes == 2 {
				t.add(rule.Find("M304").Finding(t.head.InClone(m.Up.File), s.Line, "Should this statement fail, those before it stay applied."))
			}
		}
	}
}
