package cloudformation

import (
	"maps"
	"slices"
	"strings"
)

// functionNames are the functions that the engine knows. The last ones stand
// in conditions only.
var functionNames = []string{
	"Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::Select", "Fn::If", "Fn::Base64", "Fn::GetAZs", "Fn::ImportValue",
	"Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or",
}

// reference is a Ref (attribute "") or a Fn::GetAtt.
type reference struct{ logical, attribute string }

// entity is the reference as change sets name it.
func (r reference) entity() string {
	if r.attribute == "" {
		return r.logical
	}
	return r.logical + "." + r.attribute
}

// function takes a value apart that is a call: an object with one key, the
// function's name.
func function(value map[string]any) (name string, argument any, ok bool) {
	if len(value) != 1 {
		return "", nil, false
	}
	for name, argument := range value {
		if name == "Ref" || strings.HasPrefix(name, "Fn::") {
			return name, argument, true
		}
	}
	return "", nil, false
}

// walk visits every call in a value, the outer before the inner.
func walk(value any, visit func(name string, argument any)) {
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			walk(item, visit)
		}
	case map[string]any:
		if name, argument, ok := function(value); ok {
			visit(name, argument)
			walk(argument, visit)
			return
		}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			walk(value[key], visit)
		}
	}
}

// references are all references in a value, in order.
func references(value any) []reference {
	var found []reference
	walk(value, func(name string, argument any) {
		for _, r := range referencesOf(name, argument) {
			if !slices.Contains(found, r) {
				found = append(found, r)
			}
		}
	})
	return found
}

// referencesOf are the references that one call makes by itself.
func referencesOf(name string, argument any) []reference {
	switch name {
	case "Ref":
		logical, _ := argument.(string)
		return []reference{{logical: logical}}
	case "Fn::GetAtt":
		return []reference{attributeOf(argument)}
	case "Fn::Sub":
		text, variables := substitution(argument)
		var found []reference
		for _, part := range split(text) {
			if _, own := variables[part.name]; part.name != "" && !own {
				found = append(found, part.reference())
			}
		}
		return found
	}
	return nil
}

// attributeOf reads ["Logical", "Attribute"] or "Logical.Attribute".
func attributeOf(argument any) reference {
	if text, ok := argument.(string); ok {
		logical, attribute, _ := strings.Cut(text, ".")
		return reference{logical, attribute}
	}
	if list, ok := argument.([]any); ok && len(list) == 2 {
		logical, _ := list[0].(string)
		attribute, _ := list[1].(string)
		return reference{logical, attribute}
	}
	return reference{}
}

// substitution reads the argument of Fn::Sub.
func substitution(argument any) (text string, variables map[string]any) {
	if list, ok := argument.([]any); ok && len(list) == 2 {
		variables, _ = list[1].(map[string]any)
		argument = list[0]
	}
	text, _ = argument.(string)
	return text, variables
}

// piece is a part of a text with ${Names}: literal text, or a name.
type piece struct{ literal, name string }

func (p piece) reference() reference {
	logical, attribute, _ := strings.Cut(p.name, ".")
	return reference{logical, attribute}
}

// split takes such a text apart. ${!Name} is the literal ${Name}.
func split(text string) []piece {
	var pieces []piece
	for {
		before, rest, found := strings.Cut(text, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return append(pieces, piece{literal: text})
		}
		pieces = append(pieces, piece{literal: before})
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			pieces = append(pieces, piece{literal: "${" + literal + "}"})
		} else {
			pieces = append(pieces, piece{name: strings.TrimSpace(name)})
		}
		text = after
	}
}
