package rule

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// Accepted is a finding that somebody answers for.
type Accepted struct {
	Finding finding.Finding `json:"finding"`
	Reason  string          `json:"reason"`
	Until   string          `json:"until,omitempty"` // a date, "" for good
}

// acceptance is one comment: fearless:accept M101 until=2027-01-31 because of that.
type acceptance struct {
	file        string
	line        int // of the comment
	first, last int // lines of the statement it is at; 0, 0: no statement, so the whole file
	head        bool
	rule        string
	until       string
	reason      string
	problem     string
	used        bool
}

var acceptForm = regexp.MustCompile(`fearless:accept\b[ \t]*([^\n]*)`)

// Acceptances are the accept comments of a change's files.
type Acceptances struct {
	Dialect statement.Dialect
	all     []*acceptance
}

// Read collects those of one file. A comment counts for the statement it is at; one at
// the first statement, or in a file without any, also for what is found about the file as
// a whole.
func (a *Acceptances) Read(file, text string, now time.Time) {
	statements := a.Dialect.Split(text)
	for at, s := range statements {
		for _, c := range s.Comments {
			a.Add(file, c.Text, Range{Line: c.Line, First: s.Line, Last: s.EndLine, Head: at == 0}, now)
		}
	}
	if len(statements) == 0 {
		for _, c := range a.Dialect.Comments(text) {
			a.Add(file, c.Text, Range{Line: c.Line, Head: true}, now)
		}
	}
}

// Range is where a comment stands and what it is about.
type Range struct {
	Line        int
	First, Last int
	Head        bool // of the file, so that it is also about the file as a whole
}

// Add takes one comment.
func (a *Acceptances) Add(file, text string, r Range, now time.Time) {
	for _, m := range acceptForm.FindAllStringSubmatch(text, -1) {
		one := parse(m[1], now)
		one.file, one.line, one.first, one.last, one.head = file, r.Line, r.First, r.Last, r.Head
		a.all = append(a.all, one)
	}
}

// parse reads what stands behind the mark.
func parse(text string, now time.Time) *acceptance {
	words := strings.Fields(text)
	one := &acceptance{}
	if len(words) == 0 {
		one.problem = "names no rule"
		return one
	}
	one.rule = strings.TrimSuffix(words[0], ":")
	words = words[1:]
	if len(words) > 0 && strings.HasPrefix(words[0], "until=") {
		one.until = strings.TrimPrefix(words[0], "until=")
		words = words[1:]
	}
	one.reason = strings.Join(words, " ")
	day, err := time.Parse(time.DateOnly, one.until)
	switch {
	case !Known(one.rule):
		one.problem = fmt.Sprintf("names %q, which is no rule", one.rule)
	case one.until != "" && err != nil:
		one.problem = fmt.Sprintf("has until=%s, which is not a date like 2027-01-31", one.until)
	case one.until != "" && !now.Before(day.AddDate(0, 0, 1)):
		one.problem = "was valid until " + one.until
	case one.reason == "":
		one.problem = "gives no reason"
	}
	return one
}

// Apply splits findings into those that stand and those that are accepted, and adds a
// finding for every comment that is of no effect.
func (a *Acceptances) Apply(findings []finding.Finding) (stand []finding.Finding, accepted []Accepted) {
	for _, f := range findings {
		at := slices.IndexFunc(a.all, func(one *acceptance) bool { return one.covers(f) })
		if at < 0 {
			stand = append(stand, f)
			continue
		}
		one := a.all[at]
		one.used = true
		accepted = append(accepted, Accepted{Finding: f, Reason: one.reason, Until: one.until})
	}
	for _, one := range a.all {
		switch {
		case one.problem != "":
			stand = append(stand, Find("A04").Finding(one.file, one.line, "This accept comment does not count: it %s.", one.problem))
		case !one.used:
			stand = append(stand, Find("A04").Finding(one.file, one.line, "This accept comment is not needed: there is no finding %s here.", one.rule))
		}
	}
	return stand, accepted
}

// covers tells whether the comment is about the finding. Errors that mean the check
// could not be made cannot be accepted; they are no findings.
func (a *acceptance) covers(f finding.Finding) bool {
	if a.problem != "" || a.rule != f.Rule || a.file != f.File {
		return false
	}
	return f.Line >= a.first && f.Line <= a.last || a.head && f.Line == 0
}
