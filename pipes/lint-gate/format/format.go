// Package format reads what linters write: reports in the common formats, the
// own formats of well-known linters, and lines by a pattern.
//
// A report that is not what its format says is an error that names the file
// and the place, never a report without findings.
package format

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// Largest is how many bytes a report may have. A hundred thousand findings
// take 20 to 40 MB; what is larger is a mistake, and reading it could take all
// the memory of a step.
const Largest = 64 << 20

// Format is a way to write findings down.
type Format struct {
	// Name is how settings call it: "sarif", "errorformat:%f:%l: %m".
	Name string
	read func(*reading) error
	// silent: no output at all means no findings. Formats with a frame (JSON,
	// XML) say that they are empty, so there it means that the tool broke.
	silent bool
}

// Options tell what a report does not say about itself.
type Options struct {
	// Name stands in errors: the path of the report, or the linter's name.
	Name string
	// Tool is who made the report, where the report does not tell.
	Tool string
	// Root is the absolute path of the clone; paths of findings are relative to it.
	Root string
	// Dir is the absolute path of the folder where the tool ran, to which the
	// report's own relative paths belong; "" is Root.
	Dir string
	// Limit is the largest size in bytes; 0 is Largest.
	Limit int64
}

// Report is what was read.
type Report struct {
	Findings []finding.Finding
	// Outside counts findings in files that are not in the clone: they are dropped.
	Outside int
	// Suppressed counts findings which the report itself calls accepted.
	Suppressed int
	// Broken is the report's own statement that the tool could not do its work.
	Broken string
}

// formats are those with a plain name. A second name is for those who know the
// format by that.
var formats = map[string]Format{
	"golangci":     {read: golangci},
	"sarif":        {read: sarif},
	"checkstyle":   {read: checkstyle},
	"code-climate": {read: codeClimate},
	"gitlab":       {read: codeClimate},
	"rdjson":       {read: rdjson},
	"rdjsonl":      {read: rdjsonl, silent: true},
	"eslint":       {read: eslint},
	"stylelint":    {read: stylelint},
	"ruff":         {read: ruff},
	"mypy":         {read: mypy, silent: true},
	"pylint":       {read: pylint},
	"flake8":       {read: flake8, silent: true},
	"shellcheck":   {read: shellcheck},
	"yamllint":     {read: yamllint, silent: true},
	"hadolint":     {read: hadolint},
	"cfn-lint":     {read: cfnLint},
	"squawk":       {read: squawk},
	"tsc":          {read: tsc, silent: true},
	"diff":         {read: unified, silent: true},
}

// Names are the formats' names, in order.
func Names() []string { return slices.Sorted(maps.Keys(formats)) }

// Find is the format with a name: one of Names, or "errorformat:" with the name
// of a ready pattern or a pattern.
func Find(name string) (Format, error) {
	if pattern, ok := strings.CutPrefix(name, "errorformat:"); ok {
		return errorFormat(pattern)
	}
	if f, ok := formats[name]; ok {
		f.Name = name
		return f, nil
	}
	err := exit.Invalidf("%q is no format that can be read%s", name, settings.DidYouMean(name, Names()))
	return Format{}, err.Hint("formats: " + strings.Join(Names(), ", ") + ", errorformat:<name or pattern>")
}

// Must is the format with a name that is known to exist: one that the program
// itself names.
func Must(name string) Format {
	f, err := Find(name)
	if err != nil {
		panic(err)
	}
	return f
}

// reading is one report on its way in.
type reading struct {
	Options
	data   []byte
	report *Report
	placed map[string]string // paths that have been placed; "" is outside
}

// Read reads a whole report.
func (f Format) Read(r io.Reader, o Options) (Report, error) {
	if o.Dir == "" {
		o.Dir = o.Root
	}
	if o.Limit == 0 {
		o.Limit = Largest
	}
	data, err := io.ReadAll(io.LimitReader(r, o.Limit+1))
	if err != nil {
		return Report{}, exit.Unablef("%s cannot be read: %w", o.Name, err)
	}
	if int64(len(data)) > o.Limit {
		return Report{}, exit.Invalidf("%s is larger than %d MB, the most that is read", o.Name, o.Limit>>20).
			Hint("let the linter leave out generated and foreign files, or write one report per part of the project")
	}
	data = text(data)
	report := Report{}
	if len(bytes.TrimSpace(data)) == 0 {
		if f.silent {
			return report, nil
		}
		return Report{}, exit.Invalidf("%s is empty, and a %s report without findings is not", o.Name, f.Name).
			Hint("the tool broke off before it wrote its report: look at its own output")
	}
	in := &reading{Options: o, data: data, report: &report, placed: map[string]string{}}
	if err := f.read(in); err != nil {
		return Report{}, err
	}
	return report, nil
}

// add takes a finding with the path as the tool wrote it.
func (in *reading) add(f finding.Finding) {
	if f.File != "" {
		if f.File = in.inside(f.File); f.File == "" {
			in.report.Outside++
			return
		}
	}
	if f.Tool == "" {
		f.Tool = in.Tool
	}
	f.Line, f.Column = max(f.Line, 0), max(f.Column, 0)
	if f.EndLine < f.Line {
		f.EndLine = 0
	}
	f.Message, f.Detail = sentence(f.Message, f.Detail)
	in.report.Findings = append(in.report.Findings, f)
}

// inside places a path, with a look at the file system for each path once; ""
// is one outside the clone.
func (in *reading) inside(name string) string {
	file, known := in.placed[name]
	if !known {
		file, _ = in.place(name)
		in.placed[name] = file
	}
	return file
}

// longestDetail is how many bytes of explanation a finding may have.
const longestDetail = 4 << 10

// explain adds a line to the detail of the last finding.
func (in *reading) explain(line string) {
	f := &in.report.Findings[len(in.report.Findings)-1]
	if len(f.Detail)+len(line) <= longestDetail {
		_, f.Detail = sentence("", f.Detail+"\n"+line)
	}
}

// sentence keeps the first line as the message, and moves the others to the detail.
func sentence(message, detail string) (first, rest string) {
	first, rest, _ = strings.Cut(strings.TrimSpace(message), "\n")
	rest = strings.TrimSpace(rest)
	detail = strings.TrimSpace(detail)
	if rest != "" && detail != "" {
		rest += "\n"
	}
	return strings.TrimSpace(first), rest + detail
}
