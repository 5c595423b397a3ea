package finding

import (
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Tool is the program that reports.
type Tool struct {
	Name, Version string
	URL           string // of its description; blank when there is none
}

// The parts of SARIF 2.1.0 that are written here.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		Bases      map[string]sarifBase `json:"originalUriBaseIds"`
		ColumnKind string               `json:"columnKind"`
		Results    []sarifResult        `json:"results"` // present when empty: that is the statement that nothing was found
	}
	sarifBase struct {
		Description sarifText `json:"description"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		URL     string      `json:"informationUri,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID  string `json:"id"`
		URL string `json:"helpUri,omitempty"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		Rule      string          `json:"ruleId,omitempty"`
		RuleIndex *int            `json:"ruleIndex,omitempty"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact struct {
				URI  string `json:"uri"`
				Base string `json:"uriBaseId"`
			} `json:"artifactLocation"`
			Region *sarifRegion `json:"region,omitempty"`
		} `json:"physicalLocation"`
	}
	sarifRegion struct {
		StartLine   int        `json:"startLine"`
		StartColumn int        `json:"startColumn,omitempty"`
		EndLine     int        `json:"endLine,omitempty"`
		Snippet     *sarifText `json:"snippet,omitempty"`
	}
)

// root stands for the clone in locations. The name is the one that readers of
// SARIF know without being told.
const root = "%SRCROOT%"

// longestSnippet is what a line of source may have, in bytes: thousands of
// findings in one line of generated code must not become a file of gigabytes.
const longestSnippet = 1000

// SARIF writes one run of SARIF 2.1.0
// (https://docs.oasis-open.org/sarif/sarif/v2.1.0/). Columns are written in
// characters where the line of source is known, else as they came.
func SARIF(w io.Writer, tool Tool, findings []Finding) error {
	run := sarifRun{
		Bases:      map[string]sarifBase{root: {sarifText{"the root of the repository's clone"}}},
		ColumnKind: "unicodeCodePoints", Results: []sarifResult{},
	}
	run.Tool.Driver = sarifDriver{Name: tool.Name, Version: tool.Version, URL: address(tool.URL), Rules: []sarifRule{}}
	index := map[string]int{}
	for _, f := range findings {
		result := sarifResult{Level: sarifLevel(f.Severity), Message: sarifText{sarifMessage(f)}, Locations: sarifLocations(f)}
		if id := f.ID(); id != "" {
			at, known := index[id]
			if !known {
				at = len(run.Tool.Driver.Rules)
				index[id] = at
				run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{ID: id})
			}
			if rule := &run.Tool.Driver.Rules[at]; rule.URL == "" {
				rule.URL = address(f.URL)
			}
			result.Rule, result.RuleIndex = id, &at
		}
		run.Results = append(run.Results, result)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0", Runs: []sarifRun{run},
	})
}

func sarifLevel(s Severity) string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	}
	return "note"
}

// sarifMessage is what and why.
func sarifMessage(f Finding) string {
	if detail := strings.TrimSpace(f.Detail); detail != "" {
		return f.said() + "\n" + detail
	}
	return f.said()
}

// sarifLocations is at most one place; the change as a whole has none.
func sarifLocations(f Finding) []sarifLocation {
	if f.File == "" {
		return nil
	}
	var l sarifLocation
	l.Physical.Artifact.URI, l.Physical.Artifact.Base = relative(f.File), root
	if f.Line > 0 {
		region := &sarifRegion{StartLine: f.Line, StartColumn: characters(f)}
		if f.EndLine > f.Line {
			region.EndLine = f.EndLine
		}
		if f.Source != "" && len(f.Source) <= longestSnippet {
			region.Snippet = &sarifText{f.Source}
		}
		l.Physical.Region = region
	}
	return []sarifLocation{l}
}

// characters is the column counted in characters, 0 when it is not known.
func characters(f Finding) int {
	if f.Column <= 0 || f.Column-1 > len(f.Source) {
		return max(f.Column, 0)
	}
	return utf8.RuneCountInString(f.Source[:f.Column-1]) + 1
}

// relative writes a path as a relative reference. Its first part may hold a
// colon, which would read as a scheme; url.URL knows that.
func relative(file string) string { return (&url.URL{Path: file}).String() }

// address is a text that is an absolute URL, else nothing: an invalid one would
// make the whole file invalid.
func address(text string) string {
	u, err := url.Parse(text)
	if err != nil || !u.IsAbs() {
		return ""
	}
	return u.String()
}
