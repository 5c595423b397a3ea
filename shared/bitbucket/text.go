package bitbucket

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lengths of fields, in bytes. Only that of an annotation's summary is known
// from a client in wide use, the others are the widths that are said of the
// database's columns; what is shorter is never refused.
const (
	longestTitle   = 450
	longestSummary = 450
	longestDetails = 2000
	longestID      = 450
	longestLink    = 2000
	longestKey     = 40
	longestComment = 32_000
)

// cut shortens a text to a number of bytes, between characters.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const mark = "…"
	at := most - len(mark)
	for at > 0 && !utf8.RuneStart(text[at]) {
		at--
	}
	return strings.TrimRight(text[:at], " \n") + mark
}

// clean is a text that may be sent: without secrets, in valid UTF-8, and
// without control characters but tabs and ends of lines.
func (c *Client) clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
	return c.mask(strings.TrimSpace(text))
}

// line is a clean text on one line.
func (c *Client) line(text string, most int) string {
	return cut(strings.Join(strings.Fields(c.clean(text)), " "), most)
}

// link is an address that Bitbucket accepts as one, else nothing.
func (c *Client) link(text string) string {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || len(text) > longestLink {
		return ""
	}
	return c.mask(u.String())
}

// identifier keeps what may stand in an address without being escaped.
func identifier(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == '.' || r == '_' || r == '-' || (r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r))) {
			return r
		}
		return '-'
	}, text)
	return shortKey(text, longestID)
}
