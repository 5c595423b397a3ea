package statement

import (
	"slices"
	"strings"
)

// Statement is one of a file.
type Statement struct {
	Text       string // without the comments before it and without its semicolon
	Start, End int    // where Text is in the file, in bytes
	Line       int    // of the first word, from 1
	Column     int    // the same, in bytes from 1
	EndLine    int
	Tokens     []Token
	Comments   []Comment // before it, in it and behind it on its last line

	// Unterminated is what is still open at the end of the file: a quote, a comment, $$.
	Unterminated string
	// elsewhere: it stands in no file of SQL, so its lines are those of whoever sends it.
	elsewhere bool

	// Data is true for COPY … FROM stdin: the lines behind it are not SQL, but rows.
	Data bool
	Rows string
}

// Comment is one with its place.
type Comment struct {
	Text string
	Line int
}

// Split cuts a file into its statements. Comments behind the last one belong to it;
// those of a file without any are lost, as is nothing else: see Comments.
func Split(text string) []Statement { return PostgreSQL.Split(text) }

type splitter struct {
	lexer
	lines lines
	all   []Statement
}

// statement reads one; false is the end of the text.
func (s *splitter) statement() bool {
	var tokens []Token
	body := 0 // depth of BEGIN ATOMIC … END
	s.depth = 0
	for {
		t, ok := s.next()
		if !ok {
			s.add(tokens)
			return false
		}
		if t.Kind == Symbol && t.Text == ";" && t.Depth == 0 && body == 0 {
			s.add(tokens)
			return true
		}
		if s.dialect == PostgreSQL {
			body += s.atomic(tokens, t, body)
		} else {
			body += compound(tokens, t, body)
		}
		tokens = append(tokens, t)
		if t.Kind == Backslash && startsLine(s.text, t.Start) {
			s.at = endOfLine(s.text, s.at) // a command of psql ends with its line
			tokens[len(tokens)-1].End = s.at
			s.add(tokens)
			return true
		}
	}
}

// atomic follows the SQL-standard body of a function, whose semicolons do not end it.
func (s *splitter) atomic(before []Token, t Token, body int) int {
	switch {
	case t.Kind != Word:
	case t.Text == "atomic" && len(before) > 0 && before[len(before)-1].is("begin") && before[0].is("create"):
		return 1
	case body > 0 && t.Text == "case":
		return 1
	case body > 0 && t.Text == "end":
		return -1
	}
	return 0
}

func (t Token) is(word string) bool { return t.Kind == Word && t.Text == word }

// add keeps what is not empty.
func (s *splitter) add(tokens []Token) {
	if len(tokens) == 0 {
		return
	}
	start, end := tokens[0].Start, tokens[len(tokens)-1].End
	st := Statement{Text: s.text[start:end], Start: start, End: end, Tokens: tokens, Unterminated: s.unterminated}
	st.Line, st.Column = s.lines.of(start)
	st.EndLine, _ = s.lines.of(end)
	if st.Is("copy") && slices.ContainsFunc(tokens, func(t Token) bool { return t.is("stdin") }) {
		st.Data = true
		from := min(endOfLine(s.text, s.at)+1, len(s.text))
		s.at = endOfData(s.text, s.at)
		st.Rows = strings.TrimSuffix(s.text[from:max(from, s.at)], "\\.")
	}
	s.all = append(s.all, st)
}

// endOfData is behind the line "\." that ends the rows of a COPY.
func endOfData(text string, from int) int {
	at := strings.Index(text[from:], "\n\\.")
	if at < 0 {
		return len(text)
	}
	return endOfLine(text, from+at+1)
}

func startsLine(text string, at int) bool {
	line := text[strings.LastIndexByte(text[:at], '\n')+1 : at]
	return strings.TrimSpace(line) == ""
}

func endOfLine(text string, from int) int {
	if at := strings.IndexByte(text[from:], '\n'); at >= 0 {
		return from + at
	}
	return len(text)
}

// attachComments gives every comment to the statement it stands before or in; to the one
// whose last line it ends; or to the last one.
func (s *splitter) attachComments() {
	if len(s.all) == 0 {
		return
	}
	for _, c := range s.comments {
		line, _ := s.lines.of(c.start)
		at, _ := slices.BinarySearchFunc(s.all, c.start, func(st Statement, start int) int { return st.End - start })
		if at == len(s.all) || at > 0 && s.all[at-1].EndLine == line && s.all[at].Start > c.start {
			at--
		}
		s.all[at].Comments = append(s.all[at].Comments, Comment{Text: strings.TrimSpace(c.text), Line: line})
	}
}

