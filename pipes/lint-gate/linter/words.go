package linter

import (
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// words splits a command into its arguments, without a shell: blanks separate,
// quotes and backslashes keep together. What only a shell could do is refused
// rather than passed on as text.
func words(line string) ([]string, error) {
	s := splitter{line: line}
	for i := 0; i < len(line); i++ {
		if err := s.take(line[i]); err != nil {
			return nil, err
		}
	}
	if s.quote != 0 || s.escaped {
		return nil, exit.Invalidf("%s: a quote is not closed", line)
	}
	s.end()
	if len(s.words) > 0 && strings.Contains(s.words[0], "=") {
		return nil, shellOnly(line, "an assignment")
	}
	return s.words, nil
}

type splitter struct {
	line    string
	words   []string
	word    strings.Builder
	open    bool // in a word, which may be ""
	quote   byte
	escaped bool
}

func (s *splitter) take(c byte) error {
	switch {
	case s.escaped:
		if s.quote == '"' && !strings.ContainsRune("\"\\$`", rune(c)) {
			s.word.WriteByte('\\')
		}
		s.word.WriteByte(c)
		s.escaped = false
	case c == '\\' && s.quote != '\'':
		s.escaped, s.open = true, true
	case s.quote != '\'' && (c == '$' || c == '`'):
		return shellOnly(s.line, string(c))
	case s.quote != 0:
		s.quoted(c)
	default:
		return s.plain(c)
	}
	return nil
}

func (s *splitter) quoted(c byte) {
	if c == s.quote {
		s.quote = 0
		return
	}
	s.word.WriteByte(c)
}

func (s *splitter) plain(c byte) error {
	switch c {
	case '\'', '"':
		s.quote, s.open = c, true
	case ' ', '\t', '\n':
		s.end()
	case '|', '&', ';', '<', '>', '(', ')', '*', '?', '[', ']':
		return shellOnly(s.line, string(c))
	default:
		s.word.WriteByte(c)
		s.open = true
	}
	return nil
}

func (s *splitter) end() {
	if s.open {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.open = false
}

func shellOnly(line, what string) error {
	return exit.Invalidf("%s: %s is for a shell, and none runs here", line, what).
		Hint("write quotes around what is meant as it stands, or run the command by a shell: sh -c '…'")
}
