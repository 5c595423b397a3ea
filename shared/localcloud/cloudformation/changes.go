package cloudformation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

// unknownYet stands for a value that is known only after the change.
const unknownYet = "{{changeSet:KNOWN_AFTER_APPLY}}"

// change is what a change set says about one resource.
type change struct {
	action, logical, physical, typeName string
	replacement                         string // True, False, Conditional; "" unless Modify
	policy                              string // what becomes of the old physical resource
	scope                               []string
	details                             []detail
	before, after                       map[string]any
}

// detail is one reason for a change.
type detail struct {
	attribute  string // Properties, Tags, CreationPolicy, …
	name, path string
	recreation string // Never, Always, Conditionally
	kind       string // Add, Remove, Modify
	before     string
	after      string
	evaluation string // Static or Dynamic
	source     string
	causing    string
}

// compare tells what executing a blueprint would change.
func (s *Service) compare(from *deployment, to *blueprint) ([]change, error) {
	var changes []change
	var retyped []string
	replacements := map[string]string{} // of what changes, by logical id
	for _, name := range to.order {
		i := to.items[name]
		var before *live
		if from != nil {
			before = from.resources[name]
		}
		switch {
		case before == nil:
			changes = append(changes, change{action: "Add", logical: name, typeName: i.typeName, after: shown(i.properties)})
		case before.item.typeName != i.typeName:
			retyped = append(retyped, name)
		default:
			d := &differ{types: s.types, from: from, to: to, before: before, after: i, replacements: replacements}
			if c, changed := d.change(); changed {
				replacements[name] = c.replacement
				changes = append(changes, c)
			}
		}
	}
	if retyped != nil {
		return nil, invalid("Update of resource type is not permitted. The new template modifies resource type of the following resources: [%s]",
			strings.Join(retyped, ", "))
	}
	if from != nil {
		changes = append(changes, removals(from, to)...)
	}
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.logical, b.logical) })
	return changes, nil
}

func removals(from *deployment, to *blueprint) []change {
	var changes []change
	for _, name := range slices.Sorted(maps.Keys(from.resources)) {
		l := from.resources[name]
		if to.items[name] == nil {
			changes = append(changes, change{
				action: "Remove", logical: name, physical: l.physical, typeName: l.item.typeName,
				policy: policyAction("", l.item.deletion), before: shown(l.properties),
			})
		}
	}
	return changes
}

func policyAction(prefix, policy string) string {
	if strings.HasPrefix(policy, "Retain") {
		return prefix + "Retain"
	}
	return prefix + "Delete"
}

// differ compares one resource with what it is to become.
type differ struct {
	types         map[string]resource.Type
	from          *deployment
	to            *blueprint
	before        *live
	after         *item
	replacements  map[string]string
	details       []detail
	scope         []string
	texts         map[string]string // parameters before
	changedParams []string
}

func (d *differ) change() (change, bool) {
	d.texts = d.from.plan.texts
	for name, text := range d.to.texts {
		if old, ok := d.texts[name]; ok && old != text {
			d.changedParams = append(d.changedParams, name)
		}
	}
	slices.Sort(d.changedParams)
	old := d.before.item
	for _, name := range changedProperties(old.properties, d.after.properties) {
		d.descend([]string{name}, old.properties[name], d.after.properties[name])
	}
	for _, name := range slices.Sorted(maps.Keys(d.after.properties)) {
		for _, ref := range references(d.after.properties[name]) {
			d.follow(name, ref)
		}
	}
	d.attributes()
	if d.details == nil {
		return change{}, false
	}
	c := change{
		action: "Modify", logical: d.after.logical, physical: d.before.physical, typeName: d.after.typeName,
		replacement: d.replacement(), scope: d.scope, details: d.details,
		before: shown(d.before.properties), after: shown(d.after.properties),
	}
	if c.replacement != "False" {
		c.policy = policyAction("ReplaceAnd", d.after.replaced)
	}
	return c, true
}

// descend finds the innermost differences of a property.
func (d *differ) descend(path []string, before, after any) {
	if equal(before, after) {
		return
	}
	old, isMap := before.(map[string]any)
	fresh, isAlso := after.(map[string]any)
	if isMap && isAlso && !isCall(old) && !isCall(fresh) {
		for _, name := range changedProperties(old, fresh) {
			d.descend(append(slices.Clone(path), name), old[name], fresh[name])
		}
		return
	}
	oldList, isList := before.([]any)
	freshList, isAlsoList := after.([]any)
	if isList && isAlsoList && len(oldList) == len(freshList) {
		for n := range oldList {
			d.descend(append(slices.Clone(path), fmt.Sprint(n)), oldList[n], freshList[n])
		}
		return
	}
	d.add(path, before, after)
}

func isCall(value map[string]any) bool {
	_, _, ok := function(value)
	return ok
}

