package console

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// shortest is the length below which a value is not masked: it would be found
// in every other word, and is no secret.
const shortest = 4

// hidden stands for a secret.
const hidden = "***"

// masks knows the texts that must not be shown.
type masks struct {
	mu    sync.RWMutex
	forms []string
}

// Mask hides values in all later output: as they are, URL-encoded, in base64
// (also inside a longer text, as in a Basic authorization), escaped as in
// JSON, and written on one line. A value of several lines is also masked line
// by line. Values of fewer than 4 bytes are ignored, and values that
// arrive in pieces in several calls are not recognised.
func (c *Console) Mask(values ...string) { c.masks.add(values...) }

// Masker is the same filter for text that goes elsewhere: reports, comments.
// It knows values that are masked later, too.
func (c *Console) Masker() func(string) string { return c.masks.apply }

func (m *masks) add(values ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, value := range values {
		for _, whole := range []string{value, strings.TrimSpace(value), sanitize(value)} {
			m.forms = append(m.forms, formsOf(whole)...)
		}
		for line := range strings.Lines(value) {
			m.forms = append(m.forms, formsOf(strings.TrimSpace(line))...)
		}
	}
	m.forms = slices.DeleteFunc(m.forms, func(f string) bool { return len(f) < shortest })
	slices.Sort(m.forms)
	m.forms = slices.Compact(m.forms)
}

// formsOf lists the spellings of a value that logs are known to show.
func formsOf(value string) []string {
	if len(value) < shortest {
		return nil
	}
	forms := []string{value, url.QueryEscape(value), url.PathEscape(value)}
	forms = append(forms, lowerHex(forms[1]), lowerHex(forms[2]))
	forms = append(forms, base64Forms(value)...)
	forms = append(forms, jsonForms(value)...)
	if strings.ContainsAny(value, "\r\n") {
		one := strings.ReplaceAll(value, "\r\n", "\n")
		for _, between := range []string{" ", "", ","} {
			forms = append(forms, strings.ReplaceAll(one, "\n", between))
		}
	}
	return forms
}

// lowerHex is the other spelling of %2F.
func lowerHex(escaped string) string {
	b := []byte(escaped)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(string(b[i+1:i+3])))
			i += 2
		}
	}
	return string(b)
}

// base64Forms encodes the value by itself and as a part of something longer:
// three bytes become four letters, so there are three ways it can lie. The
// letters at its ends depend on its neighbours and are left out.
func base64Forms(value string) []string {
	var forms []string
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		forms = append(forms, encoding.EncodeToString([]byte(value)))
		for before := range 3 {
			text := encoding.EncodeToString([]byte(strings.Repeat("\x00", before) + value))
			from := (before*8 + 5) / 6
			to := (before + len(value)) * 8 / 6
			if inner := text[from:to]; len(inner) >= 2*shortest {
				forms = append(forms, inner)
			}
		}
	}
	return forms
}

// jsonForms escapes as encoding/json does by default and as everybody else.
func jsonForms(value string) []string {
	var b strings.Builder
	plain := json.NewEncoder(&b)
	plain.SetEscapeHTML(false)
	_ = plain.Encode(value) // a string cannot fail
	escaped, _ := json.Marshal(value)
	return []string{unquoted(strings.TrimSuffix(b.String(), "\n")), unquoted(string(escaped))}
}

// unquoted takes the outer quotes off, and only those.
func unquoted(text string) string { return text[1 : len(text)-1] }

var colours = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("\x1b\\[[0-9;:]*m") })

// apply hides the secrets of a text. A secret with a colour in it is found by
// looking at the text without colours, which it then loses.
func (m *masks) apply(text string) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	masked := m.hide(text)
	if len(m.forms) > 0 && strings.Contains(text, "\x1b[") {
		plain := m.hide(colours().ReplaceAllString(text, ""))
		if plain != colours().ReplaceAllString(masked, "") {
			return plain
		}
	}
	return masked
}

// hide replaces every stretch of text that any form covers. Forms overlap
// (one secret may end as another begins), so they are not simply replaced one
// after the other: that would leave the rest of the second one readable.
func (m *masks) hide(text string) string {
	var spans [][2]int
	for _, form := range m.forms {
		for from := 0; ; {
			at := strings.Index(text[from:], form)
			if at < 0 {
				break
			}
			spans = append(spans, [2]int{from + at, from + at + len(form)})
			from += at + 1
		}
	}
	if len(spans) == 0 {
		return text
	}
	slices.SortFunc(spans, func(a, b [2]int) int { return a[0] - b[0] })
	var b strings.Builder
	end := 0
	for i, s := range spans {
		if i == 0 || s[0] > end {
			b.WriteString(text[end:s[0]] + hidden)
		}
		end = max(end, s[1])
	}
	return b.String() + text[end:]
}
