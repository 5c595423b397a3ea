package format

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Source is an entry of REPORTS: a report that somebody else has written.
type Source struct {
	Format Format
	Path   string // relative to the clone, or absolute
}

// ParseReport reads "format:path". The path is what follows the last colon, so
// that a pattern of errorformat may have colons in it.
func ParseReport(entry string) (Source, error) {
	entry = strings.TrimSpace(entry)
	i := strings.LastIndex(entry, ":")
	if i <= 0 || strings.TrimSpace(entry[i+1:]) == "" || strings.TrimSpace(entry[:i]) == "errorformat" {
		return Source{}, exit.Invalidf("REPORTS: %q is not as expected: the format, a colon and the path of the report", entry).
			Hint("examples: sarif:out/eslint.sarif, checkstyle:target/checkstyle.xml, errorformat:%f:%l: %m:out/lint.txt")
	}
	f, err := Find(strings.TrimSpace(entry[:i]))
	if err != nil {
		return Source{}, exit.Invalidf("REPORTS: %w", err)
	}
	return Source{Format: f, Path: strings.TrimSpace(entry[i+1:])}, nil
}

// String is the entry.
func (s Source) String() string { return s.Format.Name + ":" + s.Path }

// Read reads the report of a clone. A report that is not there is an error: the
// check that should have written it has not run.
func (s Source) Read(clone string) (Report, error) {
	name := s.Path
	if !filepath.IsAbs(name) {
		name = filepath.Join(clone, name)
	}
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Report{}, exit.Invalidf("the report %s is not there", s.Path).
			Hint("write it before this pipe runs, and hand it on as an artifact when another step writes it",
				"a linter that finds something must not end its step before the report is read: add `|| true`, this pipe gives the verdict")
	}
	if err != nil {
		return Report{}, exit.Unablef("the report %s cannot be opened: %w", s.Path, err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && !info.Mode().IsRegular() {
		return Report{}, exit.Invalidf("the report %s is not a file", s.Path)
	}
	report, err := s.Format.Read(file, Options{Name: s.Path, Tool: s.tool(), Root: clone})
	if err == nil && report.Broken != "" {
		return Report{}, exit.Unablef("the tool that wrote %s could not do its work: %s", s.Path, report.Broken).
			Hint("run the tool again and look at its own output")
	}
	return report, err
}

// tool is the name for findings whose report names none.
func (s Source) tool() string {
	name, pattern, _ := strings.Cut(s.Format.Name, ":")
	if pattern != "" && !strings.Contains(pattern, "%") {
		return pattern
	}
	if pattern != "" {
		return strings.TrimSuffix(filepath.Base(s.Path), filepath.Ext(s.Path))
	}
	return name
}
