// Package finding holds what a gate finds, and writes it down for people and
// for machines: in the log, as SARIF and as JUnit.
package finding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says how bad a finding is.
type Severity int

// The severities, from the least to the worst.
const (
	Info Severity = iota
	Warning
	Error
)

// String is the word for logs, reports and settings.
func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return fmt.Sprintf("severity %d", int(s))
}

// ParseSeverity reads one of the words info, warning and error, in any case.
func ParseSeverity(text string) (Severity, error) {
	for _, s := range []Severity{Info, Warning, Error} {
		if strings.EqualFold(strings.TrimSpace(text), s.String()) {
			return s, nil
		}
	}
	return Info, fmt.Errorf("%q is none of info, warning and error", text)
}

// MarshalText writes the word, as in JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word.
func (s *Severity) UnmarshalText(text []byte) error {
	parsed, err := ParseSeverity(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// Finding is one thing that a check found.
type Finding struct {
	Tool     string   `json:"tool"`           // who found it, such as golangci-lint
	Rule     string   `json:"rule,omitempty"` // id of the rule, unique within the tool, such as errcheck
	Severity Severity `json:"severity"`

	// File is relative to the clone, with slashes; "" is the change as a whole.
	File string `json:"file,omitempty"`
	// Line, Column (in bytes) and EndLine count from 1; 0 is not known.
	Line    int `json:"line,omitempty"`
	Column  int `json:"column,omitempty"`
	EndLine int `json:"end_line,omitempty"`

	Message string `json:"message"`          // one sentence
	Detail  string `json:"detail,omitempty"` // why, and the safe alternative; may have several lines
	URL     string `json:"url,omitempty"`    // page of the rule
	Source  string `json:"source,omitempty"` // text of the line, "" when it is not known
}

// Place is where it was found as editors and terminals link it: "a.go:7:9",
// "a.go:7", "a.go", or "" for the change as a whole.
func (f Finding) Place() string {
	switch {
	case f.File == "" || f.Line <= 0:
		return f.File
	case f.Column <= 0:
		return fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	return fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
}

// ID names the rule among those of all tools: "golangci-lint/errcheck", or the
// tool alone when it did not say which rule.
func (f Finding) ID() string {
	if f.Tool == "" || f.Rule == "" {
		return f.Tool + f.Rule
	}
	return f.Tool + "/" + f.Rule
}

// said is the message without its line end; a finding always says something.
func (f Finding) said() string {
	if text := strings.TrimSpace(f.Message); text != "" {
		return text
	}
	return "no message"
}

// Sort orders by file, line, column, tool, rule and message, so that two runs
// over the same findings report the same.
func Sort(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Tool, b.Tool), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message),
		)
	})
}

// Count is how many findings there are of each severity.
type Count struct {
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Infos    int `json:"infos"`
}

// Counted counts.
func Counted(findings []Finding) Count {
	var c Count
	for _, f := range findings {
		switch f.Severity {
		case Error:
			c.Errors++
		case Warning:
			c.Warnings++
		default:
			c.Infos++
		}
	}
	return c
}

// Total is the sum.
func (c Count) Total() int { return c.Errors + c.Warnings + c.Infos }

// String writes what is there: "2 errors, 1 warning"; "none" when nothing is.
func (c Count) String() string {
	var parts []string
	for _, n := range []struct {
		n    int
		word string
	}{{c.Errors, "error"}, {c.Warnings, "warning"}, {c.Infos, "info"}} {
		switch {
		case n.n == 1:
			parts = append(parts, "1 "+n.word)
		case n.n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n.n, n.word))
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}
