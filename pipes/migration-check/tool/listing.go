package tool

import (
	"path"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
)

// Listed is one migration as the tool tells of it.
type Listed struct {
	ID         string
	File       string // in the clone; of those that packages bring "", and External
	External   bool
	Text       string
	Digest     string   // of what it does; equal is no edit
	Parents    []string // of the same line of migrations, as the tool names them
	DependsOn  []string // ids of other lines that must be there before
	Beside     bool     // others come after the same one
	Replaces   []string // ids that a squash stands for
	Planned    bool     // false: a squash stands for it
	Operations []Operation
	NoWayBack  string // why it has no down; "" is that it has one
	DownLine   int    // where the way back begins; 0 is not known
	Acts       bool   // its way up is known to consist of something
	app, name  string
}

// Listing is all of them.
type Listing struct {
	Migrations []Listed
	Conflicts  []Conflict
	Unread     []string // files that the tool takes for no migrations, though they look like some
	Elsewhere  string   // what there is that is not tried; "" is nothing
}

// Conflict is where several migrations claim to be the last one, or the same one, and the
// tool refuses.
type Conflict struct {
	Of     string   // such as an app; "" is the whole
	Leaves []string // ids, or files of those that share one
	Text   string   // the sentence that says it
	Advice string   // what to do
}

// Missing is the answer to question (a).
type Missing struct {
	Text  string   // what is missing; "" is nothing
	Lines []string // the same, one each
	At    []Spot   // of the lines, where it is known; else nil
	Files map[string]string
}

// Spot is a line of a file in the clone; 0 is the file as a whole.
type Spot struct {
	File string
	Line int
}

// Find looks one up.
func (l *Listing) Find(id string) (Listed, bool) {
	for _, m := range l.Migrations {
		if m.ID == id {
			return m, true
		}
	}
	return Listed{}, false
}

// beside marks those that come after the same one as others: to go back to that one would
// take those back, too.
func (l *Listing) beside() {
	after := map[string]int{}
	key := func(m Listed, parent string) string { return m.app + "." + parent }
	for _, m := range l.Migrations {
		for _, parent := range m.Parents {
			after[key(m, parent)]++
		}
	}
	for i, m := range l.Migrations {
		l.Migrations[i].Beside = len(m.Parents) == 1 && after[key(m, m.Parents[0])] > 1
	}
}

// Folder is the listing of a work tree as the check sees folders.
func (l *Listing) Folder(format, root string) *folder.Folder {
	f := &folder.Folder{Format: folder.Format{Name: format, Down: true}, Path: ".", Root: root}
	for _, m := range l.Migrations {
		if !m.Planned {
			continue
		}
		one := folder.Migration{Version: folder.Named(m.ID), Up: folder.Part{File: m.At(), Text: m.Text}}
		if m.NoWayBack == "" && !m.External {
			one.Down = one.Up
		}
		f.Migrations = append(f.Migrations, one)
	}
	return f
}

// IsSQL tells a file of SQL from a program.
func (m Listed) IsSQL() bool { return strings.EqualFold(path.Ext(m.File), ".sql") }

// At is the file, or what stands for one that is not in the clone.
func (m Listed) At() string {
	if m.External {
		return "(" + m.ID + ")"
	}
	return m.File
}
