package cloudformation

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// Limits of a template. The one of a stored template is AWS's 1 MB.
const (
	maxInline      = 51_200
	maxStored      = 1 << 20
	maxResources   = 500
	maxParameters  = 200
	maxOutputs     = 200
	maxDescription = 1024
)

// The two types that engines treat by name: only they can be signaled or
// have update policies.
const (
	groupType    = "AWS::AutoScaling::AutoScalingGroup"
	instanceType = "AWS::EC2::Instance"
)

// template is a template as it was written.
type template struct {
	text        string
	description string
	parameters  map[string]parameter
	conditions  map[string]any
	resources   map[string]definition
	outputs     map[string]output
}

// definition is a resource of a template. What may hold functions is as in
// the template.
type definition struct {
	typeName    string
	condition   string
	dependsOn   []string
	properties  map[string]any
	creation    any
	update      any
	deletion    string // DeletionPolicy
	replacement string // UpdateReplacePolicy
}

type output struct {
	description string
	condition   string
	value       any
	export      any
}

var (
	logicalIDs = regexp.MustCompile(`^[A-Za-z0-9]{1,255}$`)
	retention  = []string{"Delete", "Retain", "RetainExceptOnCreate"}
)

// invalid is how CloudFormation refuses nearly everything.
func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf("ValidationError", format, args...)
}

// malformed refuses a template.
func malformed(format string, args ...any) *wire.Error {
	return invalid("Template format error: "+format, args...)
}

// parseTemplate reads a JSON template and names what this engine does not know.
func parseTemplate(text string, types map[string]resource.Type) (*template, error) {
	sections, err := decodeTemplate(text)
	if err != nil {
		return nil, err
	}
	t := &template{
		text: text, parameters: map[string]parameter{}, resources: map[string]definition{}, outputs: map[string]output{},
	}
	r := &sectionReader{}
	t.description = r.text(sections, "Description")
	t.conditions = r.part(sections, "Conditions")
	for name, value := range r.part(sections, "Parameters") {
		t.parameters[name] = r.parameter(name, value)
	}
	for name, value := range r.part(sections, "Resources") {
		t.resources[name] = r.resource(name, value)
	}
	for name, value := range r.part(sections, "Outputs") {
		t.outputs[name] = r.output(name, value)
	}
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		if !slices.Contains([]string{"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Conditions", "Resources", "Outputs"}, name) {
			r.fail(invalid("Invalid template property or properties [%s]", name))
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return t, t.check(types)
}

func decodeTemplate(text string) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var sections map[string]any
	if err := decoder.Decode(&sections); err != nil {
		var syntax *json.SyntaxError
		if !strings.HasPrefix(strings.TrimSpace(text), "{") {
			return nil, malformed("the local cloud reads JSON templates only.")
		}
		if errors.As(err, &syntax) {
			before := text[:max(int(syntax.Offset)-1, 0)]
			return nil, malformed("JSON not well-formed. (line %d, column %d)",
				strings.Count(before, "\n")+1, len(before)-strings.LastIndex(before, "\n"))
		}
		return nil, malformed("JSON not well-formed. %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed("JSON not well-formed. There is text after the template.")
	}
	return sections, nil
}

// sectionReader reads parts of a template; the first problem is kept.
type sectionReader struct{ err error }

func (r *sectionReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *sectionReader) text(from map[string]any, name string) string {
	value, ok := from[name]
	if !ok {
		return ""
	}
	text, isText := value.(string)
	if !isText {
		r.fail(malformed("Every %s member must be a string.", name))
	}
	return text
}

func (r *sectionReader) part(from map[string]any, name string) map[string]any {
	value, ok := from[name]
	if !ok {
		return nil
	}
	return r.object(name, value)
}

func (r *sectionReader) object(name string, value any) map[string]any {
	part, isPart := value.(map[string]any)
	if !isPart {
		r.fail(malformed("%s must be an object.", name))
	}
	return part
}

func (r *sectionReader) resource(name string, value any) definition {
	if !logicalIDs.MatchString(name) {
		r.fail(malformed("Resource name %s is non alphanumeric.", name))
	}
	part := r.object("Resource "+name, value)
	d := definition{
		typeName: r.text(part, "Type"), condition: r.text(part, "Condition"),
		properties: r.part(part, "Properties"), creation: part["CreationPolicy"], update: part["UpdatePolicy"],
		deletion: r.text(part, "DeletionPolicy"), replacement: r.text(part, "UpdateReplacePolicy"),
	}
	switch after := part["DependsOn"].(type) {
	case nil:
	case string:
		d.dependsOn = []string{after}
	case []any:
		for _, one := range after {
			text, _ := one.(string)
			d.dependsOn = append(d.dependsOn, text)
		}
	default:
		r.fail(malformed("DependsOn of resource %s must be a string or a list of strings.", name))
	}
	if d.typeName == "" {
		r.fail(malformed("Every Resources object must contain a Type member."))
	}
	for attribute, policy := range map[string]string{"DeletionPolicy": d.deletion, "UpdateReplacePolicy": d.replacement} {
		if policy != "" && (!slices.Contains(retention, policy) || attribute != "DeletionPolicy" && policy == "RetainExceptOnCreate") {
			r.fail(malformed("Unrecognized %s %s for resource %s", attribute, policy, name))
		}
	}
	r.known("template resource property", part, "Type", "Condition", "Properties", "CreationPolicy", "UpdatePolicy",
		"DeletionPolicy", "UpdateReplacePolicy", "DependsOn", "Metadata")
	return d
}

func (r *sectionReader) output(name string, value any) output {
	part := r.object("Output "+name, value)
	o := output{description: r.text(part, "Description"), condition: r.text(part, "Condition"), value: part["Value"]}
	if o.value == nil {
		r.fail(malformed("Every Outputs member must contain a Value object"))
	}
	if export := r.part(part, "Export"); export != nil {
		o.export = export["Name"]
		r.known("export property", export, "Name")
	}
	r.known("output property", part, "Description", "Condition", "Value", "Export")
	return o
}

// known fails for a key that the engine does not know.
func (r *sectionReader) known(what string, part map[string]any, names ...string) {
	for _, name := range slices.Sorted(maps.Keys(part)) {
		if !slices.Contains(names, name) {
			r.fail(invalid("Invalid %s '%s'", what, name))
		}
	}
}
