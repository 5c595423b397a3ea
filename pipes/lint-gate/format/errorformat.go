package format

import (
	"bytes"
	"errors"
	"strings"
	"unicode"

	"github.com/reviewdog/errorformat"
	"github.com/reviewdog/errorformat/fmts"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// longest is how many bytes of a line are looked at: the scanner stops without
// a word at lines above 64 KB, and no finding is that long.
const longest = 4 << 10

// errorFormat is the format of a ready pattern, by its name, or of a pattern as
// Vim's errorformat has it; several are separated by "\n" or the two letters \n.
func errorFormat(pattern string) (Format, error) {
	ready := fmts.DefinedFmts()
	if f, ok := ready[pattern]; ok {
		return lined("errorformat:"+pattern, f.Errorformat), nil
	}
	if !strings.Contains(pattern, "%") {
		names := make([]string, 0, len(ready))
		for name := range ready {
			names = append(names, name)
		}
		return Format{}, exit.Invalidf("errorformat:%s: there is no ready pattern %q%s, and a pattern has %%f, %%l and %%m in it",
			pattern, pattern, settings.DidYouMean(pattern, names)).
			Hint(`a pattern for "a.go:1:2: text" is errorformat:%f:%l:%c: %m`)
	}
	lines := strings.Split(strings.ReplaceAll(pattern, `\n`, "\n"), "\n")
	if _, err := compiled(lines); err != nil {
		return Format{}, exit.Invalidf("errorformat:%s: not a pattern: %w", pattern, err).
			Hint(`a pattern for "a.go:1:2: text" is errorformat:%f:%l:%c: %m`)
	}
	return lined("errorformat:"+pattern, lines), nil
}

// lined reads lines by patterns; lines that match none are for people.
func lined(name string, patterns []string) Format {
	return Format{Name: name, silent: true, read: func(in *reading) error {
		format, err := compiled(patterns)
		if err != nil {
			return exit.Invalidf("%s: %w", name, err)
		}
		scanner := format.NewScanner(bytes.NewReader(shortened(in.data)))
		for scanner.Scan() {
			if e := scanner.Entry(); e.Valid && (e.Filename != "" || e.Text != "") {
				in.add(entry(e))
			}
		}
		return nil
	}}
}

// compiled makes a scanner of patterns; the library panics at some that break off.
func compiled(patterns []string) (format *errorformat.Errorformat, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it breaks off")
		}
	}()
	return errorformat.NewErrorformat(patterns)
}

// shortened cuts lines to what the scanner takes.
func shortened(data []byte) []byte {
	var b bytes.Buffer
	for line := range bytes.Lines(data) {
		if len(line) > longest {
			line = append(line[:longest:longest], '\n')
		}
		b.Write(line)
	}
	return b.Bytes()
}

func entry(e *errorformat.Entry) finding.Finding {
	f := finding.Finding{
		Message: e.Text, Severity: finding.Error, File: strings.TrimSpace(e.Filename),
		Line: e.Lnum, Column: e.Col, EndLine: e.EndLnum,
	}
	if e.Type != 0 {
		f.Severity = severity(string(unicode.ToLower(e.Type)), finding.Error)
	}
	if f.Message == "" {
		f.Message = strings.Join(e.Lines, "\n")
	}
	bracketed(&f)
	return f
}

// bracketed takes the rule from where gcc and many after it write it, the end of
// the text: "unused variable [-Wunused]".
func bracketed(f *finding.Finding) {
	if text, rule, ok := strings.Cut(strings.TrimSpace(f.Message), " ["); ok && strings.HasSuffix(rule, "]") && !strings.Contains(rule, " ") {
		f.Message, f.Rule = text, strings.TrimSuffix(rule, "]")
	}
}
