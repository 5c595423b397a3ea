package format

import (
	"regexp"
	"strings"

	"bitbucket.org/fearless/pipes/shared/finding"
)

var (
	oldFile = regexp.MustCompile(`^--- (.+?)(?:\t.*)?$`)
	newFile = regexp.MustCompile(`^\+\+\+ (.+?)(?:\t.*)?$`)
	hunk    = regexp.MustCompile(`^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@`)
)

// unified reads the unified diff that a formatter prints of what it would
// change: one finding for each block of lines that are not as they should be.
func unified(in *reading) error {
	d := differences{in: in}
	err := in.each0(d.take)
	d.end()
	return err
}

// each0 is each with the empty lines: in a diff they mean something.
func (in *reading) each0(f func(number int, line string) error) error {
	for i, line := range strings.Split(string(in.data), "\n") {
		if err := f(i+1, strings.TrimSuffix(line, "\r")); err != nil {
			return err
		}
	}
	return nil
}

type differences struct {
	in             *reading
	file           string
	header         bool // after "---", before "@@"
	old, new, line int  // lines of the hunk still to come; number of the next old line
	from, to       int  // the block being read, in old lines; 0 is none
	inserted       []string
	source         string
}

func (d *differences) take(number int, line string) error {
	if d.old > 0 || d.new > 0 {
		switch {
		case strings.HasPrefix(line, "-"):
			d.removed(line[1:])
			return nil
		case strings.HasPrefix(line, "+"):
			d.added(line[1:])
			return nil
		case strings.HasPrefix(line, " "), line == "":
			d.end()
			d.old, d.new, d.line = d.old-1, d.new-1, d.line+1
			return nil
		case strings.HasPrefix(line, `\`):
			return nil
		}
		return d.in.badAt(number, 1, "%q is no line of a diff", head([]byte(line)))
	}
	d.end()
	if m := oldFile.FindStringSubmatch(line); m != nil {
		d.file, d.header = m[1], true
	} else if m := newFile.FindStringSubmatch(line); m != nil && d.header {
		if d.file == "/dev/null" {
			d.file = m[1]
		}
	} else if m := hunk.FindStringSubmatch(line); m != nil {
		if d.file == "" {
			return d.in.badAt(number, 1, "changes without the name of a file")
		}
		d.line, d.old, d.new = whole(m[1]), count(m[2]), count(m[3])
		if d.old == 0 { // only new lines, after that one
			d.line++
		}
	}
	return nil
}

// count of lines in the head of a hunk; left out, it is 1.
func count(digits string) int {
	if digits == "" {
		return 1
	}
	return whole(digits)
}

func (d *differences) removed(text string) {
	if d.from == 0 || d.source == "" && len(d.inserted) == 0 {
		d.from, d.source = d.line, text
	}
	d.to = d.line
	d.line, d.old = d.line+1, d.old-1
}

func (d *differences) added(text string) {
	if d.from == 0 {
		d.from, d.to = max(d.line, 1), max(d.line, 1)
	}
	d.inserted = append(d.inserted, text)
	d.new--
}

// end closes a block of changed lines.
func (d *differences) end() {
	if d.from > 0 {
		f := finding.Finding{
			Rule: "format", Message: "Not formatted as it should be", Severity: finding.Error,
			File: d.name(), Line: d.from, EndLine: d.to, Source: d.source,
		}
		if len(d.inserted) > 0 && len(d.inserted) <= 20 {
			f.Detail = "should be:\n" + strings.Join(d.inserted, "\n")
		}
		d.in.add(f)
	}
	d.from, d.to, d.inserted, d.source = 0, 0, nil, ""
}

// name takes git's "a/" off where no such folder is.
func (d *differences) name() string {
	if rest, ok := strings.CutPrefix(d.file, "a/"); ok && !exists(d.in.Dir, d.file) {
		return rest
	}
	return d.file
}
