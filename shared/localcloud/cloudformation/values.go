package cloudformation

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

// scope is what the functions of a template are worked out against.
//
// It is used twice. When a change set is made there are no resources, and
// what needs one stays as it is: two versions of a template are compared in
// that form. When a resource is made everything it refers to exists.
type scope struct {
	parameters map[string]any // pseudo parameters too
	conditions map[string]bool
	zones      []string
	imported   func(name string) (string, bool)

	// resource is nil while resources are unknown.
	resource func(r reference) (any, error)

	// dynamic resolves {{resolve:…}}; nil leaves it as it is.
	dynamic func(text string) (string, error)
}

// nothing is the value of AWS::NoValue: the property is left out.
type nothing struct{}

// eval works out what can be.
func (s *scope) eval(value any) (any, error) {
	switch value := value.(type) {
	case []any:
		return s.list(value)
	case map[string]any:
		if name, argument, ok := function(value); ok {
			return s.call(name, argument)
		}
		out := make(map[string]any, len(value))
		for _, key := range slices.Sorted(maps.Keys(value)) {
			inner, err := s.eval(value[key])
			if err != nil {
				return nil, err
			}
			if !isNothing(inner) {
				out[key] = inner
			}
		}
		return out, nil
	case string:
		if s.dynamic != nil && strings.Contains(value, "{{resolve:") {
			return s.dynamic(value)
		}
	}
	return value, nil
}

func (s *scope) list(values []any) ([]any, error) {
	out := make([]any, 0, len(values))
	for _, value := range values {
		inner, err := s.eval(value)
		if err != nil {
			return nil, err
		}
		if !isNothing(inner) {
			out = append(out, inner)
		}
	}
	return out, nil
}

func isNothing(value any) bool {
	_, ok := value.(nothing)
	return ok
}

func (s *scope) call(name string, argument any) (any, error) {
	switch name {
	case "Ref":
		logical, _ := argument.(string)
		return s.refer(reference{logical: logical})
	case "Fn::GetAtt":
		return s.refer(attributeOf(argument))
	case "Fn::Sub":
		return s.substitute(argument)
	case "Fn::If":
		return s.choose(argument)
	case "Fn::Join":
		return s.join(argument)
	case "Fn::Select":
		return s.pick(argument)
	case "Fn::Base64", "Fn::ImportValue":
		return s.convert(name, argument)
	case "Fn::GetAZs":
		return s.zonesOf(argument)
	}
	return nil, invalid("Template error: %s cannot be used here", name)
}

// refer is the value of a Ref or Fn::GetAtt, or the call itself while
// resources are unknown.
func (s *scope) refer(r reference) (any, error) {
	if value, ok := s.parameters[r.logical]; ok && r.attribute == "" {
		return value, nil
	}
	if s.resource != nil {
		return s.resource(r)
	}
	if r.attribute == "" {
		return map[string]any{"Ref": r.logical}, nil
	}
	return map[string]any{"Fn::GetAtt": []any{r.logical, r.attribute}}, nil
}

// substitute turns Fn::Sub into Fn::Join, so that what stays unknown has one
// form only.
func (s *scope) substitute(argument any) (any, error) {
	text, variables := substitution(argument)
	var parts []any
	for _, p := range split(text) {
		if p.name == "" {
			if p.literal != "" {
				parts = append(parts, p.literal)
			}
			continue
		}
		var value any
		var err error
		if own, ok := variables[p.name]; ok {
			value, err = s.eval(own)
		} else {
			value, err = s.refer(p.reference())
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, value)
	}
	return s.join([]any{"", parts})
}

// join melts neighbours that are known, so that equal texts stay equal
// however they were written.
func (s *scope) join(argument any) (any, error) {
	pair, _ := argument.([]any)
	if len(pair) != 2 {
		return nil, invalid("Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined")
	}
	delimiter, isText := pair[0].(string)
	// The parts of a {{resolve:…}} may come from several values, so only the
	// whole text is looked at.
	parts := *s
	parts.dynamic = nil
	inner, err := parts.eval(pair[1])
	if err != nil {
		return nil, err
	}
	items, isList := inner.([]any)
	switch {
	case isText && !known(inner) && !isList:
		return map[string]any{"Fn::Join": []any{delimiter, inner}}, nil
	case !isText || !isList:
		return nil, invalid("Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined")
	}
	var texts []string
	for _, item := range items {
		text, ok := resource.Scalar(item)
		if !ok && known(item) {
			return nil, invalid("Template error: every value of a Fn::Join or Fn::Sub must be a string")
		}
		if !ok {
			return map[string]any{"Fn::Join": []any{delimiter, items}}, nil
		}
		texts = append(texts, text)
	}
	return s.eval(strings.Join(texts, delimiter))
}

func (s *scope) pick(argument any) (any, error) {
	pair, _ := argument.([]any)
	if len(pair) != 2 {
		return nil, invalid("Template error: Fn::Select requires a list argument with two elements: an integer index and a list")
	}
	inner, err := s.list(pair)
	if err != nil || len(inner) != 2 {
		return nil, err
	}
	if !known(inner) {
		return map[string]any{"Fn::Select": inner}, nil
	}
	text, _ := resource.Scalar(inner[0])
	index, err := strconv.Atoi(text)
	items, isList := inner[1].([]any)
	if err != nil || !isList || index < 0 || index >= len(items) {
		return nil, invalid("Template error: Fn::Select cannot select nonexistent value at index %s", text)
	}
	return items[index], nil
}

func (s *scope) convert(name string, argument any) (any, error) {
	inner, err := s.eval(argument)
	if err != nil {
		return nil, err
	}
	if !known(inner) {
		return map[string]any{name: inner}, nil
	}
	text, ok := resource.Scalar(inner)
	if !ok {
		return nil, invalid("Template error: every %s object must have a String-typed value.", name)
	}
	if name == "Fn::Base64" {
		return base64.StdEncoding.EncodeToString([]byte(text)), nil
	}
	value, ok := s.imported(text)
	if !ok {
		return nil, invalid("No export named %s found.", text)
	}
	return value, nil
}

func (s *scope) zonesOf(argument any) (any, error) {
	inner, err := s.eval(argument)
	if err != nil {
		return nil, err
	}
	if region, _ := resource.Scalar(inner); region != "" && region != s.parameters["AWS::Region"] {
		return nil, invalid("Template error: Fn::GetAZs: the local cloud has the region %s only", s.parameters["AWS::Region"])
	}
	zones := make([]any, len(s.zones))
	for n, zone := range s.zones {
		zones[n] = zone
	}
	return zones, nil
}

// known tells whether nothing is left to be worked out.
func known(value any) bool {
	unknown := false
	walk(value, func(string, any) { unknown = true })
	return !unknown
}

// equal compares values; 1 and "1" are the same to CloudFormation.
func equal(a, b any) bool {
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equal)
	}
	left, isScalar := resource.Scalar(a)
	right, isAlso := resource.Scalar(b)
	if isScalar && isAlso {
		return left == right
	}
	return a == nil && b == nil
}

// dynamic replaces every {{resolve:SERVICE:REST}} in a text.
func dynamic(text string, resolve func(service, rest string) (string, error)) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{{resolve:")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		what, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return "", fmt.Errorf("Invalid dynamic reference %s", rest) //nolint:staticcheck // AWS's text
		}
		service, name, _ := strings.Cut(what, ":")
		value, err := resolve(service, name)
		if err != nil {
			return "", err
		}
		out.WriteString(value)
		text = after
	}
}
