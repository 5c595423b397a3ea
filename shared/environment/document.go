package environment

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	yaml "github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// maxSize is far above any real environment file; what is larger is another file.
const maxSize = 64 << 10

// place is where something stands in the file, counted from 1.
type place struct{ line, column int }

func at(tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return place{1, 1}
	}
	return place{max(tk.Position.Line, 1), max(tk.Position.Column, 1)}
}

// begin is where a node begins; the parser puts a table at its first colon.
func begin(node ast.Node) place {
	if node == nil {
		return place{1, 1}
	}
	if m, ok := node.(ast.MapNode); ok && node.GetToken() != nil && node.GetToken().Type != token.MappingStartType {
		if rows := m.MapRange(); rows.Next() && rows.KeyValue().Key != nil {
			return at(rows.KeyValue().Key.GetToken())
		}
	}
	return at(node.GetToken())
}

type problem struct {
	place
	text string
}

// document collects what is wrong with a file, so that one run tells it all.
type document struct {
	name     string
	problems []problem
}

func (d *document) problemf(at place, format string, args ...any) {
	d.problems = append(d.problems, problem{at, fmt.Sprintf(format, args...)})
}

// err is all problems in the order of the file, one per line.
func (d *document) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b problem) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return a.column - b.column
	})
	lines := make([]string, len(d.problems))
	for i, p := range d.problems {
		lines[i] = fmt.Sprintf("%s:%d:%d: %s", d.name, p.line, p.column, p.text)
	}
	return exit.Invalidf("%s", strings.Join(slices.Compact(lines), "\n"))
}

// parse reads YAML and gives the one table that it must be; nil when it is not.
func (d *document) parse(data []byte) *value {
	text := strings.TrimPrefix(string(data), "\ufeff")
	switch {
	case len(data) > maxSize:
		d.problemf(place{1, 1}, "larger than %d KB, this is no environment file", maxSize>>10)
		return nil
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		d.problemf(place{1, 1}, "not a text file in UTF-8")
		return nil
	}
	file, err := parseYAML(text)
	if err != nil {
		d.syntax(err)
		return nil
	}
	return d.body(file)
}

// body is the content of the only document in the file.
func (d *document) body(file *ast.File) *value {
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentGroupType:
		case doc.Body.Type() == ast.DirectiveType:
			d.problemf(begin(doc.Body), "directives (%%…) are not understood")
			return nil
		case body != nil:
			d.problemf(begin(doc.Body), "a second document, an environment is one")
			return nil
		default:
			body = doc.Body
		}
	}
	if body == nil {
		d.problemf(place{1, 1}, "the file is empty, at least roles are needed")
		return nil
	}
	return &value{doc: d, node: body, at: begin(body)}
}

// parseYAML keeps a bug of the parser from ending the pipe: it has panicked on
// broken input in earlier versions, and a file is input.
func parseYAML(text string) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	// Keys that occur twice are found later, with all other problems.
	return parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
}

func (d *document) syntax(err error) {
	var known *yaml.SyntaxError
	if !errors.As(err, &known) {
		d.problemf(place{1, 1}, "not valid YAML: %s", firstLine(err.Error()))
		return
	}
	message := firstLine(known.Message)
	if strings.ContainsRune(message, '\t') {
		message = "a tab, but YAML is indented with spaces"
	}
	d.problemf(at(known.Token), "not valid YAML: %s", message)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
