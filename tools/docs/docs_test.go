package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/settings"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// aws stands for the settings that may come from the repository's variables.
type aws struct {
	Region string `envconfig:"AWS_DEFAULT_REGION" fallback:"AWS_REGION" required:"true" inherit:"true" desc:"AWS region."`
	Secret string `envconfig:"AWS_SECRET_ACCESS_KEY" inherit:"true" secret:"true" desc:"Secret | of the key."`
	Token  string `envconfig:"BITBUCKET_STEP_OIDC_TOKEN" context:"true" secret:"true" desc:"Not offered."`
}

type settingsOfOne struct {
	pipe.Settings
	AWS    aws
	Target string        `envconfig:"TARGET" required:"true" example:"a|b" desc:"Where to."`
	Action string        `envconfig:"ACTION" default:"bake" allowed:"bake,sweep" desc:"What to do."`
	Slug   string        `envconfig:"APPLICATION" fallback:"BITBUCKET_REPO_SLUG" required:"true" desc:"The name."`
	Paths  settings.List `envconfig:"PATHS" example:"*.go" desc:"Paths with * below <clone>."`
	Bucket string        `envconfig:"BUCKET" desc:"The bucket. Default: fearless-<account>."`
	Quote  string        `envconfig:"QUOTE" default:"say \"no: 'yes'\" # \\n" desc:"Hard to quote."`
}

type settingsOfTwo struct {
	pipe.Settings
	AWS    aws
	Action string `envconfig:"ACTION" default:"create" desc:"What to do."`
	Limit  int    `envconfig:"LIMIT" default:"10" desc:"How many."`
}

var sample = []page{
	{Name: "one", Title: "One", Description: "Does: one.", Category: "Deployment", Tags: []string{"aws", "1"}, Variables: settings.Describe(settingsOfOne{})},
	{Name: "two", Title: "Two", Description: "Does two.", Category: "Deployment", Tags: []string{"aws"}, Variables: settings.Describe(settingsOfTwo{})},
}

const written = "# One\n\n```yaml\n- pipe: fearless/one:0.0.9\n  variables:\n    TARGET: 'x'\n    # PATHS: ['x'] # Optional\n```\n\n" +
	"<!-- variables:one -->\nold\n<!-- /variables -->\n\n```yaml\n- pipe: fearless/other:0.0.9\n  variables:\n    OTHER: 'x'\n```\n"

// repository is one with READMEs, as people wrote them.
func repository(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	write(t, top, "pipes/one/README.md", written)
	write(t, top, "pipes/two/README.md", "<!-- variables:two -->\n<!-- /variables -->\n")
	return top
}

