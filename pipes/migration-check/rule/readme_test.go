package rule_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
)

var update = flag.Bool("update", false, "write the table of rules into the README")

// TestReadme keeps the README's table the same as the catalogue.
func TestReadme(t *testing.T) {
	t.Parallel()
	const path, begin, end = "../README.md", "<!-- rules -->\n", "<!-- /rules -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatal("the README has no place for the rules")
	}
	var table strings.Builder
	table.WriteString("\n| rule | level | catches | why | instead |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range rule.Catalogue {
		fmt.Fprintf(&table, "| <a id=\"%s\"></a>%[1]s | %s | %s | %s | %s |\n", r.ID, r.Severity, cell(r.Title), cell(r.Why), cell(r.Instead))
	}
	want := before + begin + table.String() + "\n" + end + after
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatal("the README's rules are out of date: go test ./pipes/migration-check/rule -run TestReadme -update")
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// cell keeps text in its column, and from being taken for HTML.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", ">", "&gt;").Replace(text)
}
