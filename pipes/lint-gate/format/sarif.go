package format

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/shared/finding"
)

// The parts of SARIF 2.1.0 that a verdict needs. Everything else in a report
// may be there or not.
type (
	sarifRun struct {
		Tool struct {
			Driver     sarifComponent
			Extensions []sarifComponent
		}
		OriginalURIBaseIDs map[string]sarifArtifact `json:"originalUriBaseIds"`
		Artifacts          []struct{ Location sarifArtifact }
		Invocations        []struct {
			ExecutionSuccessful        *bool
			ToolExecutionNotifications []struct {
				Level   string
				Message sarifMessage
			}
		}
		Results []sarifResult
	}
	sarifComponent struct {
		Name  string
		Rules []sarifRule
	}
	sarifRule struct {
		ID                   string
		HelpURI              string
		MessageStrings       map[string]sarifMessage
		DefaultConfiguration struct{ Level string }
	}
	sarifResult struct {
		RuleID        string
		RuleIndex     *int
		Rule          struct{ ID string }
		Kind, Level   string
		BaselineState string
		Message       sarifMessage
		Suppressions  []struct{ Status string }
		Locations     []struct {
			PhysicalLocation struct {
				ArtifactLocation sarifArtifact
				Region           struct{ StartLine, StartColumn, EndLine number }
			}
		}
	}
	sarifMessage struct {
		Text, ID  string
		Arguments []string
	}
	sarifArtifact struct {
		URI       string
		URIBaseID string
		Index     *int
	}
)

// sarif reads SARIF 2.1.0 of any tool.
func sarif(in *reading) error {
	var document struct{ Runs *[]sarifRun }
	if err := in.json(&document); err != nil {
		return err
	}
	if document.Runs == nil {
		return in.bad(0, `"runs" is missing`)
	}
	for _, run := range *document.Runs {
		in.report.Broken = firstOf(in.report.Broken, run.broken())
		for _, result := range run.Results {
			if result.suppressed() {
				in.report.Suppressed++
				continue
			}
			if result.Kind != "" && result.Kind != "fail" || result.BaselineState == "absent" {
				continue // what is fine, does not apply, or is gone
			}
			in.add(run.finding(result))
		}
	}
	return nil
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// broken is the run's own statement that it failed.
func (run sarifRun) broken() string {
	for _, invocation := range run.Invocations {
		if invocation.ExecutionSuccessful == nil || *invocation.ExecutionSuccessful {
			continue
		}
		for _, note := range invocation.ToolExecutionNotifications {
			if note.Level == "error" && note.Message.Text != "" {
				return note.Message.Text
			}
		}
		return firstOf(run.Tool.Driver.Name, "the tool") + " reports that it did not succeed"
	}
	return ""
}

// suppressed: in the code or elsewhere somebody has accepted it. A suppression
// that is only asked for, or was rejected, suppresses nothing.
func (r sarifResult) suppressed() bool {
	for _, s := range r.Suppressions {
		if s.Status == "underReview" || s.Status == "rejected" {
			return false
		}
	}
	return len(r.Suppressions) > 0
}

func (run sarifRun) finding(r sarifResult) finding.Finding {
	rule := run.rule(r)
	f := finding.Finding{
		Tool: run.Tool.Driver.Name, Rule: firstOf(r.RuleID, r.Rule.ID, rule.ID), URL: rule.HelpURI,
		Message:  r.Message.in(rule.MessageStrings),
		Severity: severity(firstOf(r.Level, rule.DefaultConfiguration.Level), finding.Warning),
	}
	if len(r.Locations) > 0 {
		at := r.Locations[0].PhysicalLocation
		f.File = run.path(at.ArtifactLocation)
		f.Line, f.Column, f.EndLine = int(at.Region.StartLine), int(at.Region.StartColumn), int(at.Region.EndLine)
	}
	return f
}

func (run sarifRun) rule(r sarifResult) sarifRule {
	rules := run.Tool.Driver.Rules
	if i := r.RuleIndex; i != nil && *i >= 0 && *i < len(rules) && (r.RuleID == "" || rules[*i].ID == r.RuleID) {
		return rules[*i]
	}
	for _, component := range append([]sarifComponent{run.Tool.Driver}, run.Tool.Extensions...) {
		for _, rule := range component.Rules {
			if id := firstOf(r.RuleID, r.Rule.ID); id != "" && rule.ID == id {
				return rule
			}
		}
	}
	return sarifRule{}
}

var placeholder = regexp.MustCompile(`\{(\d+)\}`)

// in is the text of a message; it may stand with the rule, to be filled in.
func (m sarifMessage) in(strings map[string]sarifMessage) string {
	text := firstOf(m.Text, strings[m.ID].Text, m.ID)
	if m.Text != "" && len(m.Arguments) == 0 {
		return text
	}
	return placeholder.ReplaceAllStringFunc(text, func(hole string) string {
		if i, err := strconv.Atoi(hole[1 : len(hole)-1]); err == nil && i < len(m.Arguments) {
			return m.Arguments[i]
		}
		return hole
	})
}

// path is the file that an artifact location means: relative to a base or not,
// a URI or (against the standard) a bare path.
func (run sarifRun) path(a sarifArtifact) string {
	if a.URI == "" && a.Index != nil && *a.Index >= 0 && *a.Index < len(run.Artifacts) {
		a = run.Artifacts[*a.Index].Location
	}
	name := unescaped(a.URI)
	for id, depth := a.URIBaseID, 0; id != "" && depth < 10; depth++ { // bases may have bases
		if strings.HasPrefix(name, "/") || strings.Contains(name, "://") {
			break
		}
		base := run.OriginalURIBaseIDs[id]
		name = unescaped(base.URI) + name
		id = base.URIBaseID
	}
	return name
}

// unescaped decodes %20 and its like. A file URI keeps its scheme for local.
func unescaped(uri string) string {
	if strings.HasPrefix(strings.ToLower(uri), "file:") {
		return local(uri)
	}
	if name, err := url.PathUnescape(uri); err == nil {
		return name
	}
	return uri
}