// LineAt is the line of an offset into the statement's text, which the server counts in
// characters from 1; 0 is the first line.
func (s Statement) LineAt(position int) int {
	if position <= 0 || s.elsewhere {
		return s.Line
	}
	runes := []rune(s.Text)
	return s.Line + strings.Count(string(runes[:min(position-1, len(runes))]), "\n")
}

// At says on which lines of a program a statement is that does not stand in a file of SQL.
// 0 is not known.
func (s *Statement) At(first, last int) {
	s.Line, s.EndLine, s.elsewhere = first, last, true
}

// Is tells whether the statement begins with these words.
func (s Statement) Is(words ...string) bool {
	if len(s.Tokens) < len(words) {
		return false
	}
	for i, w := range words {
		if !s.Tokens[i].is(w) {
			return false
		}
	}
	return true
}

// Has tells whether the words stand one after the other somewhere outside of
// parentheses.
func (s Statement) Has(words ...string) bool {
	for i := range s.Tokens {
		if i+len(words) > len(s.Tokens) {
			return false
		}
		found := true
		for j, w := range words {
			found = found && s.Tokens[i+j].is(w) && s.Tokens[i+j].Depth == 0
		}
		if found {
			return true
		}
	}
	return false
}

// IsPsql tells a command that only psql knows.
func (s Statement) IsPsql() bool {
	return slices.ContainsFunc(s.Tokens, func(t Token) bool { return t.Kind == Backslash })
}

// Begins tells a statement that opens a transaction.
func (s Statement) Begins() bool { return s.Is("begin") || s.Is("start", "transaction") }

// Ends tells a statement that closes one. ROLLBACK TO a savepoint does not.
func (s Statement) Ends() bool {
	return s.Is("commit") && !s.Is("commit", "prepared") || s.Is("end") || s.Is("abort") ||
		s.Is("rollback") && !s.Has("to") && !s.Is("rollback", "prepared")
}

// Concurrently tells the forms that cannot run inside a transaction and do not block.
func (s Statement) Concurrently() bool {
	return (s.Is("create") || s.Is("drop") || s.Is("reindex") || s.Is("alter", "table")) && s.Has("concurrently") ||
		s.Is("reindex") && slices.ContainsFunc(s.Tokens, func(t Token) bool { return t.is("concurrently") })
}

// OutsideTransactions tells statements that PostgreSQL refuses inside of one.
func (s Statement) OutsideTransactions() bool {
	refresh := s.Is("refresh") // its concurrent form does not mind
	return s.Concurrently() && !refresh || s.Is("vacuum") || s.Is("create", "database") || s.Is("drop", "database") ||
		s.Is("alter", "system") || s.Is("create", "tablespace") || s.Is("create", "subscription")
}

// ChangesData tells statements that write rows and no schema.
func (s Statement) ChangesData() bool {
	if s.Is("with") {
		return s.Has("insert", "into") || s.Has("update") || s.Has("delete", "from") || s.Has("merge", "into")
	}
	return s.Is("insert") || s.Is("update") || s.Is("delete") || s.Is("merge")
}

// Words is the statement without comments and white space, in one case where case does
// not matter: two texts with the same words do the same.
func Words(text string) string { return PostgreSQL.Words(text) }

// Words is the same for another dialect.
func (d Dialect) Words(text string) string {
	var b strings.Builder
	for _, s := range d.Split(text) {
		for _, t := range s.Tokens {
			b.WriteString(t.Text)
			b.WriteByte(byte(t.Kind))
		}
		b.WriteByte(';')
	}
	return b.String()
}

// lines are the offsets at which lines begin.
type lines []int

func newLines(text string) lines {
	l := lines{0}
	for i := range len(text) {
		if text[i] == '\n' {
			l = append(l, i+1)
		}
	}
	return l
}

// of is the line and column, both from 1, of an offset.
func (l lines) of(offset int) (line, column int) {
	at, found := slices.BinarySearch(l, offset)
	if !found {
		at--
	}
	return at + 1, offset - l[at] + 1
}

// LineOf is the line on which a name stands for the first time, in one of possibly many
// parts of the statement; where it does not, the first line.
func (s Statement) LineOf(name string) int {
	if s.elsewhere {
		return s.Line
	}
	for _, t := range s.Tokens {
		if (t.Kind == Word || t.Kind == Name) && (t.Text == name || t.Kind == Word && t.Text == strings.ToLower(name)) {
			return s.Line + strings.Count(s.Text[:t.Start-s.Start], "\n")
		}
	}
	return s.Line
}
