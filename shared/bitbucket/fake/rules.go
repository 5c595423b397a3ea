package fake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// decoded reads a body strictly: it is JSON and says so, in valid UTF-8, with
// no field that the API does not have.
func decoded(r *http.Request, into any) error {
	if kind := r.Header.Get("Content-Type"); kind != "application/json" {
		return fmt.Errorf("the content type is %q", kind)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if !utf8.Valid(text) {
		return fmt.Errorf("the body is not UTF-8: %q", text)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if decoder.More() {
		return fmt.Errorf("the body goes on after its end: %s", text)
	}
	return nil
}

// problems collects what is wrong with a body.
type problems []string

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// text checks a field of text: its length in bytes, and that people can read it.
func (p *problems) text(name, value string, most int, required bool) {
	if len(value) > most {
		p.add("%s has %d bytes, at most %d are allowed", name, len(value), most)
	}
	if required && strings.TrimSpace(value) == "" {
		p.add("%s is missing", name)
	}
	if at := strings.IndexFunc(value, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); at >= 0 {
		p.add("%s has a control character: %q", name, value)
	}
}

// oneOf checks a field that takes one of a few words.
func (p *problems) oneOf(name, value string, required bool, words ...string) {
	if value == "" && !required {
		return
	}
	if !slices.Contains(words, value) {
		p.add("%s is %q, not one of %s", name, value, strings.Join(words, ", "))
	}
}

// link checks an address.
func (p *problems) link(name, value string, required bool) {
	if value == "" && !required {
		return
	}
	if u, err := url.Parse(value); err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "http") {
		p.add("%s is no address: %q", name, value)
	}
}

// file checks a path within the repository.
func (p *problems) file(name, value string) {
	if value != "" && (path.IsAbs(value) || path.Clean(value) != value || value == ".." || strings.HasPrefix(value, "../") || strings.Contains(value, "\\")) {
		p.add("%s is not relative to the repository: %q", name, value)
	}
}

// name checks what stands in addresses.
func (p *problems) name(name, value string) {
	if value == "" || strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
		p.add("%s is not made of letters, digits, dots, dashes and underscores: %q", name, value)
	}
}

// bad is the answer to a body with problems.
func (s *Server) bad(c Call, found ...string) reply {
	return refused(http.StatusBadRequest, s.complain("%s: %s", c, strings.Join(found, "; ")))
}
