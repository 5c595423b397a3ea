// Package statement splits SQL text as PostgreSQL does, and knows enough of its words to
// tell what kind of statement each is.
//
// A lexer is all that is needed: what a statement does is seen in the catalogue while it
// runs, so no grammar has to be kept in step with the server's. The known parsers are
// PostgreSQL's own in C, which would end static builds for two architectures from one
// machine, and the same as WebAssembly, which takes 275 MB and more than a second to
// start. That the pieces are right is checked at run time: applied one by one they must
// lead to the same schema as the file applied as a whole.
package statement

import "strings"

// Kind of a token.
type Kind int

// The kinds.
const (
	Word      Kind = iota // a keyword or a name without quotes; Text is in lower case
	Name                  // a quoted name; Text is without quotes
	String                // a literal of any form; Text is as written
	Number                // digits and what may stand among them
	Symbol                // one character of an operator or punctuation
	Backslash             // outside of literals: a command for psql
)

// Token is one piece of a statement. Comments are none.
type Token struct {
	Kind  Kind
	Text  string
	Start int // in bytes
	End   int
	Depth int // of parentheses
}

// comment is one with the text between its marks.
type comment struct {
	text       string
	start, end int
}

type lexer struct {
	text         string
	dialect      Dialect
	at           int
	depth        int
	comments     []comment
	unterminated string // what was open at the end of the text
}

// next reads a token; ok is false at the end.
func (l *lexer) next() (t Token, ok bool) {
	l.skip()
	if l.at >= len(l.text) {
		return Token{}, false
	}
	start := l.at
	t = Token{Start: start, Depth: l.depth}
	c := l.text[start]
	if l.foreign(c, &t) {
		return t, true
	}
	switch {
	case c == '\'':
		l.quoted('\'', false)
		t.Kind = String
	case c == '"':
		l.quoted('"', false)
		t.Kind = Name
		t.Text = strings.ReplaceAll(strings.Trim(l.text[start:l.at], `"`), `""`, `"`)
	case c == '$' && l.dialect == PostgreSQL && l.dollar():
		t.Kind = String
	case isLetter(c):
		t.Kind = l.word()
		t.Text = strings.ToLower(l.text[start:l.at])
	case c >= '0' && c <= '9':
		l.while(func(c byte) bool { return isLetter(c) || c >= '0' && c <= '9' || c == '.' })
		t.Kind = Number
	default:
		t.Kind = l.symbol(c)
		t.Depth = min(t.Depth, l.depth)
	}
	if t.Kind != Name && t.Kind != Word {
		t.Text = l.text[start:l.at]
	}
	t.End = l.at
	return t, true
}

// symbol reads one character and follows the parentheses.
func (l *lexer) symbol(c byte) Kind {
	l.at++
	switch c {
	case '(', '[':
		l.depth++
	case ')', ']':
		l.depth = max(0, l.depth-1)
	case '\\':
		return Backslash
	}
	return Symbol
}

// word reads a keyword or name, or the literal that its prefix begins: E'\n', B'1', N'x',
// U&'x'.
func (l *lexer) word() Kind {
	start := l.at
	l.while(func(c byte) bool { return isLetter(c) || c >= '0' && c <= '9' || c == '$' })
	prefix := strings.ToLower(l.text[start:l.at])
	rest := l.text[l.at:]
	switch {
	case prefix == "e" && strings.HasPrefix(rest, "'"):
		l.quoted('\'', true)
		return String
	case (prefix == "b" || prefix == "x" || prefix == "n") && strings.HasPrefix(rest, "'"):
		l.quoted('\'', false)
		return String
	case prefix == "u" && strings.HasPrefix(rest, "&'"):
		l.at++
		l.quoted('\'', false)
		return String
	}
	return Word
}

func (l *lexer) while(good func(byte) bool) {
	for l.at < len(l.text) && good(l.text[l.at]) {
		l.at++
	}
}

// quoted reads up to the closing quote; a doubled one does not close, and neither does
// one behind a backslash where those escape.
func (l *lexer) quoted(quote byte, escapes bool) {
	for l.at++; l.at < len(l.text); l.at++ {
		switch c := l.text[l.at]; {
		case c == '\\' && escapes:
			l.at++
		case c != quote:
		case l.at+1 < len(l.text) && l.text[l.at+1] == quote:
			l.at++
		default:
			l.at++
			return
		}
	}
	l.at = len(l.text)
	l.unterminated = "a quote"
}

// dollar reads $tag$ … $tag$. False, with nothing read, is a parameter such as $1.
func (l *lexer) dollar() bool {
	end := l.at + 1
	for end < len(l.text) && (isLetter(l.text[end]) || end > l.at+1 && l.text[end] >= '0' && l.text[end] <= '9') {
		end++
	}
	if end >= len(l.text) || l.text[end] != '$' {
		return false
	}
	tag := l.text[l.at : end+1]
	closing := strings.Index(l.text[end+1:], tag)
	if closing < 0 {
		l.at = len(l.text)
		l.unterminated = tag
		return true
	}
	l.at = end + 1 + closing + len(tag)
	return true
}

// skip passes over white space and comments. A byte order mark is white space here; that
// the server thinks otherwise is found elsewhere.
func (l *lexer) skip() {
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		switch {
		case strings.IndexByte(" \t\r\n\f\v", rest[0]) >= 0:
			l.at++
		case strings.HasPrefix(rest, "\ufeff"):
			l.at += len("\ufeff")
		case strings.HasPrefix(rest, "--"), l.dialect == MySQL && rest[0] == '#':
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			l.comments = append(l.comments, comment{text: strings.TrimLeft(rest[:end], "-#"), start: l.at, end: l.at + end})
			l.at += end
		case strings.HasPrefix(rest, "/*"):
			l.block()
		default:
			return
		}
	}
}

// block reads a comment, in which others may be nested.
func (l *lexer) block() {
	start, depth := l.at, 0
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		switch {
		case strings.HasPrefix(rest, "/*") && (depth == 0 || l.dialect == PostgreSQL):
			depth++
			l.at += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			l.at += 2
			if depth == 0 {
				l.comments = append(l.comments, comment{text: l.text[start+2 : l.at-2], start: start, end: l.at})
				return
			}
		default:
			l.at++
		}
	}
	l.unterminated = "a comment"
}

// isLetter is true for what may begin a name: any byte beyond ASCII may.
func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
