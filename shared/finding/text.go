package finding

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tabWidth is the distance of tab stops in excerpts.
const tabWidth = 4

// cell is one character as the log shows it.
type cell struct {
	text  string
	width int // columns
	at    int // offset of its first byte in the line
}

// cells takes a line apart. Every byte that is not UTF-8, and every control
// character, becomes something that can be seen: a linter that complains about
// one is of little use when the log hides it, and a terminal must not obey it.
func cells(line string) []cell {
	cells := make([]cell, 0, len(line))
	column := 0
	for at, r := range line {
		c := cell{text: string(r), width: 1, at: at}
		switch {
		case r == utf8.RuneError:
			c.text = string(utf8.RuneError)
		case r == '\t':
			c.width = tabWidth - column%tabWidth
			c.text = strings.Repeat(" ", c.width)
		case r < ' ':
			c.text = string('\u2400' + r) // the symbol for this control character
		case r == 0x7f:
			c.text = "\u2421"
		case reorders(r), r >= 0x80 && r < 0xa0, r == '\u2028', r == '\u2029':
			c.text = fmt.Sprintf("<U+%04X>", r)
			c.width = len(c.text)
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
			c.width = 0
		case wide(r):
			c.width = 2
		}
		column += c.width
		cells = append(cells, c)
	}
	return cells
}

// reorders tells the characters that make code read otherwise than it is
// compiled: the marks, embeddings and isolates of bidirectional text.
func reorders(r rune) bool {
	return r == '\u200e' || r == '\u200f' || r == '\u061c' || (r >= '\u202a' && r <= '\u202e') || (r >= '\u2066' && r <= '\u2069')
}

// wide tells the characters that take two columns: the scripts of East Asia,
// their full-width forms, and pictures.
func wide(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana) ||
		(r >= 0x3000 && r <= 0x303e) || (r >= 0xff01 && r <= 0xff60) || (r >= 0x1f300 && r <= 0x1faff)
}

// visible is a text on one line, with nothing in it that a terminal obeys.
func visible(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f }) < 0 {
		return text
	}
	var b strings.Builder
	for _, c := range cells(strings.TrimRight(text, "\r\n")) {
		b.WriteString(c.text)
	}
	return b.String()
}

// shortened cuts a text to a number of characters.
func shortened(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// excerpt is a line of source without its indentation, and the column in it of
// the byte at offset, -1 when there is none. Of a line that is wider than most
// columns only the part around the offset stays.
func excerpt(line string, offset, most int) (text string, caret int) {
	line = strings.TrimRight(line, "\r\n\t ")
	line, offset, before, after := near(line, offset, 8*most)
	all := cells(line)
	for len(all) > 0 && strings.TrimSpace(all[0].text) == "" && all[0].at != offset {
		all = all[1:]
	}
	target := len(all) // of the caret; behind the end is a place, too
	for i, c := range all {
		if c.at <= offset {
			target = i
		}
	}
	if offset == len(line) {
		target = len(all)
	}
	first, end := window(all, target, most)
	before, after = before || first > 0, after || end < len(all)

	var b strings.Builder
	column := 0
	if before {
		b.WriteString("…")
		column++
	}
	caret = -1
	for i := first; i <= end; i++ {
		if i == target && offset >= 0 && offset <= len(line) {
			caret = column
		}
		if i < end {
			b.WriteString(all[i].text)
			column += all[i].width
		}
	}
	if after {
		b.WriteString("…")
	}
	return b.String(), caret
}

// near takes the bytes around an offset out of a line that is much too long,
// so that nobody has to look at all of it. It cuts between characters.
func near(line string, offset, reach int) (cut string, at int, before, after bool) {
	from, to := 0, len(line)
	if offset > reach && offset <= len(line) {
		from = offset - reach
		for from < offset && !utf8.RuneStart(line[from]) {
			from++
		}
	}
	if centre := max(from, offset); centre <= len(line) && len(line)-centre > reach {
		to = centre + reach
		for to > centre && !utf8.RuneStart(line[to]) {
			to--
		}
	}
	if offset > len(line) {
		to = min(to, reach) // the column is wrong: the start of the line it is
		for to > 0 && to < len(line) && !utf8.RuneStart(line[to]) {
			to--
		}
		return line[:to], len(line) + 1, false, to < len(line)
	}
	return line[from:to], offset - from, from > 0, to < len(line)
}

// window chooses cells of at most so many columns with the target in their
// middle, or as near to it as the ends of the line allow.
func window(all []cell, target, most int) (first, end int) {
	width := 0
	for _, c := range all {
		width += c.width
	}
	if width <= most {
		return 0, len(all)
	}
	if target >= len(all) {
		target = len(all) - 1
	}
	first, end, width = target, target+1, all[target].width
	for grown := true; grown; {
		grown = false
		if end < len(all) && width+all[end].width <= most {
			width += all[end].width
			end, grown = end+1, true
		}
		// One step more to the right than to the left: what follows explains more.
		if end < len(all) && width+all[end].width <= most {
			width += all[end].width
			end, grown = end+1, true
		}
		if first > 0 && width+all[first-1].width <= most {
			first--
			width, grown = width+all[first].width, true
		}
	}
	return first, end
}
