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
func TestReadme(t *testing.T) { //nolint:paralleltest // it may write the file twice
	var table strings.Builder
	table.WriteString("\n| rule | level | catches | why | instead |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range rule.Catalogue {
		fmt.Fprintf(&table, "| <a id=\"%s\"></a>%[1]s | %s | %s | %s | %s |\n", r.ID, r.Severity, cell(r.Title), cell(r.Why), cell(r.Instead))
	}
	section(t, "rules", table.String())
	table.Reset()
	fmt.Fprintf(&table, "\n| rule | %s |\n|%s\n", strings.Join(rule.Tools, " | "), strings.Repeat(" --- |", len(rule.Tools)+1))
	for _, r := range rule.Catalogue {
		if line := applies(r.ID); line != applies("D01") {
			fmt.Fprintf(&table, "| %s %s\n", r.ID, line)
		}
	}
	section(t, "tools", table.String())
}

// applies is a rule's line of the table of tools. Most rules are the same for all.
func applies(id string) string {
	line := "|"
	for _, tool := range rule.Tools {
		if form := rule.Applies(id, tool); form != "" {
			line += " " + form + " |"
		} else {
			line += " – |"
		}
	}
	return line
}

// section holds a generated part of the README against what it should be, or writes it.
func section(t *testing.T, name, content string) {
	t.Helper()
	const path = "../README.md"
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("the README has no place for the %s", name)
	}
	want := before + begin + content + "\n" + end + after
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatalf("the README's %s are out of date: go test ./pipes/migration-check/rule -run TestReadme -update", name)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// cell keeps text in its column, and from being taken for HTML.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", ">", "&gt;").Replace(text)
}
