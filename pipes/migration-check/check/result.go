package check

import (
	"fmt"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/shared/finding"
	"bitbucket.org/fearless/pipes/shared/outputs"
)

// Result is what the check found, and .fearless/migration-check.json. Later steps take from
// it what a release is recorded with: schema_before, schema_after and old_release_runs are
// the schema's fingerprints and whether it is compatible: true is yes, false no, null
// unknown. The same is in outputs.env as MIGRATION_SCHEMA_BEFORE, MIGRATION_SCHEMA_AFTER and
// MIGRATION_OLD_RELEASE_RUNS (true, false, unknown). The base is that of the change, and not
// what is live.
type Result struct {
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"` // of the verdict error
	Base    string  `json:"base,omitempty"`   // hash of the commit compared with
	Head    string  `json:"head,omitempty"`
	Tool    string  `json:"tool"`
	Folder  string  `json:"folder"`
	Server  string  `json:"server,omitempty"` // version of the scratch database

	// Before and After are fingerprints of the schema at the base and at the head, blank
	// when it is not known.
	Before string `json:"schema_before,omitempty"`
	After  string `json:"schema_after,omitempty"`
	// OldReleaseRuns tells whether the release before can run on the new schema; null when
	// that is not known.
	OldReleaseRuns *bool `json:"old_release_runs"`

	Migrations []Migration       `json:"migrations"` // new ones
	Total      int               `json:"total"`      // of the folder
	New        int               `json:"new"`        // those of them that the base does not have, tried or not
	Findings   []finding.Finding `json:"findings"`
	Accepted   []rule.Accepted   `json:"accepted"`
	NotJudged  []string          `json:"not_judged"`
	Proposal   []string          `json:"proposal,omitempty"` // files with SQL that is missing
	CutOff     int               `json:"cut_off"`            // findings that Bitbucket does not show
	Seconds    float64           `json:"seconds"`
}

// Migration is what was measured of a new one.
type Migration struct {
	Name       string   `json:"name"`
	File       string   `json:"file"`
	Up         float64  `json:"up_ms"`
	Down       float64  `json:"down_ms"` // 0 without a down
	HasDown    bool     `json:"has_down"`
	Lock       string   `json:"lock"` // the strongest, and on what
	Rewrites   []string `json:"rewrites"`
	Scans      []string `json:"scans"`
	RowsBefore int64    `json:"rows_before"` // of the tables that it touches
	RowsAfter  int64    `json:"rows_after"`
	Failed     bool     `json:"failed"`
}

// fill makes lists of what is nothing: programs that read the result need no null.
func (r *Result) fill() {
	r.Migrations = append([]Migration{}, r.Migrations...)
	for i := range r.Migrations {
		m := &r.Migrations[i]
		m.Rewrites, m.Scans = append([]string{}, m.Rewrites...), append([]string{}, m.Scans...)
	}
	r.Findings = append([]finding.Finding{}, r.Findings...)
	r.Accepted = append([]rule.Accepted{}, r.Accepted...)
	r.NotJudged = append([]string{}, r.NotJudged...)
}

// Summary says it in one line.
func (r *Result) Summary() string {
	if r.Verdict == Error {
		return "could not judge: " + firstLine(r.Reason)
	}
	line := fmt.Sprintf("%s: %s new of %d; findings: %s", r.Verdict, count(r.New, "migration"), r.Total, finding.Counted(r.Findings))
	if n := len(r.Accepted); n > 0 {
		line += fmt.Sprintf("; %d accepted", n)
	}
	if n := len(r.NotJudged); n > 0 {
		line += fmt.Sprintf("; %s not judged", count(n, "thing"))
	}
	return line
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// Outputs are for later steps.
func (r *Result) Outputs() []outputs.Variable {
	runs := "unknown"
	if r.OldReleaseRuns != nil {
		runs = fmt.Sprint(*r.OldReleaseRuns)
	}
	return []outputs.Variable{
		{Name: "MIGRATION_VERDICT", Value: string(r.Verdict)},
		{Name: "MIGRATION_COUNT", Value: fmt.Sprint(r.New)},
		{Name: "MIGRATION_SCHEMA_BEFORE", Value: r.Before},
		{Name: "MIGRATION_SCHEMA_AFTER", Value: r.After},
		{Name: "MIGRATION_OLD_RELEASE_RUNS", Value: runs},
	}
}
