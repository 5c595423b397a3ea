package finding

import (
	"encoding/xml"
	"io"
	"strings"
)

// The parts of JUnit's XML that test reports read.
type (
	junitSuites struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suite   junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes the findings as failed tests, so that Bitbucket lists them among
// the step's tests: it has no state between passed and failed, so give it the
// findings that fail. Each of checked (files, or folders of modules) with no
// finding in it is a test that passed.
func JUnit(w io.Writer, suite string, findings []Finding, checked []string) error {
	s := junitSuite{Name: suite, Failures: len(findings)}
	for _, f := range findings {
		s.Cases = append(s.Cases, junitFailed(suite, f))
	}
	with := owners(findings, checked)
	for _, name := range checked {
		if !with[name] {
			s.Cases = append(s.Cases, junitCase{Class: junitClass(suite, name), Name: suite})
		}
	}
	s.Tests = len(s.Cases)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(junitSuites{Suite: s}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// junitFailed is one finding: the file is the class, so that lists group by it.
func junitFailed(suite string, f Finding) junitCase {
	message, _, _ := strings.Cut(f.said(), "\n")
	name := f.ID()
	if at := position(f); at != "" {
		name = at + " " + name
	}
	var text strings.Builder
	if at := f.Place(); at != "" {
		text.WriteString(at + ": ")
	}
	text.WriteString(f.said() + "\n")
	source, _ := excerpt(f.Source, f.Column-1, widestSource)
	for _, part := range []string{source, strings.TrimSpace(f.Detail), f.URL} {
		if part != "" {
			text.WriteString(part + "\n")
		}
	}
	return junitCase{
		Class: junitClass(suite, f.File), Name: strings.TrimSpace(name),
		Failure: &junitFailure{Message: message, Type: f.Severity.String(), Text: text.String()},
	}
}

// junitClass is never blank: readers drop a test without a class.
func junitClass(suite, file string) string {
	if file == "" || file == "." {
		return suite
	}
	return file
}

// owners are those of checked that have a finding. A finding belongs to the
// innermost one: a module within another is not part of it.
func owners(findings []Finding, checked []string) map[string]bool {
	with := map[string]bool{}
	for _, f := range findings {
		owner, depth := "", -1
		for _, name := range checked {
			folder := strings.TrimSuffix(name, "/")
			if folder == "." {
				folder = ""
			}
			if (folder == "" || f.File == folder || strings.HasPrefix(f.File, folder+"/")) && len(folder) > depth {
				owner, depth = name, len(folder)
			}
		}
		with[owner] = true
	}
	return with
}
