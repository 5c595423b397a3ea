package resource

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Properties are the properties of one resource as a template has them:
// strings, numbers (json.Number), truth values, []any and map[string]any.
type Properties map[string]any

// Reader reads properties by path, such as LaunchTemplate.Version.
func (p Properties) Reader() *Reader {
	return &Reader{value: map[string]any(p), state: &state{used: map[string]bool{}, whole: map[string]any(p)}}
}

// Reader reads properties of the expected types. The first thing that is
// wrong is kept, so that services read straight on and ask Err once.
type Reader struct {
	value map[string]any
	path  string
	state *state
}

// state is what the Readers of one resource, nested ones too, have in common.
type state struct {
	whole map[string]any
	used  map[string]bool // paths of values that were read
	err   error
}

// Fail records what is wrong, unless something was before.
func (r *Reader) Fail(format string, args ...any) {
	if r.state.err == nil {
		r.state.err = fmt.Errorf(format, args...)
	}
}

// Err is what went wrong first.
func (r *Reader) Err() error { return r.state.err }

// Done is what went wrong first, or names a property that nobody read.
func (r *Reader) Done() error {
	if r.state.err != nil {
		return r.state.err
	}
	if left := r.state.unread("", r.state.whole); left != "" {
		return fmt.Errorf("Encountered unsupported property %s", left) //nolint:staticcheck // AWS's text
	}
	return nil
}

// Has tells whether the property is there.
func (r *Reader) Has(path string) bool {
	_, ok := r.find(path)
	return ok
}

// String is a text, a number or a truth value as text; "" when it is not there.
func (r *Reader) String(path string) string {
	value, ok := r.take(path)
	if !ok {
		return ""
	}
	text, ok := Scalar(value)
	if !ok {
		r.mistyped(path, "String")
	}
	return text
}

// Need is a String that must be there.
func (r *Reader) Need(path string) string {
	text := r.String(path)
	if text == "" {
		r.Fail("Property %s cannot be empty.", r.path+path)
	}
	return text
}

// Int is a number, or text that is one; fallback when it is not there.
func (r *Reader) Int(path string, fallback int) int {
	value, ok := r.take(path)
	if !ok {
		return fallback
	}
	text, _ := Scalar(value)
	n, err := strconv.Atoi(text)
	if err != nil {
		r.mistyped(path, "Integer")
		return fallback
	}
	return n
}

// Bool is a truth value, or text that is one; fallback when it is not there.
func (r *Reader) Bool(path string, fallback bool) bool {
	value, ok := r.take(path)
	if !ok {
		return fallback
	}
	switch text, _ := Scalar(value); text {
	case "true":
		return true
	case "false":
		return false
	}
	r.mistyped(path, "Boolean")
	return fallback
}

// OneOf is one of the values that are understood; the first is the fallback.
func (r *Reader) OneOf(path string, allowed ...string) string {
	if !r.Has(path) {
		return allowed[0]
	}
	text := r.String(path)
	if !slices.Contains(allowed, text) {
		r.Fail("Value (%s) of property %s is invalid. The local cloud knows %s.", text, r.path+path, strings.Join(allowed, ", "))
	}
	return text
}

// Strings is a list of texts.
func (r *Reader) Strings(path string) []string {
	var texts []string
	for n, value := range r.list(path) {
		text, ok := Scalar(value)
		if !ok {
			r.mistyped(fmt.Sprintf("%s.%d", path, n), "String")
		}
		texts = append(texts, text)
	}
	return texts
}

// List is a list of structures.
func (r *Reader) List(path string) []*Reader {
	var parts []*Reader
	for n, value := range r.list(path) {
		at := fmt.Sprintf("%s.%d", path, n)
		part, ok := value.(map[string]any)
		if !ok {
			r.mistyped(at, "Object")
		}
		r.state.used[r.path+at] = true
		parts = append(parts, r.sub(at, part))
	}
	return parts
}

// Map is a structure; an empty one when it is not there.
func (r *Reader) Map(path string) *Reader {
	value, ok := r.find(path)
	part, isMap := value.(map[string]any)
	if ok && !isMap {
		r.take(path)
		r.mistyped(path, "Object")
	}
	return r.sub(path, part)
}

// Document is a value as it is, such as a policy; nil when it is not there.
func (r *Reader) Document(path string) any {
	value, _ := r.take(path)
	return value
}

// Tags is a list of Key and Value.
func (r *Reader) Tags(path string) map[string]string {
	tags := map[string]string{}
	for _, tag := range r.List(path) {
		tags[tag.Need("Key")] = tag.String("Value")
	}
	return tags
}

func (r *Reader) sub(path string, part map[string]any) *Reader {
	return &Reader{value: part, path: r.path + path + ".", state: r.state}
}

func (r *Reader) list(path string) []any {
	value, ok := r.take(path)
	if !ok {
		return nil
	}
	items, ok := value.([]any)
	if !ok {
		r.mistyped(path, "List")
	}
	return items
}

func (r *Reader) mistyped(path, kind string) {
	r.Fail("Value of property %s must be of type %s", r.path+path, kind)
}

func (r *Reader) take(path string) (any, bool) {
	value, ok := r.find(path)
	if ok {
		r.state.used[r.path+path] = true
	}
	return value, ok
}

func (r *Reader) find(path string) (any, bool) {
	var value any = r.value
	for name := range strings.SplitSeq(path, ".") {
		part, _ := value.(map[string]any)
		inner, ok := part[name]
		if !ok || inner == nil {
			return nil, false
		}
		value = inner
	}
	return value, true
}

// unread is the path of a value that nobody asked for, "" when all were. What
// was taken as a Document counts as read with all that is in it.
func (s *state) unread(prefix string, part map[string]any) string {
	for _, name := range slices.Sorted(maps.Keys(part)) {
		path := prefix + name
		if left := s.unreadValue(path, part[name]); left != "" {
			return left
		}
	}
	return ""
}

func (s *state) unreadValue(path string, value any) string {
	switch value := value.(type) {
	case map[string]any:
		if s.used[path] {
			return ""
		}
		return s.unread(path+".", value)
	case []any:
		if !s.used[path] {
			return path
		}
		for n, item := range value {
			at := fmt.Sprintf("%s.%d", path, n)
			if inner, ok := item.(map[string]any); ok && s.used[at] {
				if left := s.unread(at+".", inner); left != "" {
					return left
				}
			}
		}
	case nil:
	default:
		if !s.used[path] {
			return path
		}
	}
	return ""
}

// Scalar is a text, number or truth value as text.
func Scalar(value any) (text string, ok bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case bool:
		return strconv.FormatBool(value), true
	case json.Number:
		return value.String(), true
	case int:
		return strconv.Itoa(value), true
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64), true
	}
	return "", false
}
