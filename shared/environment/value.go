package environment

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"bitbucket.org/fearless/pipes/shared/settings"
)

// value is one value of the file and the name that messages give it.
type value struct {
	doc  *document
	name string // roles.web.min
	node ast.Node
	at   place
}

func (v value) problemf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if v.name != "" {
		text = v.name + ": " + text
	}
	v.doc.problemf(v.at, "%s", text)
}

func (v value) wrong(expected string) {
	v.problemf("%s, expected %s", describe(v.node), expected)
}

// describe names a node in the words of people who write YAML.
func describe(node ast.Node) string {
	switch n := node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a table of keys"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "no value"
	case *ast.AliasNode:
		return "an alias (what starts with * must stand in quotes)"
	case *ast.AnchorNode:
		return "an anchor (what starts with & must stand in quotes)"
	case *ast.TagNode:
		return "a tag (what starts with ! must stand in quotes)"
	case *ast.StringNode:
		return fmt.Sprintf("the text %q", short(n.Value))
	case *ast.LiteralNode:
		return "a text of several lines"
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return short(node.GetToken().Value)
	}
	return "something else"
}

// text is a string. Numbers and booleans are not taken for one: an instance
// type 4 or a command true is a slip.
func (v value) text() (string, bool) {
	switch n := v.node.(type) {
	case *ast.StringNode:
		if strings.TrimSpace(n.Value) != "" {
			return v.printable(n.Value)
		}
		v.problemf("is empty")
		return "", false
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
		v.wrong("text; put it in quotes if it is meant so")
		return "", false
	}
	v.wrong("text")
	return "", false
}

func (v value) printable(s string) (string, bool) {
	for _, r := range s {
		if !strconv.IsPrint(r) {
			v.problemf("contains the character %U, which does not belong here", r)
			return "", false
		}
	}
	return s, true
}

// match is a text of a form that the message describes.
func (v value) match(form *regexp.Regexp, expected string) (string, bool) {
	s, ok := v.text()
	if ok && !form.MatchString(s) {
		v.problemf("%q is not %s", short(s), expected)
		return "", false
	}
	return s, ok
}

func (v value) boolean() bool {
	if n, ok := v.node.(*ast.BoolNode); ok {
		return n.Value
	}
	v.wrong("true or false")
	return false
}

// number is a whole number within bounds; the lower bound when it is not.
func (v value) number(low, high int) (int, bool) {
	n, ok := v.node.(*ast.IntegerNode)
	if !ok {
		v.wrong("a whole number")
		return low, false
	}
	number, err := strconv.Atoi(fmt.Sprint(n.Value))
	switch {
	case err == nil && number >= low && number <= high:
		return number, true
	case low == high:
		v.problemf("%s is not possible, only %d is", short(n.Token.Value), low)
	default:
		v.problemf("%s is not within %d and %d", short(n.Token.Value), low, high)
	}
	return low, false
}

// duration is a span such as 90s within bounds, in whole seconds.
func (v value) duration(low, high time.Duration) (time.Duration, bool) {
	var s string
	switch n := v.node.(type) {
	case *ast.StringNode:
		s = n.Value
	case *ast.IntegerNode:
		v.problemf("%s has no unit, write for example %ss or %sm", n.Token.Value, n.Token.Value, n.Token.Value)
		return 0, false
	default:
		v.wrong("a duration such as 90s or 10m")
		return 0, false
	}
	var d settings.Duration
	if err := d.Decode(s); err != nil {
		v.problemf("%q %v, expected for example 90s or 10m", short(s), err)
		return 0, false
	}
	if d.Std() < low || d.Std() > high || d.Std()%time.Second != 0 {
		v.problemf("%s is not within %s and %s", d, settings.Duration(low), settings.Duration(high))
		return 0, false
	}
	return d.Std(), true
}

// list is a list of at least one value; a lone value is not taken for a list.
func (v value) list(most int) []value {
	n, ok := v.node.(*ast.SequenceNode)
	if !ok {
		v.wrong("a list such as [a, b]")
		return nil
	}
	switch {
	case len(n.Values) == 0:
		v.problemf("an empty list, leave it out")
		return nil
	case len(n.Values) > most:
		v.problemf("%d values, at most %d are allowed", len(n.Values), most)
		return nil
	}
	var items []value
	for i, node := range n.Values {
		node = rejoin(node)
		items = append(items, value{doc: v.doc, name: fmt.Sprintf("%s[%d]", v.name, i), at: begin(node), node: node})
	}
	return items
}

// rejoin mends what the parser does to a:b in a list within braces: it takes
// it for a table, but without a space behind the colon it is a text.
func rejoin(node ast.Node) ast.Node {
	table, ok := node.(ast.MapNode)
	if !ok || node.GetToken() == nil || node.GetToken().Type == token.MappingStartType {
		return node
	}
	rows := table.MapRange()
	if !rows.Next() {
		return node
	}
	row := rows.KeyValue()
	if rows.Next() || row.Key == nil || row.Value == nil || row.Start == nil {
		return node
	}
	key, last := row.Key.GetToken(), row.Value.GetToken()
	if key == nil || last == nil || at(last) != (place{at(row.Start).line, at(row.Start).column + 1}) {
		return node
	}
	if _, scalar := row.Value.(ast.ScalarNode); !scalar || row.Value.Type() == ast.NullType {
		return node
	}
	whole := token.String(key.Value+":"+last.Value, key.Value+":"+last.Value, key.Position)
	return ast.String(whole)
}

// texts is a list of different texts of one form.
func (v value) texts(form *regexp.Regexp, expected string, most int) []string {
	var all []string
	for _, item := range v.list(most) {
		s, ok := item.match(form, expected)
		switch {
		case !ok:
		case slices.Contains(all, s):
			item.problemf("%q is there twice", s)
		default:
			all = append(all, s)
		}
	}
	return all
}

// oneOf is one of a few words.
func (v value) oneOf(words ...string) (string, bool) {
	s, ok := v.text()
	if !ok || slices.Contains(words, s) {
		return s, ok
	}
	v.problemf("%q is not one of %s%s", short(s), strings.Join(words, ", "), didYouMean(s, words))
	return "", false
}

// short keeps a strange value from filling the log.
func short(s string) string {
	const limit = 60
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}

// scalar reports whether the value is a single text.
func (v value) scalar() bool { _, ok := v.node.(*ast.StringNode); return ok }
