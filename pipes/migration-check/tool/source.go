package tool

import (
	"cmp"
	"strings"
)

// Span is some lines of a source file that belong together, from 1.
type Span struct {
	First, Last int
	Text        string // without comments
	Indent      int
}

// Remark is a comment with its line.
type Remark struct {
	Line int
	Text string
}

// Scan cuts Python or Ruby into logical lines and comments.
func Scan(text string) ([]Span, []Remark) { return scan(text) }

// Nearest are the lines that a comment on a line is about: the smallest span that it is
// in, or else the next one. Head is that nothing stands before it.
func Nearest(spans []Span, line int) (first, last int, head bool) {
	var in, next *Span
	head = true
	for i := range spans {
		s := &spans[i]
		head = head && s.First > line
		if s.First <= line && line <= s.Last && (in == nil || s.Last-s.First < in.Last-in.First) {
			in = s
		}
		if s.First > line && (next == nil || cmp.Or(cmp.Compare(s.First, next.First), cmp.Compare(next.Last, s.Last)) < 0) {
			next = s
		}
	}
	// Alone on its line within something long, it is about what follows in it.
	if in == nil || next != nil && next.First <= in.Last && in.First != line {
		in = next
	}
	if in == nil {
		return 0, 0, head
	}
	return in.First, in.Last, head
}

// scan cuts Python or Ruby into logical lines and comments. Brackets keep a line going;
// what is quoted is no comment.
func scan(text string) (spans []Span, remarks []Remark) {
	s := scanner{text: text, line: 1}
	for s.at < len(s.text) {
		s.next()
	}
	s.end()
	return s.spans, s.remarks
}

type scanner struct {
	text    string
	at      int
	line    int
	depth   int
	first   int // line of the logical line that is open; 0 is none
	code    strings.Builder
	spans   []Span
	remarks []Remark
}

func (s *scanner) next() {
	rest := s.text[s.at:]
	switch c := rest[0]; {
	case strings.HasPrefix(rest, `"""`), strings.HasPrefix(rest, `'''`):
		s.quoted(rest[:3])
	case c == '"' || c == '\'':
		s.quoted(rest[:1])
	case c == '#':
		comment, _, _ := strings.Cut(rest, "\n")
		s.remarks = append(s.remarks, Remark{s.line, strings.TrimSpace(strings.TrimLeft(comment, "#"))})
		s.at += len(comment)
	case strings.HasPrefix(rest, "\\\n"):
		s.at += 2
		s.line++
	case c == '\n':
		if s.depth == 0 {
			s.end()
		} else {
			s.code.WriteByte(' ')
		}
		s.at++
		s.line++
	default:
		switch c {
		case '(', '[', '{':
			s.depth++
		case ')', ']', '}':
			s.depth = max(0, s.depth-1)
		}
		if s.first == 0 && c != ' ' && c != '\t' && c != '\r' {
			s.first = s.line
		}
		s.code.WriteByte(c)
		s.at++
	}
}

// quoted passes over a string. One of a single line ends with it, whatever happens.
func (s *scanner) quoted(quote string) {
	if s.first == 0 {
		s.first = s.line
	}
	from := s.at
	s.at += len(quote)
	for s.at < len(s.text) && !strings.HasPrefix(s.text[s.at:], quote) {
		if s.text[s.at] == '\n' && len(quote) == 1 {
			break
		}
		if s.text[s.at] == '\\' {
			s.at++
		}
		s.at++
	}
	s.at = min(s.at, len(s.text))
	if strings.HasPrefix(s.text[s.at:], quote) {
		s.at += len(quote)
	}
	s.code.WriteString(s.text[from:s.at])
	s.line += strings.Count(s.text[from:s.at], "\n")
}

func (s *scanner) end() {
	if s.first > 0 {
		code := s.code.String()
		s.spans = append(s.spans, Span{First: s.first, Last: s.line, Text: strings.TrimSpace(code), Indent: len(code) - len(strings.TrimLeft(code, " \t"))})
	}
	s.first = 0
	s.code.Reset()
}

// code is a text without comments and blank lines: what a change of is an edit.
func code(text string) string {
	spans, _ := scan(text)
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(strings.Repeat(" ", s.Indent) + s.Text + "\n")
	}
	return b.String()
}

// body are the logical lines of a Python function at the top of the file, without its
// docstring and pass; false is that there is none.
func body(text, function string) ([]Span, bool) {
	spans, _ := scan(text)
	var lines []Span
	inside := false
	for _, s := range spans {
		switch {
		case s.Indent == 0:
			if inside {
				return lines, true
			}
			inside = strings.HasPrefix(s.Text, "def "+function+"(")
		case inside && s.Text != "pass" && s.Text != "..." && !strings.HasPrefix(s.Text, `"`) && !strings.HasPrefix(s.Text, "'"):
			lines = append(lines, s)
		}
	}
	return lines, inside
}
