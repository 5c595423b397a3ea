package gate

import (
	"cmp"
	"go/scanner"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"bitbucket.org/fearless/pipes/shared/history"
)

// Suppression is a comment that keeps a linter from speaking.
type Suppression struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"` // from its mark on, without the rest of the comment
}

// mark is how the linters of some files are silenced.
type mark struct {
	files   []string // ends of names, or whole names
	pattern string   // what it looks like
}

// marks are the directives of the linters themselves. What follows "//" or "#" directly or
// after a blank is a directive; a text that only mentions one mostly is not.
var marks = []mark{
	{[]string{".go"}, `//\s*(nolint\b(?::[\w,\s-]*[\w-])?|lint:(?:file-)?ignore\s+\S+|revive:disable\S*|exhaustive:ignore)|(?://|/\*)\s*(#nosec\b(?:\s+G\d+)*)`},
	{[]string{".py", ".pyi"}, `#\s*((?i:(?:ruff:\s*|flake8:\s*)?noqa\b)(?::\s*[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*)?|type:\s*ignore\b(?:\[[^\]]*\])?|pyright:\s*(?:ignore|basic|off)\b|` +
		`pylint:\s*(?:disable|skip-file)[\w=,\s-]*|mypy:\s*(?:ignore-errors|disable-error-code)\b[^#]*|nosec\b(?:\s+B\d+)*|fmt:\s*(?:off|skip)\b|isort:\s*(?:off|skip(?:_file)?)\b)`},
	{[]string{".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte"},
		`(?://|/\*)\s*((?:eslint|oxlint)-disable(?:-next-line|-line)?\b(?:\s+[\w@/-]+(?:\s*,\s*[\w@/-]+)*)?|@ts-(?:ignore|expect-error|nocheck)\b|biome-ignore\s+\S+|tslint:disable\S*)`},
	{[]string{".css", ".scss", ".sass", ".less"}, `(?://|/\*)\s*(stylelint-disable(?:-next-line|-line)?\b[^*]*)`},
	{[]string{".sh", ".bash", ".ksh", ".bats"}, `#\s*(shellcheck\s+disable=\S+)`},
	{[]string{"Dockerfile", ".dockerfile", "Containerfile"}, `#\s*(hadolint\s+(?:global\s+)?ignore=\S+)`},
	{[]string{".yml", ".yaml"}, `#\s*(yamllint\s+disable\S*(?:\s+rule:\S+)*|noqa\b\S*)`},
	{[]string{".tf", ".tofu"}, `(?:#|//)\s*((?:tflint-ignore|tfsec:ignore|checkov:skip|trivy:ignore)\S*)`},
	{[]string{".rb"}, `#\s*(rubocop:(?:disable|todo)\b[^#]*)`},
	{[]string{".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp"}, `(?://|/\*)\s*(NOLINT(?:NEXTLINE|BEGIN)?(?:\([^)]*\))?|cppcheck-suppress\S*)`},
	{[]string{".java", ".kt", ".kts"}, `(@Suppress(?:Warnings|FBWarnings|Lint)?\s*\([^)]*\))|(?://|/\*)\s*(CHECKSTYLE:OFF|NOPMD|noinspection\s+\S+)`},
	{[]string{".php"}, `(?://|/\*|#)\s*(phpcs:(?:ignore|disable)\S*|@phpstan-ignore\S*|@psalm-suppress\s+\S+)`},
	{[]string{".rs"}, `(#!?\[allow\([^)]*\)\])`},
}

// patterns are the marks by end of name, compiled once.
var patterns = sync.OnceValue(func() map[string]*regexp.Regexp {
	all := map[string]*regexp.Regexp{}
	for _, m := range marks {
		compiled := regexp.MustCompile(m.pattern)
		for _, end := range m.files {
			all[end] = compiled
		}
	}
	return all
})

// patternOf is the pattern for a file, nil when none of its linters is known.
func patternOf(file string) *regexp.Regexp {
	name := path.Base(file)
	for _, end := range []string{path.Ext(name), name, strings.SplitN(name, ".", 2)[0]} {
		if p := patterns()[end]; p != nil && end != "" {
			return p
		}
	}
	return nil
}

// suppressed lists the suppressions that a change adds. One that it took away elsewhere has
// moved; one on a line of which something else was edited was there before. read gives the
// content of a file as it is now.
func suppressed(files []history.File, read func(path string) ([]byte, error)) []Suppression {
	var added []Suppression
	gone := map[string]int{}
	for _, f := range files {
		pattern := patternOf(cmp.Or(f.Path, f.Old))
		if pattern == nil || f.Binary {
			continue
		}
		for _, line := range f.Removed {
			for _, text := range silences(pattern, line.Text) {
				gone[text]++
			}
		}
		if f.Status == history.Deleted {
			continue
		}
		added = append(added, addedBy(f, pattern, read)...)
	}
	added = slices.DeleteFunc(added, func(s Suppression) bool {
		gone[s.Text]--
		return gone[s.Text] >= 0
	})
	slices.SortFunc(added, func(a, b Suppression) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	return added
}

// addedBy finds the suppressions on the lines that a change wrote in one file.
func addedBy(f history.File, pattern *regexp.Regexp, read func(path string) ([]byte, error)) []Suppression {
	var found []Suppression
	isComment := func(int, string) bool { return true }
	// Only a parser can tell a comment of Go from a text that looks like one.
	if path.Ext(f.Path) == ".go" && suspicious(f, pattern) {
		if content, err := read(f.Path); err == nil {
			isComment = comments(content)
		}
	}
	for _, line := range f.Added {
		for _, text := range silences(pattern, line.Text) {
			if isComment(line.Number, text) {
				found = append(found, Suppression{f.Path, line.Number, text})
			}
		}
	}
	return found
}

// suspicious tells whether a line that was added matches at all, so that most files need
// not be read.
func suspicious(f history.File, pattern *regexp.Regexp) bool {
	return slices.ContainsFunc(f.Added, func(l history.Line) bool { return pattern.MatchString(l.Text) })
}

// silences are the directives of a line, without what may be written differently.
func silences(pattern *regexp.Regexp, line string) []string {
	var all []string
	for _, match := range pattern.FindAllStringSubmatch(line, -1) {
		for _, group := range match[1:] {
			if group != "" {
				all = append(all, strings.Join(strings.Fields(group), " "))
			}
		}
	}
	return all
}

// comments tells for Go source whether a directive on a line is in a comment.
func comments(source []byte) func(line int, text string) bool {
	at := map[int]string{}
	var s scanner.Scanner
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(source))
	s.Init(file, source, nil, scanner.ScanComments)
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.COMMENT {
			for i, line := range strings.Split(literal, "\n") {
				at[file.Line(pos)+i] += line + "\n"
			}
		}
	}
	return func(line int, text string) bool {
		first, _, _ := strings.Cut(text, " ")
		return strings.Contains(at[line], first)
	}
}
