package format

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/shared/finding"
)

var (
	// flake8Sum is what its options count and statistics add.
	flake8Sum    = regexp.MustCompile(`^\d+(\s+[A-Z]+[0-9]+ .*)?$`)
	flake8Line   = regexp.MustCompile(`^(.+?):(\d+):(\d+): ([A-Z]+[0-9]+) (.*)$`)
	yamllintLine = regexp.MustCompile(`^(.+?):(\d+):(\d+): \[(error|warning)\] (.*?)(?: \(([a-z-]+)\))?$`)
	usualLine    = regexp.MustCompile(`^(\S.*?):(\d+):(?:(\d+):)?\s*(?:(?i:(fatal error|error|warning|note|info)):\s+)?(.*)$`)
	tscLine      = regexp.MustCompile(`^(?:(.+?)\((\d+),(\d+)\): )?(error|warning) (TS\d+): (.*)$`)
)

// each calls f for every line that is not empty, with its number.
func (in *reading) each(f func(number int, line string) error) error {
	number := 0
	for line := range bytes.Lines(in.data) {
		number++
		if text := strings.TrimRight(string(line), "\r\n"); strings.TrimSpace(text) != "" {
			if err := f(number, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// Lines is the format of what most compilers and linters print: file, line,
// column and severity when known, text. Other lines are for people. It is no
// errorformat, since in that a file's name ends at a blank.
var Lines = Format{Name: "lines", silent: true, read: usual}

func usual(in *reading) error {
	return in.each(func(_ int, line string) error {
		if m := usualLine.FindStringSubmatch(line[:min(len(line), longest)]); m != nil {
			f := finding.Finding{Severity: severity(m[4], finding.Error), File: m[1], Line: whole(m[2]), Column: whole(m[3]), Message: m[5]}
			bracketed(&f)
			in.add(f)
		}
		return nil
	})
}

// flake8 reads its default format. All that it forbids it forbids alike, so
// every finding is an error.
func flake8(in *reading) error {
	return in.each(func(number int, line string) error {
		m := flake8Line.FindStringSubmatch(line)
		if m == nil && flake8Sum.MatchString(line) {
			return nil
		}
		if m == nil {
			return in.badAt(number, 1, "%q is no line such as a.py:1:2: F401 text", head([]byte(line)))
		}
		in.add(finding.Finding{Tool: "flake8", Rule: m[4], Message: m[5], Severity: finding.Error, File: m[1], Line: whole(m[2]), Column: whole(m[3])})
		return nil
	})
}

// yamllint reads its format parsable.
func yamllint(in *reading) error {
	return in.each(func(number int, line string) error {
		m := yamllintLine.FindStringSubmatch(line)
		if m == nil {
			return in.badAt(number, 1, "%q is no line such as a.yml:1:2: [error] text (rule)", head([]byte(line)))
		}
		f := finding.Finding{Tool: "yamllint", Rule: m[6], Message: m[5], Severity: severity(m[4], finding.Error), File: m[1], Line: whole(m[2]), Column: whole(m[3])}
		if f.Rule != "" && f.Rule != "syntax" {
			f.URL = "https://yamllint.readthedocs.io/en/stable/rules.html#module-yamllint.rules." + strings.ReplaceAll(f.Rule, "-", "_")
		}
		in.add(f)
		return nil
	})
}

// tsc reads `tsc --pretty false`; lines that are set in explain the one before.
// What has no file is about the configuration.
func tsc(in *reading) error {
	return in.each(func(_ int, line string) error {
		m := tscLine.FindStringSubmatch(line)
		switch {
		case m != nil:
			in.add(finding.Finding{Tool: "tsc", Rule: m[5], Message: m[6], Severity: severity(m[4], finding.Error), File: m[1], Line: whole(m[2]), Column: whole(m[3])})
		case len(in.report.Findings) > 0 && strings.HasPrefix(line, "  "):
			in.explain(line)
		}
		return nil
	})
}

// whole reads digits; a number that does not fit is not known.
func whole(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
