package cloudformation

import (
	"maps"
	"slices"
)

// decide works out all conditions. One may name another, but not itself.
func (s *scope) decide(conditions map[string]any) error {
	s.conditions = map[string]bool{}
	open := map[string]bool{}
	var decideOne func(name string) error
	decideOne = func(name string) error {
		if _, done := s.conditions[name]; done {
			return nil
		}
		if _, known := conditions[name]; !known {
			return malformed("Unresolved condition dependency %s in the Conditions block of the template", name)
		}
		if open[name] {
			return malformed("Found circular condition dependency between [%s]", name)
		}
		open[name] = true
		value, err := s.test(conditions[name], decideOne)
		s.conditions[name] = value
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(conditions)) {
		if err := decideOne(name); err != nil {
			return err
		}
	}
	return nil
}

// test works out one condition; need decides another one first.
func (s *scope) test(value any, need func(name string) error) (bool, error) {
	object, _ := value.(map[string]any)
	if len(object) != 1 {
		return false, malformed("Conditions can only be boolean operations on parameters and other conditions")
	}
	if name, ok := object["Condition"].(string); ok {
		err := need(name)
		return s.conditions[name], err
	}
	name, argument, _ := function(object)
	arguments, _ := argument.([]any)
	switch {
	case name == "Fn::Equals" && len(arguments) == 2:
		both, err := s.list(arguments)
		if err != nil || len(both) != 2 {
			return false, err
		}
		return equal(both[0], both[1]), nil
	case name == "Fn::Not" && len(arguments) == 1:
		inner, err := s.test(arguments[0], need)
		return !inner, err
	case (name == "Fn::And" || name == "Fn::Or") && len(arguments) >= 2 && len(arguments) <= 10:
		return s.several(name == "Fn::And", arguments, need)
	}
	return false, malformed("Conditions can only be boolean operations on parameters and other conditions")
}

// several is Fn::And or Fn::Or. All parts are worked out, so that what is
// wrong is found wherever it stands.
func (s *scope) several(and bool, arguments []any, need func(name string) error) (bool, error) {
	result := and
	for _, a := range arguments {
		inner, err := s.test(a, need)
		if err != nil {
			return false, err
		}
		if inner != and {
			result = inner
		}
	}
	return result, nil
}

// choose is Fn::If.
func (s *scope) choose(argument any) (any, error) {
	branches, _ := argument.([]any)
	name, _ := first(argument).(string)
	if len(branches) != 3 || name == "" {
		return nil, invalid("Template error: Fn::If requires a list argument with three elements")
	}
	if s.conditions[name] {
		return s.eval(branches[1])
	}
	return s.eval(branches[2])
}
