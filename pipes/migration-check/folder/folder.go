// Package folder reads a folder of migrations as the tool that applies them would, and
// holds it against the folder of the base branch. It is pure: names and texts go in,
// migrations in their order and findings come out.
package folder

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

// File is one in the folder.
type File struct {
	Name string // below the folder, with slashes
	Text string
}

// Migration is one step of the schema.
type Migration struct {
	Version Version
	Title   string
	Up      Part
	Down    Part
	// Repeatable: its version is that of its text, behind all others.
	Repeatable bool
}

// Name is how logs and reports call it.
func (m Migration) Name() string {
	switch {
	case m.Repeatable:
		return m.Title
	case m.Title == "":
		return m.Version.String()
	}
	return m.Version.String() + "_" + m.Title
}

// Part is one direction of a migration. Its text has the lines of its file: what belongs
// to the other direction is blank.
type Part struct {
	File        string // below the folder; "" is none
	Text        string
	Transaction statement.Transaction // that the tool puts around it
}

// Exists tells whether there is a file.
func (p Part) Exists() bool { return p.File != "" }

// Folder is what was read.
type Folder struct {
	Format     Format
	Path       string // in the clone, with slashes
	Root       string // the work tree in which a program applies them; "" where we do
	Files      []File
	Migrations []Migration // in the order in which they are applied
	Ignored    []string    // names that look like migrations but are none to the tool
	Others     []string    // names that do not
	// Unversioned are those that the tool applies when it finds them changed, or each time.
	Unversioned []string
	Twice       []Twice
}

// Twice is a version that two files of one direction claim.
type Twice struct {
	Version       Version
	First, Second string
}

// Read sorts files into migrations.
func Read(format Format, dir string, files []File) *Folder {
	f := &Folder{Format: format, Path: path.Clean(dir), Files: slices.Clone(files)}
	slices.SortFunc(f.Files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	byVersion := map[Version]int{}
	for _, file := range f.Files {
		parts := format.parse(file)
		if len(parts) == 0 {
			if format.unversioned != nil && format.unversioned.MatchString(path.Base(file.Name)) {
				f.Unversioned = append(f.Unversioned, file.Name)
			} else if looksLikeMigration(file.Name) {
				f.Ignored = append(f.Ignored, file.Name)
			} else {
				f.Others = append(f.Others, file.Name)
			}
			continue
		}
		for _, p := range parts {
			at, known := byVersion[p.version]
			if !known {
				at = len(f.Migrations)
				byVersion[p.version] = at
				f.Migrations = append(f.Migrations, Migration{Version: p.version, Title: p.title, Repeatable: p.again})
			}
			f.add(&f.Migrations[at], p)
		}
	}
	slices.SortFunc(f.Migrations, func(a, b Migration) int { return a.Version.Compare(b.Version) })
	return f
}

// add puts a part into its migration; the first file of a direction wins.
func (f *Folder) add(m *Migration, p parsed) {
	part := &m.Up
	if p.down {
		part = &m.Down
	}
	if part.Exists() {
		f.Twice = append(f.Twice, Twice{Version: p.version, First: part.File, Second: p.part.File})
		return
	}
	*part = p.part
	if !p.down && p.title != "" {
		m.Title = p.title
	}
}

// Find looks a migration up.
func (f *Folder) Find(v Version) (Migration, bool) {
	for _, m := range f.Migrations {
		if m.Version == v {
			return m, true
		}
	}
	return Migration{}, false
}

// Highest is the last version; false for none.
func (f *Folder) Highest() (Version, bool) {
	if m, any := f.last(); any {
		return m.Version, true
	}
	return Version{}, false
}

// last is the one of the highest version.
func (f *Folder) last() (Migration, bool) {
	for _, m := range slices.Backward(f.Migrations) {
		if !m.Repeatable {
			return m, true
		}
	}
	return Migration{}, false
}

// New lists the migrations that base does not have, in order.
func (f *Folder) New(base *Folder) []Migration {
	var all []Migration
	for _, m := range f.Migrations {
		if _, merged := base.Find(m.Version); !merged {
			all = append(all, m)
		}
	}
	return all
}

// InClone is a file's path from the top of the clone; "" is a file that is not known.
func (f *Folder) InClone(name string) string {
	if name == "" {
		return ""
	}
	return path.Join(f.Path, name)
}

// looksLikeMigration tells apart a migration with a mistake in its name and a README.
func looksLikeMigration(name string) bool {
	base := strings.ToLower(path.Base(name))
	if strings.HasPrefix(base, ".") {
		return false
	}
	digits := base != "" && base[0] >= '0' && base[0] <= '9'
	return strings.HasSuffix(base, ".sql") || digits && strings.Contains(base, ".sql") ||
		digits && (strings.Contains(base, ".up.") || strings.Contains(base, ".down."))
}

// Version is what orders migrations: a number, or several with dots between.
type Version struct {
	key  string // sorts as the numbers do
	text string // without leading zeros
}

// NewVersion reads digits, with dots or underscores between where a tool allows them.
// False is a number that no tool can count to.
func NewVersion(text string) (Version, bool) {
	var key, plain []string
	for part := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '.' || c == '_' }) {
		part = strings.TrimLeft(part, "0")
		if len(part) > 20 || len(part) == 20 && part > "18446744073709551615" {
			return Version{}, false
		}
		if part == "" {
			part = "0"
		}
		key = append(key, fmt.Sprintf("%020s", part))
		plain = append(plain, part)
	}
	return Version{key: strings.Join(key, "."), text: strings.Join(plain, ".")}, len(key) > 0
}

// Named is a version of tools that do not count: they say themselves what comes first.
func Named(id string) Version { return Version{key: id, text: id} }

// ofText is the version of a repeatable migration: in the order of titles, behind all
// numbers.
func ofText(title, text string) Version {
	sum := sha256.Sum256([]byte(title + "\x00" + text))
	digest := hex.EncodeToString(sum[:6])
	return Version{key: "~" + title + " " + digest, text: "R." + digest}
}

// Again is another version of the same: what is applied by it is applied once more.
func (v Version) Again() Version { return Version{key: v.key + "~", text: v.text + "~"} }

// String is the version without leading zeros.
func (v Version) String() string { return v.text }

// Compare orders versions by number.
func (v Version) Compare(other Version) int { return cmp.Compare(v.key, other.key) }

// IsZero tells that there is none.
func (v Version) IsZero() bool { return v.key == "" }
