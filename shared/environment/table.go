package environment

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"bitbucket.org/fearless/pipes/shared/settings"
)

// table is a mapping of the file whose keys have been checked.
type table struct {
	value
	keys   []string // in the order of the file
	values map[string]value
}

// table reads a mapping that may have the given keys and no others. A key
// without a value (`web:` and nothing below) is an empty table.
func (v value) table(known ...string) table {
	t := v.entries()
	if t.values == nil {
		return t
	}
	for _, key := range t.keys {
		if slices.Contains(known, key) {
			continue
		}
		wrong := t.values[key]
		hint := didYouMean(key, known)
		if hint == "" {
			hint = ", expected " + strings.Join(known, ", ")
		}
		wrong.problemf("unknown key%s", hint)
		delete(t.values, key)
	}
	return t
}

// entries reads a mapping whose keys are names that the user chose.
func (v value) entries() table {
	t := table{value: v}
	switch n := v.node.(type) {
	case *ast.NullNode:
		t.values = map[string]value{}
		return t
	case *ast.MappingNode, *ast.MappingValueNode:
		t.values = map[string]value{}
		for rows := n.(ast.MapNode).MapRange(); rows.Next(); {
			t.add(rows.KeyValue())
		}
		return t
	}
	v.wrong("a table of keys")
	return t
}

func (t *table) add(row *ast.MappingValueNode) {
	where := t.value
	if row.Key == nil {
		where.problemf("a value without a key")
		return
	}
	where.at = at(row.Key.GetToken())
	key, ok := row.Key.(*ast.StringNode)
	if !ok {
		where.problemf("%s is not a key, expected a name", describeKey(row.Key))
		return
	}
	name := key.Value
	if t.name != "" {
		name = t.name + "." + short(key.Value)
	}
	if first, twice := t.values[key.Value]; twice {
		where.name = name
		where.problemf("is there twice, first on line %d", first.at.line)
		return
	}
	t.keys = append(t.keys, key.Value)
	t.values[key.Value] = value{doc: t.doc, name: name, at: where.at, node: row.Value}
}

func describeKey(key ast.MapKeyNode) string {
	switch key.Type() {
	case ast.MergeKeyType:
		return "a merge (<<)"
	case ast.NullType:
		return "nothing"
	}
	return describe(key)
}

// get finds a key. The value's place is that of the value itself, where a
// correction belongs; a table and a key without a value are found at the key.
func (t table) get(key string) (value, bool) {
	v, ok := t.values[key]
	if !ok {
		return v, false
	}
	if v.node == nil {
		v.node = ast.Null(nil)
	}
	switch v.node.Type() {
	case ast.NullType, ast.MappingType, ast.MappingValueType:
	default:
		v.at = begin(v.node)
	}
	return v, true
}

// has reports whether a key is there, whatever its value.
func (t table) has(key string) bool { _, ok := t.values[key]; return ok }

// didYouMean proposes the known word that a wrong one is a slip away from: a
// letter, or two in words of five letters and more.
func didYouMean(word string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		slips := 1
		if len(k) >= 5 {
			slips = 2
		}
		if d := settings.Distance(strings.ToLower(word), k); d <= slips && d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return ", did you mean " + best + "?"
}
