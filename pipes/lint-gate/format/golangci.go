package format

import (
	"regexp"

	"bitbucket.org/fearless/pipes/shared/finding"
)

// golangci reads `golangci-lint run --output.json.path`. Findings of its
// linter typecheck mean that code could not be analysed: see Typecheck.
func golangci(in *reading) error {
	var document struct {
		Issues *[]struct {
			FromLinter, Text, Severity string
			SourceLines                []string
			Pos                        struct {
				Filename     string
				Line, Column int
			}
			LineRange *struct{ From, To int }
		}
		Report struct{ Error string }
	}
	if err := in.json(&document); err != nil {
		return err
	}
	if document.Issues == nil {
		return in.bad(0, `"Issues" is missing`)
	}
	in.report.Broken = document.Report.Error
	for _, issue := range *document.Issues {
		f := finding.Finding{
			Tool: "golangci-lint", Rule: issue.FromLinter, Message: issue.Text,
			Severity: severity(issue.Severity, finding.Error),
			File:     issue.Pos.Filename, Line: issue.Pos.Line, Column: issue.Pos.Column,
			URL: "https://golangci-lint.run/docs/linters/configuration/#" + issue.FromLinter,
		}
		if issue.LineRange != nil {
			f.EndLine = issue.LineRange.To
		}
		if len(issue.SourceLines) > 0 {
			f.Source = issue.SourceLines[0]
		}
		if issue.FromLinter == Typecheck {
			f.URL = ""
		}
		golangciRule(&f)
		in.add(f)
	}
	return nil
}

// Typecheck is the linter of golangci-lint whose findings are none: they say
// what kept it from analysing the code.
const Typecheck = "typecheck"

// ruled are the linters of golangci-lint that write the rule's id before the text.
var ruled = map[string]bool{
	"staticcheck": true, "revive": true, "gosec": true, "gocritic": true, "govet": true,
}

var ruleBeforeText = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*): `)

func golangciRule(f *finding.Finding) {
	id := ruleBeforeText.FindStringSubmatch(f.Message)
	if id == nil || !ruled[f.Rule] {
		return
	}
	if f.Rule == "staticcheck" {
		f.URL = "https://staticcheck.dev/docs/checks/#" + id[1]
	}
	f.Rule += "/" + id[1]
	f.Message = f.Message[len(id[0]):]
}
