package cloudformation

import (
	"maps"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

// check says what is wrong with a template before anything is done with it.
func (t *template) check(types map[string]resource.Type) error {
	for _, limit := range []struct {
		what      string
		have, max int
	}{{"resources", len(t.resources), maxResources}, {"parameters", len(t.parameters), maxParameters}, {"outputs", len(t.outputs), maxOutputs}} {
		if limit.have > limit.max {
			return malformed("Number of %s, %d, is greater than maximum allowed, %d", limit.what, limit.have, limit.max)
		}
	}
	if len(t.resources) == 0 {
		return malformed("At least one Resources member must be defined.")
	}
	if len(t.description) > maxDescription {
		return malformed("'Description' length is greater than %d.", maxDescription)
	}
	if err := t.checkTypes(types); err != nil {
		return err
	}
	return t.checkReferences(types)
}

func (t *template) checkTypes(types map[string]resource.Type) error {
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(t.resources)) {
		d := t.resources[name]
		if _, ok := types[d.typeName]; !ok {
			unknown = append(unknown, d.typeName)
		}
		if d.creation != nil && d.typeName != groupType && d.typeName != instanceType {
			return invalid("CreationPolicy is not supported for resource type %s (%s)", d.typeName, name)
		}
		if d.update != nil && d.typeName != groupType {
			return invalid("UpdatePolicy is not supported for resource type %s (%s)", d.typeName, name)
		}
	}
	if unknown != nil {
		slices.Sort(unknown)
		return malformed("Unrecognized resource types: [%s]", strings.Join(slices.Compact(unknown), ", "))
	}
	return nil
}

// checkReferences looks at every name in the template, also in branches that
// no condition takes.
func (t *template) checkReferences(types map[string]resource.Type) error {
	for _, name := range slices.Sorted(maps.Keys(t.conditions)) {
		if err := t.checkBlock("Conditions", nil, t.conditions[name]); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.resources)) {
		d := t.resources[name]
		for _, other := range d.dependsOn {
			if _, ok := t.resources[other]; !ok {
				return malformed("Unresolved resource dependencies [%s] in the Resources block of the template", other)
			}
		}
		if err := t.checkCondition("Resources", d.condition); err != nil {
			return err
		}
		if err := t.checkBlock("Resources", types, []any{d.properties, d.creation, d.update}); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.outputs)) {
		o := t.outputs[name]
		if err := t.checkCondition("Outputs", o.condition); err != nil {
			return err
		}
		if err := t.checkBlock("Outputs", types, []any{o.value, o.export}); err != nil {
			return err
		}
	}
	return nil
}

func (t *template) checkCondition(block, name string) error {
	if _, ok := t.conditions[name]; name != "" && !ok {
		return malformed("Unresolved condition dependency %s in the %s block of the template", name, block)
	}
	return nil
}

// checkBlock looks at the functions in a value. In conditions, where types is
// nil, there are no resources.
func (t *template) checkBlock(block string, types map[string]resource.Type, value any) error {
	unresolved := map[string]bool{}
	var failure error
	walk(value, func(name string, argument any) {
		if failure != nil {
			return
		}
		if !slices.Contains(functionNames, name) {
			failure = malformed("the local cloud does not know the function %s.", name)
			return
		}
		if name == "Fn::If" {
			condition, _ := first(argument).(string)
			failure = t.checkCondition(block, condition)
			return
		}
		for _, r := range referencesOf(name, argument) {
			d, isResource := t.resources[r.logical]
			_, isParameter := t.parameters[r.logical]
			switch {
			case r.attribute == "" && (isParameter || strings.HasPrefix(r.logical, "AWS::")):
			case !isResource || types == nil:
				unresolved[r.logical] = true
			case r.attribute != "" && !slices.Contains(types[d.typeName].Attributes, r.attribute):
				failure = invalid("Template error: resource %s does not support attribute type %s in Fn::GetAtt", r.logical, r.attribute)
			}
		}
	})
	if failure == nil && len(unresolved) > 0 {
		failure = malformed("Unresolved resource dependencies [%s] in the %s block of the template",
			strings.Join(slices.Sorted(maps.Keys(unresolved)), ", "), block)
	}
	return failure
}

func first(argument any) any {
	if list, ok := argument.([]any); ok && len(list) > 0 {
		return list[0]
	}
	return nil
}
