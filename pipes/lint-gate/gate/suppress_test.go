package gate

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/history"
)

func lines(texts ...string) []history.Line {
	var all []history.Line
	for i, text := range texts {
		all = append(all, history.Line{Number: i + 1, Text: text})
	}
	return all
}

// TestSuppressions has one line per directive, and lines that only look like one.
func TestSuppressions(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"a.go\tx() //nolint":                                     "nolint",
		"a.go\tx() // nolint:errcheck,revive // because":         "nolint:errcheck,revive",
		"a.go\tx() //nolint:errcheck":                            "nolint:errcheck",
		"a.go\t//lint:ignore SA1000 because":                     "lint:ignore SA1000",
		"a.go\tx() // #nosec G404":                               "#nosec G404",
		"a.go\t// see the nolint rules":                          "",
		"a.go\tx := \"//nolint\"":                                "",
		"a.go\tx := `a //nolint:b`":                              "",
		"a.py\timport x  # noqa: F401, E501":                     "noqa: F401, E501",
		"a.py\timport x  # NOQA":                                 "NOQA",
		"a.py\timport x  #noqa":                                  "noqa",
		"a.py\t# ruff: noqa":                                     "ruff: noqa",
		"a.py\tx = y()  # type: ignore[attr-defined]":            "type: ignore[attr-defined]",
		"a.py\tx = y()  # type: ignore":                          "type: ignore",
		"a.py\t# pylint: disable=line-too-long":                  "pylint: disable=line-too-long",
		"a.py\t# mypy: ignore-errors":                            "mypy: ignore-errors",
		"a.ts\t/* eslint-disable no-console, no-alert */":        "eslint-disable no-console, no-alert",
		"a.ts\t// eslint-disable-next-line @typescript-eslint/x": "eslint-disable-next-line @typescript-eslint/x",
		"a.ts\t// @ts-ignore":                                    "@ts-ignore",
		"a.js\tx() // eslint-enable":                             "",
		"a.css\t/* stylelint-disable-next-line */":               "stylelint-disable-next-line",
		"run.sh\t# shellcheck disable=SC2086,SC2046":             "shellcheck disable=SC2086,SC2046",
		"Dockerfile.dev\t# hadolint ignore=DL3008":               "hadolint ignore=DL3008",
		"Dockerfile\t# hadolint global ignore=DL3008":            "hadolint global ignore=DL3008",
		"a.yml\tkey: x # yamllint disable-line rule:line-length": "yamllint disable-line rule:line-length",
		"a.rs\t#[allow(dead_code)]":                              "#[allow(dead_code)]",
		"A.java\t@SuppressWarnings(\"unchecked\")":               "@SuppressWarnings(\"unchecked\")",
		"README.md\tuse `# noqa` or //nolint":                    "",
	} {
		file, text, _ := strings.Cut(line, "\t")
		source := text
		if strings.HasSuffix(file, ".go") {
			source = "package a; " + text
		}
		read := func(string) ([]byte, error) { return []byte(source + "\n"), nil }
		var got []string
		for _, s := range suppressed([]history.File{{Path: file, Old: file, Status: history.Modified, Added: lines(source)}}, read) {
			got = append(got, s.Text)
		}
		if strings.Join(got, "|") != strings.TrimSpace(want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestSuppressionsOfAChange(t *testing.T) {
	t.Parallel()
	read := func(string) ([]byte, error) { return nil, fs.ErrNotExist }
	got := suppressed([]history.File{
		// Edited: the directive was there. Widened: it was not.
		{Path: "a.py", Old: "a.py", Status: history.Modified, Removed: lines("x = f()  # noqa: E1", "y  # noqa: E2"), Added: lines("x = g()  # noqa: E1", "y  # noqa: E2, E3")},
		// Moved from one file to another.
		{Path: "b.py", Old: "b.py", Status: history.Deleted, Removed: lines("z  # type: ignore")},
		{Path: "c.py", Status: history.Added, Added: lines("z  # type: ignore", "z  # type: ignore")},
		// A file that cannot be read is not parsed; its lines are known all the same.
		{Path: "new.go", Status: history.Added, Added: lines("package a", "f() //nolint")},
		{Path: "bin.py", Status: history.Modified, Binary: true},
	}, read)
	want := []Suppression{{"a.py", 2, "noqa: E2, E3"}, {"c.py", 2, "type: ignore"}, {"new.go", 2, "nolint"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
