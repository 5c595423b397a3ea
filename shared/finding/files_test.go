package finding_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"bitbucket.org/fearless/pipes/shared/finding"
)

var gate = finding.Tool{Name: "lint-gate", Version: "1.2.3", URL: "https://bitbucket.org/fearless/pipes"}

// valid holds SARIF against the schema that OASIS publishes with the standard
// (testdata/sarif-schema-2.1.0.json, errata 01, unchanged).
func valid(t *testing.T, text []byte) error {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(document)
}

func TestSARIF(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	some := findings()
	some[2].Source = "short" // the column lies outside of it
	if err := finding.SARIF(&text, gate, some); err != nil {
		t.Fatal(err)
	}
	if err := valid(t, text.Bytes()); err != nil {
		t.Error(err)
	}
	golden(t, "all.sarif", text.String())

	text.Reset()
	if err := finding.SARIF(&text, finding.Tool{Name: "lint-gate", URL: "nowhere"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := valid(t, text.Bytes()); err != nil {
		t.Error(err)
	}
	golden(t, "none.sarif", text.String())
}

// TestSARIFOfAnything: no finding can make the file invalid.
func TestSARIFOfAnything(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"", "a:b.go", ":x", "../up.go", "/abs.go", "//host/x", "a b?c#d%41.go", "caf\xe9.go", "a\nb", "%SRCROOT%"} {
		for _, line := range []int{-1, 0, 1, 7} {
			var text bytes.Buffer
			f := finding.Finding{File: file, Line: line, EndLine: 3, Column: line, Message: "\xff\x00", Source: "\xfe", Rule: "\x1b", URL: "http://[x"}
			if err := finding.SARIF(&text, gate, []finding.Finding{f}); err != nil {
				t.Fatal(err)
			}
			if err := valid(t, text.Bytes()); err != nil {
				t.Errorf("%q, line %d: %v", file, line, err)
			}
		}
	}
	// What must be told apart is.
	if err := valid(t, []byte(`{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x", "informationUri": ":"}}}]}`)); err == nil {
		t.Error("the schema accepts anything")
	}
	if u, err := url.Parse("a:b.go"); err == nil && u.Scheme == "" {
		t.Error("the case of a colon proves nothing")
	}
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := finding.JUnit(&text, "lint-gate", findings(), []string{".", "shop", "shop/tax", "web/", ".github", "größe/a b.py"}); err != nil {
		t.Fatal(err)
	}
	golden(t, "junit.xml", text.String())
	report := parsed(t, text.Bytes())
	if report.Tests != 9 || report.Failures != 7 || len(report.Cases) != 9 {
		t.Errorf("%d tests, %d failures, %d cases", report.Tests, report.Failures, len(report.Cases))
	}
	var passed []string
	for _, c := range report.Cases {
		if c.Class == "" || c.Name == "" {
			t.Errorf("%+v has no name", c)
		}
		if c.Failure == nil {
			passed = append(passed, c.Class)
		}
	}
	if diff := cmp.Diff([]string{"shop/tax", ".github"}, passed); diff != "" {
		t.Errorf("passed (-want +got):\n%s", diff)
	}

	text.Reset()
	if err := finding.JUnit(&text, "lint-gate", nil, []string{"."}); err != nil {
		t.Fatal(err)
	}
	if report := parsed(t, text.Bytes()); report.Tests != 1 || report.Failures != 0 || report.Cases[0].Class != "lint-gate" {
		t.Errorf("%+v", report)
	}
}

// suite is JUnit as its readers see it.
type suite struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Cases    []struct {
		Class   string `xml:"classname,attr"`
		Name    string `xml:"name,attr"`
		Failure *struct {
			Message string `xml:"message,attr"`
		} `xml:"failure"`
	} `xml:"testcase"`
}

func parsed(t *testing.T, text []byte) suite {
	t.Helper()
	var all struct {
		Suites []suite `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &all); err != nil || len(all.Suites) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	return all.Suites[0]
}

// full is a disk without space.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errors.New("no space left")
	}
	return len(p), nil
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, left := range []int{0, 50, 1000} {
		for name, write := range map[string]func(io.Writer) error{
			"sarif": func(w io.Writer) error { return finding.SARIF(w, gate, findings()) },
			"junit": func(w io.Writer) error { return finding.JUnit(w, "x", findings(), nil) },
		} {
			if err := write(&full{left: left}); err == nil {
				t.Errorf("%s: %d bytes were enough", name, left)
			}
		}
	}
}
