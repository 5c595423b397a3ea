// Package account_test holds the promises of account.yml, the template that teams run with administrator rights.
package account_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// stack is the template as CloudFormation would see it with some parameters: functions carried out, resources and
// outputs of unmet conditions left out. What only a real account knows (ids, ARNs) reads "<Resource>" or "<Resource.Attribute>".
type stack struct {
	template   map[string]any
	values     map[string]any
	conditions map[string]bool
	resources  map[string]map[string]any
	outputs    map[string]map[string]any
}

func open(t *testing.T, parameters map[string]any) *stack {
	t.Helper()
	text, err := os.ReadFile("../../account.yml")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{
		template: plain(t, file.Docs[0].Body).(map[string]any),
		values: map[string]any{
			"AWS::AccountId": "111122223333", "AWS::Region": "eu-central-1", "AWS::Partition": "aws",
		},
		conditions: map[string]bool{}, resources: map[string]map[string]any{}, outputs: map[string]map[string]any{},
	}
	for name, parameter := range section(s.template, "Parameters") {
		value, given := parameters[name]
		if !given {
			value, given = parameter["Default"]
		}
		if !given {
			t.Fatalf("parameter %s has no value", name)
		}
		s.values[name] = value
	}
	for name, resource := range section(s.template, "Resources") {
		if s.met(t, resource) {
			s.resources[name] = s.evaluate(t, resource).(map[string]any)
		}
	}
	for name, output := range section(s.template, "Outputs") {
		if s.met(t, output) {
			s.outputs[name] = s.evaluate(t, output).(map[string]any)
		}
	}
	return s
}

func section(template map[string]any, name string) map[string]map[string]any {
	parts := map[string]map[string]any{}
	for key, value := range template[name].(map[string]any) {
		parts[key] = value.(map[string]any)
	}
	return parts
}

// met reports whether a resource or output exists under its Condition.
func (s *stack) met(t *testing.T, part map[string]any) bool {
	name, conditional := part["Condition"].(string)
	return !conditional || s.condition(t, map[string]any{"Condition": name})
}

// properties of the one resource of a name; nil when it is not there.
func (s *stack) properties(name string) map[string]any {
	properties, _ := s.resources[name]["Properties"].(map[string]any)
	return properties
}

// plain turns YAML with CloudFormation's short tags into the long form, as !Ref X into {Ref: X}.
func plain(t *testing.T, node ast.Node) any {
	t.Helper()
	switch n := node.(type) {
	case *ast.TagNode:
		name := strings.TrimPrefix(n.Start.Value, "!")
		if name != "Ref" && name != "Condition" {
			name = "Fn::" + name
		}
		return map[string]any{name: plain(t, n.Value)}
	case *ast.MappingNode:
		m := map[string]any{}
		for _, entry := range n.Values {
			m[entry.Key.GetToken().Value] = plain(t, entry.Value)
		}
		return m
	case *ast.MappingValueNode:
		return map[string]any{n.Key.GetToken().Value: plain(t, n.Value)}
	case *ast.SequenceNode:
		list := []any{}
		for _, value := range n.Values {
			list = append(list, plain(t, value))
		}
		return list
	case *ast.LiteralNode:
		return n.Value.Value
	case ast.ScalarNode:
		return n.GetValue()
	}
	t.Fatalf("%s: a %s is not understood", node.GetPath(), node.Type())
	return nil
}

// evaluate carries out the functions in a value.
func (s *stack) evaluate(t *testing.T, value any) any {
	t.Helper()
	switch v := value.(type) {
	case []any:
		list := []any{}
		for _, item := range v {
			list = append(list, s.evaluate(t, item))
		}
		return list
	case map[string]any:
		for name, argument := range v {
			if len(v) == 1 && (name == "Ref" || strings.HasPrefix(name, "Fn::")) {
				return s.call(t, name, argument)
			}
		}
		m := map[string]any{}
		for key, item := range v {
			m[key] = s.evaluate(t, item)
		}
		return m
	}
	return value
}

func (s *stack) call(t *testing.T, name string, argument any) any {
	t.Helper()
	if name == "Fn::If" { // only the branch that is taken means anything
		choice := argument.([]any)
		if s.condition(t, map[string]any{"Condition": choice[0]}) {
			return s.evaluate(t, choice[1])
		}
		return s.evaluate(t, choice[2])
	}
	argument = s.evaluate(t, argument)
	list, _ := argument.([]any)
	switch name {
	case "Ref":
		return s.reference(t, argument.(string))
	case "Fn::GetAtt":
		return "<" + argument.(string) + ">"
	case "Fn::GetAZs":
		return []any{"zone a", "zone b"}
	case "Fn::ImportValue":
		return "<import " + argument.(string) + ">"
	case "Fn::Select":
		return list[1].([]any)[list[0].(uint64)]
	case "Fn::Split":
		return split(list[1].(string), list[0].(string))
	case "Fn::Join":
		return strings.Join(texts(list[1]), list[0].(string))
	case "Fn::Sub":
		return s.substitute(t, argument)
	}
	t.Fatalf("function %s is not understood", name)
	return nil
}

func (s *stack) reference(t *testing.T, name string) any {
	t.Helper()
	if value, ok := s.values[name]; ok {
		return value
	}
	resource, ok := section(s.template, "Resources")[name]
	if !ok || !s.met(t, resource) {
		t.Fatalf("a reference to %s, which is not there", name)
	}
	return "<" + name + ">"
}

var placeholder = regexp.MustCompile(`\$\{([A-Za-z0-9:.]+)\}`)

func (s *stack) substitute(t *testing.T, argument any) string {
	t.Helper()
	text, local := "", map[string]any{}
	switch a := argument.(type) {
	case string:
		text = a
	case []any:
		text, local = a[0].(string), a[1].(map[string]any)
	}
	return placeholder.ReplaceAllStringFunc(text, func(match string) string {
		name := placeholder.FindStringSubmatch(match)[1]
		if value, ok := local[name]; ok {
			return fmt.Sprint(value)
		}
		if resource, attribute, found := strings.Cut(name, "."); found {
			return "<" + resource + "." + attribute + ">"
		}
		return fmt.Sprint(s.reference(t, name))
	})
}

func (s *stack) condition(t *testing.T, value any) bool {
	t.Helper()
	for name, argument := range value.(map[string]any) {
		list, _ := argument.([]any)
		switch name {
		case "Condition":
			met, known := s.conditions[argument.(string)]
			if !known {
				met = s.condition(t, s.template["Conditions"].(map[string]any)[argument.(string)])
				s.conditions[argument.(string)] = met
			}
			return met
		case "Fn::Equals":
			return fmt.Sprint(s.evaluate(t, list[0])) == fmt.Sprint(s.evaluate(t, list[1]))
		case "Fn::Not":
			return !s.condition(t, list[0])
		case "Fn::And":
			return s.condition(t, list[0]) && s.condition(t, list[1])
		case "Fn::Or":
			return s.condition(t, list[0]) || s.condition(t, list[1])
		}
	}
	t.Fatalf("condition %v is not understood", value)
	return false
}

func split(text, separator string) []any {
	list := []any{}
	for _, part := range strings.Split(text, separator) {
		list = append(list, part)
	}
	return list
}

// texts is a value that may be one text or a list of them.
func texts(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, item := range v {
			list = append(list, item.(string))
		}
		return list
	}
	return nil
}
