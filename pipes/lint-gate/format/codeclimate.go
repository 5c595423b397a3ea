package format

import "bitbucket.org/fearless/pipes/shared/finding"

// codeClimate reads the list that Code Climate defined and GitLab reads.
func codeClimate(in *reading) error {
	var issues []struct {
		Type        string
		Description string
		CheckName   string `json:"check_name"`
		Severity    string
		Content     any
		Location    *struct {
			Path  string
			Lines struct {
				Begin, End number
			}
			Positions struct {
				Begin, End struct{ Line, Column number }
			}
		}
		URL string
	}
	if err := in.json(&issues); err != nil {
		return err
	}
	for i, issue := range issues {
		if issue.Location == nil || issue.Location.Path == "" {
			return in.bad(0, `entry %d has no "location" with a "path"`, i+1)
		}
		at := issue.Location
		f := finding.Finding{
			Rule: issue.CheckName, Message: issue.Description, Severity: severity(issue.Severity, finding.Error),
			File: at.Path, Line: int(at.Lines.Begin), EndLine: int(at.Lines.End), URL: issue.URL,
		}
		if f.Line == 0 {
			f.Line, f.Column, f.EndLine = int(at.Positions.Begin.Line), int(at.Positions.Begin.Column), int(at.Positions.End.Line)
		}
		in.add(f)
	}
	return nil
}
