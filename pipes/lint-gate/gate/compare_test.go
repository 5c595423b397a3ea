package gate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/finding"
	"bitbucket.org/fearless/pipes/shared/history"
)

// change is a change of a few files, by what they are called now.
type change map[string]history.File

func (c change) File(path string) (history.File, bool) {
	f, found := c[path]
	return f, found
}

func (c change) Before(path string) string {
	if f, found := c[path]; found {
		return f.Old
	}
	return path
}

func (c change) Touches(path string, first, last int) bool {
	f, found := c[path]
	for _, p := range f.Parts {
		if p.Now.First <= last && first < p.Now.First+p.Now.Count {
			return true
		}
	}
	return found && f.Status == history.Added
}

func (c change) TakesAway(old string, line int) bool {
	for _, f := range c {
		if f.Old == old {
			for _, p := range f.Parts {
				if p.Before.Has(line) {
					return true
				}
			}
		}
	}
	return false
}

// found writes a finding short: file, line, message, text of the line.
func found(file string, line int, message, source string) finding.Finding {
	return finding.Finding{Tool: "lint", Rule: "rule", Severity: finding.Error, File: file, Line: line, Message: message, Source: source}
}

func places(all []finding.Finding) []string {
	var texts []string
	for _, f := range all {
		texts = append(texts, f.Place())
	}
	return texts
}

