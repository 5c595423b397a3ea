package format

import (
	"bytes"
	"encoding/json"

	"bitbucket.org/fearless/pipes/shared/finding"
)

// ruff reads `ruff check --output-format json`.
func ruff(in *reading) error {
	var issues []struct {
		Code        *string
		Name        string
		Filename    string
		Message     string
		Severity    string
		URL         string
		Location    struct{ Row, Column number }
		EndLocation struct{ Row, Column number } `json:"end_location"`
	}
	if err := in.json(&issues); err != nil {
		return err
	}
	for i, issue := range issues {
		if issue.Filename == "" {
			return in.bad(0, `entry %d has no "filename"`, i+1)
		}
		f := finding.Finding{
			Tool: "ruff", Rule: issue.Name, Message: issue.Message, URL: issue.URL, Severity: severity(issue.Severity, finding.Error),
			File: issue.Filename, Line: int(issue.Location.Row), Column: int(issue.Location.Column), EndLine: int(issue.EndLocation.Row),
		}
		switch {
		case issue.Code != nil:
			f.Rule = *issue.Code
		case f.Rule == "":
			f.Rule = "invalid-syntax" // older versions: no code
		}
		in.add(f)
	}
	return nil
}

// mypy reads `mypy --output json`: one object per line. Notes belong to the
// error before them.
func mypy(in *reading) error {
	at := 0
	for line := range bytes.Lines(in.data) {
		start := at
		at += len(line)
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] != '{' {
			continue // "Found 3 errors", "Success"
		}
		var issue struct {
			File, Message, Hint, Code, Severity string
			Line, Column                        number
			EndLine                             number `json:"end_line"`
		}
		if err := json.Unmarshal(line, &issue); err != nil {
			return in.jsonError(start, err)
		}
		if issue.File == "" || issue.Message == "" {
			return in.bad(start, `"file" or "message" is missing`)
		}
		in.addNoted(finding.Finding{
			Tool: "mypy", Rule: issue.Code, Message: issue.Message, Detail: issue.Hint, Severity: severity(issue.Severity, finding.Error),
			File: issue.File, Line: int(issue.Line), Column: int(issue.Column) + 1, EndLine: int(issue.EndLine), // columns count from 0
		}, issue.Severity == "note")
	}
	return nil
}

// addNoted adds a finding, or a note to the finding before it on the same line.
func (in *reading) addNoted(f finding.Finding, note bool) {
	count := len(in.report.Findings)
	if note && count > 0 {
		last := in.report.Findings[count-1]
		if last.File == in.inside(f.File) && last.Line == f.Line {
			in.explain(f.Message)
			return
		}
	}
	in.add(f)
}

// pylint reads its formats json and json2.
func pylint(in *reading) error {
	type message struct {
		Type, Symbol, Message string
		MessageID             string `json:"messageId"`
		OldMessageID          string `json:"message-id"`
		Path                  string
		Line, Column, EndLine number
	}
	var document struct{ Messages *[]message }
	var messages []message
	if start := jsonStart(in.data); start >= 0 && in.data[start] == '[' {
		if err := in.json(&messages); err != nil {
			return err
		}
	} else {
		if err := in.json(&document); err != nil {
			return err
		}
		if document.Messages == nil {
			return in.bad(0, `"messages" is missing`)
		}
		messages = *document.Messages
	}
	for _, m := range messages {
		if m.Type == "fatal" {
			in.report.Broken = firstOf(in.report.Broken, m.Path+": "+m.Message)
		}
		in.add(finding.Finding{
			Tool: "pylint", Rule: firstOf(m.Symbol, m.MessageID, m.OldMessageID), Message: m.Message, Severity: severity(m.Type, finding.Error),
			File: m.Path, Line: int(m.Line), Column: int(m.Column) + 1, EndLine: int(m.EndLine), // columns count from 0
		})
	}
	return nil
}
