package format

import (
	"strings"

	"bitbucket.org/fearless/pipes/shared/finding"
)

// eslint reads ESLint's format json (oxlint's differs).
func eslint(in *reading) error {
	var files []struct {
		FilePath string
		Messages []struct {
			RuleID                string
			Severity              int
			Fatal                 bool
			Message               string
			Line, Column, EndLine number
		}
		SuppressedMessages []any
	}
	if err := in.json(&files); err != nil {
		return err
	}
	for i, file := range files {
		if file.FilePath == "" {
			return in.bad(0, `entry %d has no "filePath"`, i+1)
		}
		in.report.Suppressed += len(file.SuppressedMessages)
		for _, m := range file.Messages {
			if m.RuleID == "" && m.Severity == 1 && strings.HasPrefix(m.Message, "File ignored") {
				continue // says nothing about the file
			}
			f := finding.Finding{
				Tool: "eslint", Rule: m.RuleID, Message: m.Message, Severity: finding.Warning,
				File: file.FilePath, Line: int(m.Line), Column: int(m.Column), EndLine: int(m.EndLine),
			}
			if m.Severity == 2 || m.Fatal {
				f.Severity = finding.Error
			}
			if f.Rule == "" && m.Fatal {
				f.Rule = "syntax"
			}
			if f.Rule != "" && f.Rule != "syntax" && !strings.Contains(f.Rule, "/") {
				f.URL = "https://eslint.org/docs/latest/rules/" + f.Rule
			}
			in.add(f)
		}
	}
	return nil
}

// stylelint reads its format json.
func stylelint(in *reading) error {
	var files []struct {
		Source                *string
		InvalidOptionWarnings []struct{ Text string }
		ParseErrors           []struct{ Text string }
		Warnings              []struct {
			Rule, Severity, Text  string
			Line, Column, EndLine number
		}
	}
	if err := in.json(&files); err != nil {
		return err
	}
	for i, file := range files {
		if file.Source == nil {
			return in.bad(0, `entry %d has no "source"`, i+1)
		}
		for _, w := range file.InvalidOptionWarnings {
			in.report.Broken = firstOf(in.report.Broken, w.Text)
		}
		for _, w := range file.Warnings {
			in.add(finding.Finding{
				Tool: "stylelint", Rule: w.Rule, Message: strings.TrimSuffix(w.Text, " ("+w.Rule+")"),
				Severity: severity(w.Severity, finding.Error),
				File:     *file.Source, Line: int(w.Line), Column: int(w.Column), EndLine: int(w.EndLine),
			})
		}
	}
	return nil
}
