package format

import (
	"fmt"

	"bitbucket.org/fearless/pipes/shared/finding"
)

// shellcheck reads its formats json1 and json.
func shellcheck(in *reading) error {
	type comment struct {
		File                  string
		Line, Column, EndLine number
		Level, Message        string
		Code                  int
	}
	var document struct{ Comments *[]comment }
	var comments []comment
	if start := jsonStart(in.data); start >= 0 && in.data[start] == '[' {
		if err := in.json(&comments); err != nil {
			return err
		}
	} else {
		if err := in.json(&document); err != nil {
			return err
		}
		if document.Comments == nil {
			return in.bad(0, `"comments" is missing`)
		}
		comments = *document.Comments
	}
	for _, c := range comments {
		rule := fmt.Sprintf("SC%d", c.Code)
		in.add(finding.Finding{
			Tool: "shellcheck", Rule: rule, URL: "https://www.shellcheck.net/wiki/" + rule,
			Message: c.Message, Severity: severity(c.Level, finding.Error),
			File: c.File, Line: int(c.Line), Column: int(c.Column), EndLine: int(c.EndLine),
		})
	}
	return nil
}

// hadolint reads its format json.
func hadolint(in *reading) error {
	var issues []struct {
		File, Code, Level, Message string
		Line, Column               number
	}
	if err := in.json(&issues); err != nil {
		return err
	}
	for i, issue := range issues {
		if issue.File == "" || issue.Code == "" {
			return in.bad(0, `entry %d has no "file" or no "code"`, i+1)
		}
		f := finding.Finding{
			Tool: "hadolint", Rule: issue.Code, Message: issue.Message, Severity: severity(issue.Level, finding.Error),
			File: issue.File, Line: int(issue.Line), Column: int(issue.Column),
			URL: "https://github.com/hadolint/hadolint/wiki/" + issue.Code,
		}
		if f.Rule[:1] == "S" { // of the shellcheck in it
			f.URL = "https://www.shellcheck.net/wiki/" + issue.Code
		}
		in.add(f)
	}
	return nil
}

// cfnLint reads its format json.
func cfnLint(in *reading) error {
	var issues []struct {
		Filename *string
		Level    string
		Message  string
		Location struct {
			Start, End struct{ LineNumber, ColumnNumber number }
		}
		Rule struct {
			ID, ShortDescription, Source string
		}
	}
	if err := in.json(&issues); err != nil {
		return err
	}
	for i, issue := range issues {
		if issue.Rule.ID == "" {
			return in.bad(0, `entry %d has no "Rule" with an "Id"`, i+1)
		}
		f := finding.Finding{
			Tool: "cfn-lint", Rule: issue.Rule.ID, Message: issue.Message, URL: issue.Rule.Source,
			Severity: severity(issue.Level, finding.Error),
			Line:     int(issue.Location.Start.LineNumber), Column: int(issue.Location.Start.ColumnNumber), EndLine: int(issue.Location.End.LineNumber),
		}
		if issue.Filename == nil { // about the call, not about a template
			in.report.Broken = firstOf(in.report.Broken, issue.Message)
			continue
		}
		f.File = *issue.Filename
		in.add(f)
	}
	return nil
}

// squawk reads its format json, in which lines and columns count from 0.
func squawk(in *reading) error {
	var issues []struct {
		File                 string
		Line, Column         number
		Level, Message, Help string
		RuleName             string `json:"rule_name"`
		LineEnd              number `json:"line_end"`
	}
	if err := in.json(&issues); err != nil {
		return err
	}
	for i, issue := range issues {
		if issue.File == "" {
			return in.bad(0, `entry %d has no "file"`, i+1)
		}
		in.add(finding.Finding{
			Tool: "squawk", Rule: issue.RuleName, Message: issue.Message, Detail: issue.Help, Severity: severity(issue.Level, finding.Warning),
			File: issue.File, Line: int(issue.Line) + 1, Column: int(issue.Column) + 1, EndLine: int(issue.LineEnd) + 1,
			URL: "https://squawkhq.com/docs/" + issue.RuleName,
		})
	}
	return nil
}
