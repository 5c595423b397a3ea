package environment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MaxInline is the size up to which CloudFormation takes a template in the
// call itself; a larger one goes through a bucket.
const MaxInline = 51_200

// Template is a CloudFormation template together with the values of its
// parameters. All ids in it are stable: CloudFormation replaces what is called
// differently.
type Template struct {
	Parameters []Parameter // by name
	body       body
}

// Parameter is one parameter and the value it is to have.
type Parameter struct {
	Name string
	Type string

	// Value is as CloudFormation takes it: for a type AWS::SSM::Parameter::…
	// the path of the parameter. Lists are separated by commas.
	Value string

	// From are the references whose values make up Value, where outputs of
	// other stacks are among them; Resolve turns them into Value.
	From []Reference
}

// Known reports whether the parameter has a value.
func (p Parameter) Known() bool { return p.Value != "" }

// object is a part of a template. Maps are written in the order of their
// keys, so a template is always the same text.
type object = map[string]any

type body struct {
	Version     string              `json:"AWSTemplateFormatVersion"`
	Description string              `json:"Description"`
	Parameters  object              `json:"Parameters,omitempty"`
	Conditions  object              `json:"Conditions,omitempty"`
	Resources   map[string]resource `json:"Resources"`
	Outputs     object              `json:"Outputs,omitempty"`
}

type resource struct {
	Type           string   `json:"Type"`
	Condition      string   `json:"Condition,omitempty"`
	DependsOn      []string `json:"DependsOn,omitempty"`
	CreationPolicy object   `json:"CreationPolicy,omitempty"`
	UpdatePolicy   object   `json:"UpdatePolicy,omitempty"`
	Properties     object   `json:"Properties,omitempty"`
}

func newTemplate(description string) *Template {
	return &Template{body: body{
		Version: "2010-09-09", Description: description,
		Parameters: object{}, Conditions: object{}, Resources: map[string]resource{}, Outputs: object{},
	}}
}

// Types of parameters.
const (
	typeString     = "String"
	typeNumber     = "Number"
	typeList       = "CommaDelimitedList"
	typeStored     = "AWS::SSM::Parameter::Value<String>"
	typeStoredList = "AWS::SSM::Parameter::Value<List<String>>"
)

// yesOrNo is the limit of a parameter that is true or false.
var yesOrNo = object{"AllowedValues": []string{"true", "false"}}

// parameter declares one; limits are what CloudFormation checks values by.
func (t *Template) parameter(p Parameter, description string, limits ...object) {
	declared := object{"Type": p.Type, "Description": description}
	for _, limit := range limits {
		maps.Copy(declared, limit)
	}
	t.body.Parameters[p.Name] = declared
	t.Parameters = append(t.Parameters, p)
	slices.SortFunc(t.Parameters, func(a, b Parameter) int { return strings.Compare(a.Name, b.Name) })
}

func (t *Template) add(id string, r resource) { t.body.Resources[id] = r }

func (t *Template) output(name, description string, value any) {
	t.body.Outputs[name] = object{"Description": description, "Value": value}
}

// JSON is the template as compact text; the same template is the same text.
func (t *Template) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(t.body); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// Inline reports whether a template may be sent in the call itself.
func Inline(template []byte) bool { return len(template) <= MaxInline }

// Values are the values of all parameters that have one.
func (t *Template) Values() map[string]string {
	all := map[string]string{}
	for _, p := range t.Parameters {
		if p.Known() {
			all[p.Name] = p.Value
		}
	}
	return all
}

// Unknown are the parameters without a value: of a base that does not exist
// yet, or an output that was not looked up.
func (t *Template) Unknown() []string {
	var names []string
	for _, p := range t.Parameters {
		if !p.Known() {
			names = append(names, p.Name)
		}
	}
	return names
}

// Set gives a parameter another value; it reports whether there is such a one.
func (t *Template) Set(name, value string) bool {
	for i := range t.Parameters {
		if t.Parameters[i].Name == name {
			t.Parameters[i].Value = value
			return true
		}
	}
	return false
}

// Resolve looks up the outputs of other stacks that parameters refer to. An
// output that is a list stands for all its parts.
func (t *Template) Resolve(output func(stack, name string) (string, error)) error {
	var problems []error
	for i := range t.Parameters {
		p := &t.Parameters[i]
		var parts []string
		for _, r := range p.From {
			part := r.Text
			if stack, name, ok := r.Output(); ok {
				var err error
				if part, err = output(stack, name); err != nil {
					problems = append(problems, fmt.Errorf("%s: %w", r.Text, err))
					continue
				}
			}
			parts = append(parts, part)
		}
		if len(parts) > 0 && len(parts) == len(p.From) {
			p.Value = strings.Join(parts, ",")
		}
	}
	return errors.Join(problems...)
}

// one declares a parameter for something that exists and returns how the
// template names it.
func (t *Template) one(name, description string, r Reference) any {
	p := Parameter{Name: name, Type: typeString, Value: r.Text}
	if path, ok := r.Parameter(); ok {
		p.Type, p.Value = typeStored, path
	} else if _, _, ok := r.Output(); ok {
		p.Value, p.From = "", []Reference{r}
	}
	t.parameter(p, description)
	return ref(name)
}

// many is one for lists. A parameter of the Parameter Store cannot be an item
// of a list, so a list with one in it becomes a parameter per item.
func (t *Template) many(name, description string, all []Reference) any {
	stored := func(r Reference) bool { _, ok := r.Parameter(); return ok }
	if len(all) == 1 && stored(all[0]) {
		path, _ := all[0].Parameter()
		t.parameter(Parameter{Name: name, Type: typeStoredList, Value: path}, description)
		return ref(name)
	}
	if slices.ContainsFunc(all, stored) {
		var items []any
		for i, r := range all {
			items = append(items, t.one(fmt.Sprintf("%s%d", name, i+1), description, r))
		}
		return items
	}
	p := Parameter{Name: name, Type: typeList, From: all}
	if known(all) {
		p.Value, p.From = texts(all), nil
	}
	t.parameter(p, description)
	return ref(name)
}

func texts(all []Reference) string {
	parts := make([]string, len(all))
	for i, r := range all {
		parts[i] = r.Text
	}
	return strings.Join(parts, ",")
}

// Intrinsic functions.
func ref(id string) object              { return object{"Ref": id} }
func attribute(id, name string) object  { return object{"Fn::GetAtt": []string{id, name}} }
func sub(text string) object            { return object{"Fn::Sub": text} }
func join(list any) object              { return object{"Fn::Join": []any{",", list}} }
func choose(index int, list any) object { return object{"Fn::Select": []any{index, list}} }
func refs(format string, n int) (all []any) {
	for i := range n {
		all = append(all, ref(fmt.Sprintf(format, i+1)))
	}
	return all
}

// tags is a list of tags in the order of their keys.
func tags(of map[string]string) []any {
	var all []any
	for _, key := range slices.Sorted(maps.Keys(of)) {
		all = append(all, object{"Key": key, "Value": of[key]})
	}
	return all
}