func write(t *testing.T, top, name, text string) {
	t.Helper()
	path := filepath.Join(top, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, top, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWrites(t *testing.T) {
	t.Parallel()
	top := repository(t)
	var out bytes.Buffer
	if code := run(top, sample, false, &out); code != passed {
		t.Fatalf("%d: %s", code, out.String())
	}
	want := "wrote pipes/one/pipe.yml\nwrote pipes/two/pipe.yml\nwrote pipe.yml\nwrote pipes/one/README.md\nwrote pipes/two/README.md\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
	for golden, name := range map[string]string{
		"one.pipe.yml": "pipes/one/pipe.yml", "collection.pipe.yml": "pipe.yml", "one.README.md": "pipes/one/README.md",
	} {
		got := read(t, top, name)
		if *update {
			write(t, "testdata", golden, got)
		}
		if diff := cmp.Diff(read(t, "testdata", golden), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	out.Reset()
	if code := run(top, sample, true, &out); code != passed || out.Len() != 0 {
		t.Errorf("checked at once: %d, %s", code, out.String())
	}
	if code := run(top, sample, false, &out); code != passed || out.Len() != 0 {
		t.Errorf("written again: %d, %s", code, out.String())
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	top := repository(t)
	var out bytes.Buffer
	if code := run(top, sample, false, &out); code != passed {
		t.Fatal(out.String())
	}
	good := read(t, top, "pipe.yml")
	for name, c := range map[string]struct{ text, want string }{
		"changed":   {strings.Replace(good, `"Fearless"`, `"Other"`, 1), "pipe.yml:2: is out of date\n  is:        name: \"Other\"\n  should be: name: \"Fearless\"\n"},
		"too long":  {good + "\n", "pipe.yml:39: should end here, but goes on: \n"},
		"line end":  {strings.TrimSuffix(good, "\n"), "pipe.yml:38: ends here, but should go on: \n"},
		"too short": {strings.TrimSuffix(good, "  - \"deployment\"\n"), "is out of date\n  is:        \n  should be:   - \"deployment\"\n"},
		"empty":     {"", "pipe.yml:1: is out of date\n"},
	} {
		write(t, top, "pipe.yml", c.text)
		out.Reset()
		code := run(top, sample, true, &out)
		if code != stale || !strings.Contains(out.String(), c.want) || !strings.HasSuffix(out.String(), "\nbring them up to date with: go run ./tools/docs\n") {
			t.Errorf("%s: %d\n%s", name, code, out.String())
		}
		if got := read(t, top, "pipe.yml"); got != c.text {
			t.Errorf("%s: a check has changed the file", name)
		}
	}
	if err := os.Remove(filepath.Join(top, "pipe.yml")); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if code := run(top, sample, true, &out); code != stale || !strings.Contains(out.String(), "pipe.yml is missing\n") {
		t.Errorf("missing: %d\n%s", code, out.String())
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"no begin":   {"# One\n", "there is no line \"<!-- variables:one -->\""},
		"no end":     {"<!-- variables:one -->\n", "there is no line \"<!-- /variables -->\""},
		"twice":      {written + "<!-- variables:one -->\n<!-- /variables -->\n", "more than one line"},
		"no such":    {strings.Replace(written, "TARGET:", "TARGETS:", 1), "an example sets TARGETS, which is no variable of one"},
		"no such, #": {strings.Replace(written, "# PATHS:", "# PATH:", 1), "an example sets PATH, which is no variable of one"},
		"context":    {strings.Replace(written, "TARGET:", "BITBUCKET_STEP_OIDC_TOKEN:", 1), "an example sets BITBUCKET_STEP_OIDC_TOKEN"},
	} {
		top := repository(t)
		write(t, top, "pipes/one/README.md", c.text)
		var out bytes.Buffer
		if code := run(top, sample, false, &out); code != failed || !strings.Contains(out.String(), "pipes/one/README.md: ") || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: %d, %s", name, code, out.String())
		}
		if _, err := os.Stat(filepath.Join(top, "pipe.yml")); err == nil {
			t.Errorf("%s: something was written all the same", name)
		}
	}
	var out bytes.Buffer
	if code := run(t.TempDir(), sample, true, &out); code != failed {
		t.Errorf("no READMEs: %d, %s", code, out.String())
	}
}

// TestReadBack: a text that YAML takes for something else is found out.
func TestReadBack(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"yes", "1.10", "null", "- a", "a: b # c", "{a}", "\"", "'", "\\", "line\nline", "\ttab", "☂", "*", "&a", "!b", "%"} {
		if _, err := pipeYML(page{Name: "x", Title: text, Description: text, Tags: []string{text}}, []offered{{"X", text}}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := pipeYML(page{Name: "x"}, []offered{{"X: y", ""}}); err == nil {
		t.Error("a broken name went unnoticed")
	}
}

// TestTable holds what is published to Bitbucket's rules and our own.
func TestTable(t *testing.T) {
	t.Parallel()
	for _, p := range append([]page{collection}, pipes...) {
		if p.Title == "" || p.Category == "" || len(p.Tags) == 0 || !strings.HasSuffix(p.Description, ".") || strings.Count(p.Description, ". ") > 0 {
			t.Errorf("%s: a title, a category, tags, and a description of one sentence, please: %+v", p.Name, p)
		}
		for _, v := range p.Variables {
			if v.Description == "" || !strings.HasSuffix(v.Description, ".") {
				t.Errorf("%s: %s needs a description that is a sentence: %q", p.Name, v.Name, v.Description)
			}
		}
	}
}
