package format

import (
	"bytes"
	"encoding/json"

	"bitbucket.org/fearless/pipes/shared/finding"
)

// diagnostic is one finding in reviewdog's diagnostic format.
type diagnostic struct {
	Message  string
	Location *struct {
		Path  string
		Range struct {
			Start, End struct{ Line, Column number }
		}
	}
	Severity any // a word, or the number of its place in the schema
	Source   *struct{ Name, URL string }
	Code     *struct {
		Value any
		URL   string
	}
}

// rdjson reads one object with all diagnostics.
func rdjson(in *reading) error {
	var document struct {
		Source      struct{ Name, URL string }
		Severity    any
		Diagnostics *[]diagnostic
	}
	if err := in.json(&document); err != nil {
		return err
	}
	if document.Diagnostics == nil {
		return in.bad(0, `"diagnostics" is missing`)
	}
	for _, d := range *document.Diagnostics {
		if d.Severity == nil {
			d.Severity = document.Severity
		}
		if d.Source == nil {
			d.Source = &document.Source
		}
		in.add(d.finding())
	}
	return nil
}

// rdjsonl reads one diagnostic per line.
func rdjsonl(in *reading) error {
	at := 0
	for line := range bytes.Lines(in.data) {
		var d diagnostic
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 {
			if err := json.Unmarshal(trimmed, &d); err != nil {
				return in.jsonError(at, err)
			}
			if d.Message == "" && d.Location == nil {
				return in.bad(at, `neither "message" nor "location"`)
			}
			in.add(d.finding())
		}
		at += len(line)
	}
	return nil
}

func (d diagnostic) finding() finding.Finding {
	f := finding.Finding{Message: d.Message, Severity: d.severity()}
	if d.Location != nil {
		f.File = d.Location.Path
		f.Line, f.Column = int(d.Location.Range.Start.Line), int(d.Location.Range.Start.Column)
		f.EndLine = int(d.Location.Range.End.Line)
	}
	if d.Code != nil {
		f.Rule, f.URL = words(d.Code.Value), d.Code.URL
	}
	if d.Source != nil {
		f.Tool = d.Source.Name
	}
	return f
}

func (d diagnostic) severity() finding.Severity {
	if n, ok := d.Severity.(float64); ok { // 1 error, 2 warning, 3 info
		return []finding.Severity{finding.Error, finding.Error, finding.Warning, finding.Info}[min(max(int(n), 0), 3)]
	}
	return severity(words(d.Severity), finding.Error)
}
