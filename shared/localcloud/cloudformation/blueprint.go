package cloudformation

import (
	"maps"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

// blueprint is a template with its parameters worked in: what a stack is to
// become, as far as it can be told before anything is made.
type blueprint struct {
	template   *template
	texts      map[string]string // parameters as sent
	parameters map[string]any    // parameters and pseudo parameters as Ref gives them
	conditions map[string]bool
	items      map[string]*item
	order      []string // of items; what is needed comes first
	tags       map[string]string
	role       string
	watch      monitoring
	allowed    []string // capabilities
	imports    []string // names of the exports that are used
}

// item is a resource of a blueprint.
type item struct {
	logical    string
	typeName   string
	written    map[string]any // properties as the template has them
	properties map[string]any // the same, worked out but for what needs other resources
	refers     []reference    // in properties
	after      []string       // items that must be there first
	creation   *signalPolicy
	update     updatePolicy
	policies   any    // CreationPolicy and UpdatePolicy as worked out, for comparison
	deletion   string // DeletionPolicy
	replaced   string // UpdateReplacePolicy
}

// draw works parameters into a template.
func (s *Service) draw(t *template, st *stack, texts map[string]string) (*blueprint, error) {
	values, err := t.values(texts, s.around.Parameter)
	if err != nil {
		return nil, err
	}
	maps.Copy(values, s.pseudo(st))
	b := &blueprint{template: t, texts: texts, parameters: values, items: map[string]*item{}}
	scope := s.scope(b, nil)
	if err := scope.decide(t.conditions); err != nil {
		return nil, err
	}
	b.conditions = scope.conditions
	for _, name := range slices.Sorted(maps.Keys(t.resources)) {
		d := t.resources[name]
		if d.condition != "" && !b.conditions[d.condition] {
			continue
		}
		if b.items[name], err = drawItem(scope, name, d); err != nil {
			return nil, err
		}
	}
	return b, b.sort()
}

// scope is what the functions of a blueprint are worked out against; a nil
// resource leaves what refers to resources as it is.
func (s *Service) scope(b *blueprint, resource func(reference) (any, error)) *scope {
	return &scope{
		parameters: b.parameters, conditions: b.conditions, zones: s.around.Zones, resource: resource,
		imported: func(name string) (string, bool) {
			b.imports = append(b.imports, name)
			s.mu.Lock()
			defer s.mu.Unlock()
			e, ok := s.exports[name]
			return e.value, ok
		},
	}
}

// pseudo are the parameters that every template has.
func (s *Service) pseudo(st *stack) map[string]any {
	return map[string]any{
		"AWS::AccountId": s.world.Account,
		"AWS::NoValue":   nothing{},
		"AWS::Partition": "aws",
		"AWS::Region":    s.world.Region,
		"AWS::StackId":   st.id,
		"AWS::StackName": st.name,
		"AWS::URLSuffix": "amazonaws.com",
	}
}

func drawItem(scope *scope, name string, d definition) (*item, error) {
	properties, err := scope.eval(mapOf(d.properties))
	if err != nil {
		return nil, err
	}
	creation, err := scope.eval(d.creation)
	if err != nil {
		return nil, err
	}
	update, err := scope.eval(d.update)
	if err != nil {
		return nil, err
	}
	if isNothing(creation) {
		creation = nil
	}
	if isNothing(update) {
		update = nil
	}
	i := &item{
		logical: name, typeName: d.typeName, written: d.properties, properties: properties.(map[string]any),
		policies: []any{creation, update}, deletion: d.deletion, replaced: d.replacement,
	}
	if i.creation, err = parseCreation(creation); err != nil {
		return nil, err
	}
	if i.update, err = parseUpdate(update); err != nil {
		return nil, err
	}
	i.refers = references(i.properties)
	i.after = slices.Clone(d.dependsOn)
	for _, r := range i.refers {
		i.after = append(i.after, r.logical)
	}
	slices.Sort(i.after)
	i.after = slices.Compact(i.after)
	return i, nil
}

// mapOf keeps a missing map an empty one, not a nil in an any.
func mapOf(m map[string]any) any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// sort puts the items in an order in which they can be made, by name where
// nothing else decides.
func (b *blueprint) sort() error {
	for _, i := range b.items {
		// What a condition leaves out is not waited for; what refers to it is wrong.
		i.after = slices.DeleteFunc(i.after, func(name string) bool { return b.items[name] == nil })
		for _, r := range i.refers {
			if b.items[r.logical] == nil {
				return malformed("Unresolved resource dependencies [%s] in the Resources block of the template", r.logical)
			}
		}
	}
	placed := map[string]bool{}
	for len(b.order) < len(b.items) {
		before := len(b.order)
		for _, name := range slices.Sorted(maps.Keys(b.items)) {
			ready := !slices.ContainsFunc(b.items[name].after, func(other string) bool { return !placed[other] })
			if !placed[name] && ready {
				placed[name] = true
				b.order = append(b.order, name)
			}
		}
		if len(b.order) == before {
			circle := slices.DeleteFunc(slices.Sorted(maps.Keys(b.items)), func(name string) bool { return placed[name] })
			return invalid("Circular dependency between resources: [%s]", strings.Join(circle, ", "))
		}
	}
	return nil
}

// taggable tells whether the stack's tags reach resources of a type.
func taggable(t resource.Type) bool { return slices.Contains(t.Properties, "Tags") }
