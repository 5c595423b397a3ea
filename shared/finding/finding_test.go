package finding_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/finding"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// findings are of every kind there is, in no order.
func findings() []finding.Finding {
	long := strings.Repeat("var a=1;", 400) + "eval(code)" + strings.Repeat(";var b=2", 400)
	return []finding.Finding{
		{Tool: "golangci-lint", Rule: "errcheck", Severity: finding.Error, File: "shop/cart.go", Line: 120, Column: 14, Message: "Error return value of `f.Close` is not checked", Source: "\t\tdefer f.Close()", URL: "https://golangci-lint.run/"},
		{Tool: "golangci-lint", Rule: "unused", Severity: finding.Warning, File: "shop/cart.go", Line: 7, Message: "func `total` is unused", Source: "func total() int {", EndLine: 9},
		{Tool: "eslint", Rule: "no-eval", Severity: finding.Error, File: "web/app.min.js", Line: 1, Column: 3201, Message: "eval can be harmful.", Source: long},
		{Tool: "lint-gate", Severity: finding.Info, Message: "the configuration of golangci-lint was loosened", Detail: "errcheck is not enabled any more.\n\nAsk the owners of .golangci.yml."},
		{Tool: "ruff", Rule: "E501", Severity: finding.Warning, File: "größe/a b.py", Line: 3, Column: 18, Message: "Line too long\x1b[2J (120 > 100)\nsecond line", Source: "größe = \"漢字\" + \x1b[31mx  # \u202e"},
		{Tool: "ruff", Rule: "F401", Severity: finding.Error, File: "größe/a b.py", Message: "`os` imported but unused"},
		{Tool: "yamllint", Rule: "syntax", Severity: finding.Error, File: "a:b.yml", Line: 2, Column: 99, Message: "", Source: "caf\xe9: \x00", URL: "not a URL"},
	}
}

func TestPrint(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	finding.Print(console.New(&log, false), findings())
	golden(t, "print.txt", strings.ReplaceAll(log.String(), "\x1b", "␛"))
}

// TestExcerpts looks at the line and the caret alone.
func TestExcerpts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source string
		column int
		want   []string
	}{
		"indented":             {"\t\treturn x", 10, []string{"return x", "       ^"}},
		"tabs within":          {"a\tb", 3, []string{"a   b", "    ^"}},
		"on the indentation":   {"\t \tx", 2, []string{"    x", "^"}},
		"behind the end":       {"f(", 3, []string{"f(", "  ^"}},
		"no column":            {"  x := 1", 0, []string{"x := 1"}},
		"wrong column":         {"x", 40, []string{"x"}},
		"umlaut":               {"ä = b", 6, []string{"ä = b", "    ^"}},
		"within a character":   {"ä = b", 2, []string{"ä = b", "^"}},
		"wide":                 {`"漢字"+x`, 10, []string{`"漢字"+x`, "       ^"}},
		"combining":            {"e\u0301+x", 5, []string{"e\u0301+x", "  ^"}},
		"carriage return":      {"x\r", 1, []string{"x", "^"}},
		"control characters":   {"a\x00\x1b[2J\x7f b", 9, []string{"a␀␛[2J␡ b", "        ^"}},
		"not UTF-8":            {"caf\xe9 \xff x", 8, []string{"caf� � x", "       ^"}},
		"reordering":           {"/* \u202e */ x", 11, []string{"/* <U+202E> */ x", "               ^"}},
		"new line in a source": {"a\nb", 3, []string{"a␊b", "  ^"}},
	} {
		got := printed(finding.Finding{File: "f", Line: 1, Column: c.column, Message: "m", Source: c.source})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestLongLines: whatever the place, the caret stands under the character it
// means, and the excerpt stays short.
func TestLongLines(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := 1 + random.IntN(5000)
		at := random.IntN(n)
		line := []byte(strings.Repeat("x", n))
		line[at] = '!'
		got := printed(finding.Finding{File: "f", Line: 1, Column: at + 1, Message: "m", Source: string(line)})
		if len(got) != 2 {
			t.Fatalf("%d of %d: %q", at, n, got)
		}
		caret := utf8.RuneCountInString(got[1]) - 1
		if shown := []rune(got[0]); len(shown) > 152 || shown[caret] != '!' {
			t.Fatalf("%d of %d: caret %d, %d wide: %q", at, n, caret, len(shown), got[0])
		}
	}
	huge := strings.Repeat("漢", 1<<20)
	for _, column := range []int{0, 1, 3<<19 + 1, 3 << 20, 1 << 30} {
		got := printed(finding.Finding{File: "f", Line: 1, Column: column, Message: "m", Source: huge})
		if width := utf8.RuneCountInString(got[0]); width > 77 || width < 70 || strings.Contains(got[0], "\ufffd") {
			t.Errorf("column %d: %d wide: %q", column, width, got[0])
		}
	}
}

// printed is the excerpt of one finding in the log, without colours.
func printed(f finding.Finding) []string {
	var log bytes.Buffer
	finding.Print(console.New(&log, false), []finding.Finding{f})
	var lines []string
	for line := range strings.Lines(log.String()) {
		for _, code := range []string{"0", "34", "90"} {
			line = strings.ReplaceAll(line, "\x1b["+code+"m", "")
		}
		if rest, ok := strings.CutPrefix(line, "      | "); ok {
			lines = append(lines, strings.TrimSuffix(rest, "\n"))
		}
	}
	return lines
}

func TestSort(t *testing.T) {
	t.Parallel()
	sorted := findings()
	finding.Sort(sorted)
	var places []string
	for _, f := range sorted {
		places = append(places, f.Place()+" "+f.ID())
	}
	want := []string{
		" lint-gate", "a:b.yml:2:99 yamllint/syntax", "größe/a b.py ruff/F401", "größe/a b.py:3:18 ruff/E501",
		"shop/cart.go:7 golangci-lint/unused", "shop/cart.go:120:14 golangci-lint/errcheck", "web/app.min.js:1:3201 eslint/no-eval",
	}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	if c := finding.Counted(findings()); c.String() != "4 errors, 2 warnings, 1 info" || c.Total() != 7 {
		t.Errorf("%s, %d in all", c, c.Total())
	}
	if got := finding.Counted(nil).String(); got != "none" {
		t.Error(got)
	}
}

func TestSeverities(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]finding.Severity{"info": finding.Info, "Warning": finding.Warning, " ERROR ": finding.Error} {
		if got, err := finding.ParseSeverity(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "fatal", "0"} {
		if got, err := finding.ParseSeverity(text); err == nil || !strings.Contains(err.Error(), "info, warning and error") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	text, err := json.Marshal(findings())
	var back []finding.Finding
	if err != nil || json.Unmarshal(text, &back) != nil || back[0] != findings()[0] {
		t.Errorf("%v: %s", err, text)
	}
	if err := json.Unmarshal([]byte(`[{"severity": "fatal"}]`), &back); err == nil {
		t.Error("an unknown severity was read")
	}
	if got := fmt.Sprint(finding.Severity(7)); got != "severity 7" {
		t.Error(got)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