// add is a difference that the template or a parameter makes.
func (d *differ) add(path []string, before, after any) {
	e := detail{
		attribute: "Properties", name: path[0], path: "/Properties/" + strings.Join(path, "/"),
		recreation: d.recreation(path[0]), kind: "Modify", evaluation: "Static", source: "DirectModification",
		before: display(at(map[string]any(d.before.properties), path)), after: display(after),
	}
	switch {
	case before == nil:
		e.kind = "Add"
	case after == nil:
		e.kind = "Remove"
	}
	if !known(after) {
		e.evaluation = "Dynamic"
	}
	written := at(d.after.written, path)
	if equal(written, at(d.before.item.written, path)) {
		for _, ref := range references(written) {
			if slices.Contains(d.changedParams, ref.logical) {
				e.source, e.causing = "ParameterReference", ref.logical
				if d.to.template.parameters[ref.logical].hidden {
					e.before, e.after = hiddenValue, hiddenValue
				}
				break
			}
		}
	}
	d.put("Properties", e)
}

// at is the value at a path, or the call that stands on the way to it.
func at(value any, path []string) any {
	for _, name := range path {
		switch inner := value.(type) {
		case map[string]any:
			if isCall(inner) {
				return inner
			}
			value = inner[name]
		case []any:
			n := 0
			if _, err := fmt.Sscan(name, &n); err != nil || n >= len(inner) {
				return nil
			}
			value = inner[n]
		default:
			return nil
		}
	}
	return value
}

// follow is a difference that a changing resource may make.
func (d *differ) follow(name string, ref reference) {
	replacement, changes := d.replacements[ref.logical]
	if !changes || ref.attribute == "" && replacement == "False" {
		return
	}
	source := "ResourceReference"
	if ref.attribute != "" {
		source = "ResourceAttribute"
	}
	d.put("Properties", detail{
		attribute: "Properties", name: name, path: "/Properties/" + name, recreation: d.recreation(name), kind: "Modify",
		before: display(d.before.properties[name]), after: unknownYet,
		evaluation: "Dynamic", source: source, causing: ref.entity(),
	})
}

// attributes are the differences outside of the properties.
func (d *differ) attributes() {
	old := d.before.item
	if taggable(d.types[d.after.typeName]) && !maps.Equal(d.before.tags, d.to.tags) {
		d.put("Tags", detail{attribute: "Tags", recreation: "Never", kind: "Modify", evaluation: "Static", source: "DirectModification"})
	}
	was, is := old.policies.([]any), d.after.policies.([]any)
	for n, name := range []string{"CreationPolicy", "UpdatePolicy"} {
		if !equal(was[n], is[n]) {
			d.put(name, detail{attribute: name, kind: "Modify", evaluation: "Static", source: "DirectModification"})
		}
	}
	if old.deletion != d.after.deletion {
		d.put("DeletionPolicy", detail{attribute: "DeletionPolicy", kind: "Modify", evaluation: "Static", source: "DirectModification"})
	}
	if old.replaced != d.after.replaced {
		d.put("UpdateReplacePolicy", detail{attribute: "UpdateReplacePolicy", kind: "Modify", evaluation: "Static", source: "DirectModification"})
	}
}

func (d *differ) put(scope string, e detail) {
	if !slices.Contains(d.scope, scope) {
		d.scope = append(d.scope, scope)
	}
	d.details = append(d.details, e)
}

// recreation tells whether the change of a property replaces the resource. A
// group's replacing policy acts on some of its properties, which AWS calls
// "conditionally".
func (d *differ) recreation(name string) string {
	t := d.types[d.after.typeName]
	switch {
	case t.Update == nil || slices.Contains(t.Immutable, name):
		return "Always"
	case d.after.update.replace && slices.Contains(policyTriggers, name):
		return "Conditionally"
	}
	return "Never"
}

func (d *differ) replacement() string {
	result := "False"
	for _, e := range d.details {
		switch {
		case e.recreation == "Always" && e.evaluation == "Static":
			return "True"
		case e.recreation == "Always" || e.recreation == "Conditionally":
			result = "Conditional"
		}
	}
	return result
}

// shown are properties as contexts show them: what is not known has a
// placeholder.
func shown(properties map[string]any) map[string]any {
	out, _ := masked(properties).(map[string]any)
	return out
}

func masked(value any) any {
	switch value := value.(type) {
	case resource.Properties:
		return masked(map[string]any(value))
	case map[string]any:
		if isCall(value) {
			return unknownYet
		}
		out := make(map[string]any, len(value))
		for name, inner := range value {
			out[name] = masked(inner)
		}
		return out
	case []any:
		out := make([]any, len(value))
		for n, inner := range value {
			out[n] = masked(inner)
		}
		return out
	}
	return value
}

// display is a value as one text.
func display(value any) string {
	value = masked(value)
	if value == nil {
		return ""
	}
	if text, ok := resource.Scalar(value); ok {
		return text
	}
	text, _ := json.Marshal(value)
	return string(text)
}
