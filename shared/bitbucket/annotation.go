package bitbucket

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/finding"
)

// annotation is a finding as the API takes it.
type annotation struct {
	ID       string `json:"external_id"`
	Type     string `json:"annotation_type"`
	Summary  string `json:"summary"`
	Details  string `json:"details,omitempty"`
	Path     string `json:"path,omitempty"`
	Line     int    `json:"line,omitempty"`
	Severity string `json:"severity"`
	Result   string `json:"result,omitempty"`
	Link     string `json:"link,omitempty"`
}

// annotations are the findings that a report can show, the worst first.
func (c *Client) annotations(r Report) []annotation {
	findings := slices.Clone(r.Findings)
	finding.Sort(findings)
	slices.SortStableFunc(findings, func(a, b finding.Finding) int { return int(b.Severity) - int(a.Severity) })
	same := map[string]int{}
	var all []annotation
	for _, f := range findings[:min(len(findings), MostAnnotations)] {
		id := digest(f)
		same[id]++
		if n := same[id]; n > 1 {
			id += fmt.Sprint("-", n)
		}
		a := c.annotated(r, f)
		// Letters of the report's id, since ids of annotations stand in addresses, too.
		a.ID = cut(identifier(r.ID), longestID-len(id)-1) + "-" + id
		all = append(all, a)
	}
	return all
}

// digest is the same for a finding in every attempt at the same commit.
func digest(f finding.Finding) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %d %d %q", f.Tool, f.Rule, f.File, f.Line, f.Column, f.Message)
	return hex.EncodeToString(h.Sum(nil))[:20]
}

// annotated is one finding. Without a file that the repository can have it is
// shown in the report only, and says itself where it belongs.
func (c *Client) annotated(r Report, f finding.Finding) annotation {
	summary, more, _ := strings.Cut(strings.TrimSpace(f.Message), "\n")
	if id := f.ID(); id != "" {
		summary = strings.TrimSpace(summary + " (" + id + ")")
	}
	a := annotation{Type: "CODE_SMELL", Severity: severity(f.Severity), Link: c.link(f.URL)}
	switch {
	case r.Security:
		a.Type = "VULNERABILITY"
	case f.Severity == finding.Error:
		a.Type = "BUG"
	}
	if f.Severity >= r.FailOn {
		a.Result = "FAILED"
	}
	switch file := path.Clean(f.File); {
	case f.File == "":
	case file != f.File || path.IsAbs(file) || file == "." || file == ".." || strings.HasPrefix(file, "../"):
		summary = f.Place() + ": " + summary
	default:
		a.Path, a.Line = strings.ToValidUTF8(f.File, "\ufffd"), max(0, f.Line)
	}
	a.Summary = c.line(summary, longestSummary)
	if a.Summary == "" {
		a.Summary = "no message"
	}
	a.Details = cut(c.clean(strings.TrimSpace(more)+"\n"+f.Detail), longestDetails)
	return a
}

func severity(s finding.Severity) string {
	switch s {
	case finding.Error:
		return "HIGH"
	case finding.Warning:
		return "MEDIUM"
	}
	return "LOW"
}
