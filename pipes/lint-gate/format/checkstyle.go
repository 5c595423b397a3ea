package format

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"

	"bitbucket.org/fearless/pipes/shared/finding"
)

// checkstyle reads the XML that Checkstyle made common.
func checkstyle(in *reading) error {
	decoder := xml.NewDecoder(bytes.NewReader(in.data))
	// The text is UTF-8 by now, whatever its first line says it was.
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var document struct {
		XMLName xml.Name `xml:"checkstyle"`
		Files   []struct {
			Name   string `xml:"name,attr"`
			Errors []struct {
				Line     number `xml:"line,attr"`
				Column   number `xml:"column,attr"`
				Severity string `xml:"severity,attr"`
				Message  string `xml:"message,attr"`
				Source   string `xml:"source,attr"`
			} `xml:"error"`
		} `xml:"file"`
	}
	if err := decoder.Decode(&document); err != nil {
		var syntax *xml.SyntaxError
		if errors.As(err, &syntax) {
			return in.badAt(syntax.Line, 1, "%s", syntax.Msg)
		}
		line, column := decoder.InputPos()
		return in.badAt(line, column, "%v", err)
	}
	for _, file := range document.Files {
		for _, e := range file.Errors {
			if e.Severity == "ignore" {
				in.report.Suppressed++
				continue
			}
			in.add(finding.Finding{
				Rule: e.Source, Message: e.Message, Severity: severity(e.Severity, finding.Error),
				File: file.Name, Line: int(e.Line), Column: int(e.Column),
			})
		}
	}
	return nil
}