func TestCaused(t *testing.T) {
	t.Parallel()
	edited := func(path, old string, before, now history.Lines) history.File {
		return history.File{Path: path, Old: old, Status: history.Modified, Parts: []history.Part{{Before: before, Now: now}}}
	}
	for name, c := range map[string]struct {
		head, base []finding.Finding
		change     change
		want       []string // places of what the change causes
	}{
		"lines moved down": {
			head:   []finding.Finding{found("a.go", 15, "unchecked", "f()")},
			base:   []finding.Finding{found("a.go", 5, "unchecked", "f()")},
			change: change{"a.go": edited("a.go", "a.go", history.Lines{First: 1}, history.Lines{First: 2, Count: 10})},
		},
		"one more of the same, and the new line is named": {
			head:   []finding.Finding{found("a.go", 2, "unchecked", "f()"), found("a.go", 5, "unchecked", "f()"), found("a.go", 9, "unchecked", "f()")},
			base:   []finding.Finding{found("a.go", 4, "unchecked", "f()"), found("a.go", 8, "unchecked", "f()")},
			change: change{"a.go": edited("a.go", "a.go", history.Lines{First: 1}, history.Lines{First: 2, Count: 1})},
			want:   []string{"a.go:2"},
		},
		"one more of the same where nothing was written": {
			head: []finding.Finding{found("a.go", 5, "unused", "f()"), found("a.go", 9, "unused", "f()")},
			base: []finding.Finding{found("a.go", 5, "unused", "f()")},
			want: []string{"a.go:9"},
		},
		"newly unused on a line that nobody touched": {
			head:   []finding.Finding{found("b.go", 3, "func `helper` is unused", "func helper() {}")},
			change: change{"a.go": edited("a.go", "a.go", history.Lines{First: 3, Count: 1}, history.Lines{First: 2})},
			want:   []string{"b.go:3"},
		},
		"renamed": {
			head:   []finding.Finding{found("new/b.go", 3, "unchecked", "f()")},
			base:   []finding.Finding{found("old/a.go", 3, "unchecked", "f()")},
			change: change{"new/b.go": {Path: "new/b.go", Old: "old/a.go", Status: history.Renamed}},
		},
		"indentation and line ends": {
			head:   []finding.Finding{found("a.go", 3, "unchecked", "\t\tf( a)\r")},
			base:   []finding.Finding{found("a.go", 3, "unchecked", "f(  a)")},
			change: change{"a.go": edited("a.go", "a.go", history.Lines{First: 1, Count: 9}, history.Lines{First: 1, Count: 9})},
		},
		"numbers and names in the message": {
			head: []finding.Finding{found("a.go", 3, "too long (93 > 80), see `x` at 71", "func f() {")},
			base: []finding.Finding{found("a.go", 3, "too long (92 > 80), see `y` at 70", "func f() {")},
		},
		"an old one on a line that was rewritten": {
			head:   []finding.Finding{found("a.go", 7, "unchecked error of `f`", "f(b)")},
			base:   []finding.Finding{found("a.go", 6, "unchecked error of `f`", "f(a)")},
			change: change{"a.go": edited("a.go", "a.go", history.Lines{First: 6, Count: 1}, history.Lines{First: 7, Count: 1})},
		},
		"another one on a line that was rewritten": {
			head:   []finding.Finding{found("a.go", 6, "unchecked error of `g`", "g(a)")},
			base:   []finding.Finding{found("a.go", 6, "unchecked error of `f`", "f(a)")},
			change: change{"a.go": edited("a.go", "a.go", history.Lines{First: 6, Count: 1}, history.Lines{First: 6, Count: 1})},
			want:   []string{"a.go:6"},
		},
		"code that moved to another file": {
			head: []finding.Finding{found("b.go", 4, "unchecked error of `f`", "\tf(a)")},
			base: []finding.Finding{found("a.go", 6, "unchecked error of `f`", "f(a)")},
			change: change{
				"a.go": edited("a.go", "a.go", history.Lines{First: 5, Count: 3}, history.Lines{First: 4}),
				"b.go": {Path: "b.go", Status: history.Added, Parts: []history.Part{{Now: history.Lines{First: 1, Count: 9}}}},
			},
		},
		"code that was copied to another file": {
			head:   []finding.Finding{found("a.go", 6, "unchecked", "f(a)"), found("b.go", 4, "unchecked", "f(a)")},
			base:   []finding.Finding{found("a.go", 6, "unchecked", "f(a)")},
			change: change{"b.go": {Path: "b.go", Status: history.Added}},
			want:   []string{"b.go:4"},
		},
		"another rule": {
			head: []finding.Finding{{Tool: "lint", Rule: "other", File: "a.go", Line: 1, Message: "bad", Source: "f()"}},
			base: []finding.Finding{found("a.go", 1, "bad", "f()")},
			want: []string{"a.go:1"},
		},
		"about the file and about everything": {
			head: []finding.Finding{found("", 0, "no licence", ""), found("a.go", 0, "no comment", ""), found("b.go", 0, "no comment", "")},
			base: []finding.Finding{found("", 0, "no licence", ""), found("a.go", 0, "no comment", "")},
			want: []string{"b.go"},
		},
		"a new file with the name of nothing": {
			head:   []finding.Finding{found("a.go", 1, "bad", "f()")},
			base:   []finding.Finding{found("", 1, "bad", "f()")},
			change: change{"a.go": {Path: "a.go", Status: history.Added}},
			want:   []string{"a.go:1"},
		},
	} {
		added, old := caused(c.head, c.base, c.change)
		if diff := cmp.Diff(c.want, places(added)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
		if len(added)+len(old) != len(c.head) {
			t.Errorf("%s: %d and %d of %d", name, len(added), len(old), len(c.head))
		}
	}
}

// TestCausedCountsMany: as many equal findings as the head has more are new, at any size.
func TestCausedCountsMany(t *testing.T) {
	t.Parallel()
	var head, base []finding.Finding
	for i := range 300 {
		head = append(head, found("a.go", 2*i+1, "unchecked", "f()"))
		if i >= 75 {
			base = append(base, found("a.go", i, "unchecked", "f()"))
		}
	}
	added, old := caused(head, base, change{})
	if len(added) != 75 || len(old) != 225 {
		t.Errorf("%d new, %d old", len(added), len(old))
	}
}

func TestOnChangedLines(t *testing.T) {
	t.Parallel()
	c := change{
		"a.go": {Path: "a.go", Old: "a.go", Status: history.Modified, Parts: []history.Part{{Now: history.Lines{First: 5, Count: 2}}}},
		"b.go": {Path: "b.go", Status: history.Added},
	}
	region := found("a.go", 3, "region", "")
	region.EndLine = 5
	counted, old := onChangedLines([]finding.Finding{
		found("a.go", 4, "context", ""), found("a.go", 5, "added", ""), found("a.go", 7, "context", ""), region,
		found("b.go", 99, "in a new file", ""), found("c.go", 1, "elsewhere", ""), found("a.go", 0, "file", ""), found("c.go", 0, "file", ""), found("", 0, "all", ""),
	}, c)
	if diff := cmp.Diff([]string{"a.go:5", "a.go:3", "b.go:99", "a.go", ""}, places(counted)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(old) != 4 {
		t.Errorf("old: %v", places(old))
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	warning := finding.Finding{Severity: finding.Warning}
	trouble := []error{fmt.Errorf("could not look")}
	for name, c := range map[string]struct {
		counted []finding.Finding
		failOn  finding.Severity
		trouble []error
		want    Verdict
	}{
		"nothing":                 {nil, finding.Error, nil, Pass},
		"a warning, below":        {[]finding.Finding{warning}, finding.Error, nil, Pass},
		"a warning, not below":    {[]finding.Finding{warning}, finding.Warning, nil, Fail},
		"trouble and nothing":     {nil, finding.Error, trouble, Error},
		"trouble and a finding":   {[]finding.Finding{warning}, finding.Info, trouble, Error},
		"an error among findings": {[]finding.Finding{warning, {Severity: finding.Error}}, finding.Error, nil, Fail},
	} {
		if got := judge(c.counted, c.failOn, c.trouble); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestCountsAreComplete(t *testing.T) {
	t.Parallel()
	r := &Result{
		Scope: ScopeNew, Old: 3, Below: 1, CutOff: 7, FailOn: finding.Error,
		Findings: []finding.Finding{{Severity: finding.Error}, {Severity: finding.Warning}},
		Linters:  []Ran{{Name: "golangci-lint", Checked: []string{"go.mod", "a/go.mod"}, Skipped: []string{"x"}}, {Name: "sarif:x", Report: true}},
	}
	want := "checked by golangci-lint: 2 modules, sarif:x: a report; findings: 1 error, 1 warning; old ones, not counted: 3; below error: 1; skipped: 1; beyond Bitbucket's limit: 7"
	if got := r.counts(); got != want {
		t.Errorf("%s", got)
	}
	if got := (&Result{Scope: ScopeAll}).counts(); !strings.HasPrefix(got, "nothing was checked; findings: none") {
		t.Errorf("%s", got)
	}
}
