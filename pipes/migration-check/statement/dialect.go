package statement

import "strings"

// Dialect is whose SQL a text is. Its zero value is PostgreSQL's.
type Dialect int

// The dialects. That of MySQL is MariaDB's, too.
const (
	PostgreSQL Dialect = iota
	MySQL
	SQLite
)

// Split cuts a file into its statements, as Split does for PostgreSQL.
func (d Dialect) Split(text string) []Statement {
	s := d.scan(text)
	s.attachComments()
	return s.all
}

// scan reads a text to its end.
func (d Dialect) scan(text string) *splitter {
	s := &splitter{lexer: lexer{text: text, dialect: d}, lines: newLines(text)}
	for s.statement() {
	}
	return s
}

// Comments are those of a text, whatever statements they are at.
func (d Dialect) Comments(text string) []Comment {
	s := d.scan(text)
	var all []Comment
	for _, c := range s.comments {
		line, _ := s.lines.of(c.start)
		all = append(all, Comment{Text: strings.TrimSpace(c.text), Line: line})
	}
	return all
}

// foreign reads what other dialects write otherwise than PostgreSQL: names in backticks
// and brackets, and MySQL's strings in double quotes. False, with nothing read, is all
// else.
func (l *lexer) foreign(c byte, t *Token) bool {
	start := l.at
	switch {
	case l.dialect == PostgreSQL:
		return false
	case c == '`':
		l.quoted('`', false)
		t.Kind, t.Text = Name, strings.ReplaceAll(strings.Trim(l.text[start:l.at], "`"), "``", "`")
	case c == '[' && l.dialect == SQLite:
		l.quoted(']', false)
		t.Kind, t.Text = Name, strings.Trim(l.text[start:l.at], "[]")
	case (c == '"' || c == '\'') && l.dialect == MySQL:
		l.quoted(c, true)
		t.Kind, t.Text = String, l.text[start:l.at]
	default:
		return false
	}
	t.End = l.at
	return true
}

// compound follows the body of a trigger or procedure, BEGIN … END, whose semicolons do
// not end the statement. What opens with IF, LOOP, WHILE and REPEAT closes with END and
// the same word, and is not counted.
func compound(before []Token, t Token, depth int) int {
	if t.Kind != Word || len(before) == 0 || !before[0].is("create") || !hasBody(before) {
		return 0
	}
	closing := before[len(before)-1].is("end") && depth >= 0
	switch t.Text {
	case "begin":
		return 1
	case "end":
		return -1
	case "case":
		if !closing {
			return 1
		}
	case "if", "loop", "while", "repeat":
		if closing {
			return 1 // the END before it was not that of a block
		}
	}
	return 0
}

// hasBody tells the kinds of things that are made of statements.
func hasBody(tokens []Token) bool {
	for _, t := range tokens[:min(len(tokens), 16)] {
		switch {
		case t.Kind != Word:
		case t.Text == "trigger", t.Text == "procedure", t.Text == "function", t.Text == "event":
			return true
		case t.Text == "table", t.Text == "view", t.Text == "index":
			return false
		}
	}
	return false
}
