package environment

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
)

// Change is one difference between two templates.
type Change struct {
	Section string // Resources, Parameters, Conditions, Outputs, …
	Name    string // WebGroup; empty for the section itself
	Type    string // of a resource: AWS::AutoScaling::AutoScalingGroup
	Path    string // below it: Properties.MaxSize; empty when all of it came or went

	// Old and New are what stands there, as JSON is read in Go: text, float64,
	// bool, []any, map[string]any. Nil: nothing.
	Old, New any
}

// Added and Removed report whether all of a resource or parameter came or went.
func (c Change) Added() bool { return c.Path == "" && c.Old == nil }

// Removed is the opposite of Added.
func (c Change) Removed() bool { return c.Path == "" && c.New == nil }

// String is the change on one line: WebGroup: Properties.MaxSize "2" → "6".
func (c Change) String() string {
	name := c.Name
	if name == "" {
		name = c.Section
	}
	switch {
	case c.Added():
		return name + " is new"
	case c.Removed():
		return name + " goes"
	case c.Path == "":
		return fmt.Sprintf("%s: %s → %s", name, brief(c.Old), brief(c.New))
	}
	return fmt.Sprintf("%s: %s %s → %s", name, c.Path, brief(c.Old), brief(c.New))
}

func brief(value any) string {
	if value == nil {
		return "nothing"
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return short(string(data))
}

// Compare tells what is different in a template from the live one, in the
// order of sections, names and paths. Order of keys and white space are no
// difference.
func Compare(live, next []byte) ([]Change, error) {
	before, err := decode("live", live)
	if err != nil {
		return nil, err
	}
	after, err := decode("new", next)
	if err != nil {
		return nil, err
	}
	var all []Change
	for _, section := range keys(before, after) {
		old, oldTable := before[section].(object)
		now, nowTable := after[section].(object)
		if (!oldTable && before[section] != nil) || (!nowTable && after[section] != nil) || (!oldTable && !nowTable) {
			differ(Change{Section: section}, before[section], after[section], &all)
			continue
		}
		for _, name := range keys(old, now) {
			differ(Change{Section: section, Name: name, Type: typeOf(section, old[name], now[name])}, old[name], now[name], &all)
		}
	}
	return all, nil
}

func decode(which string, data []byte) (object, error) {
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, fmt.Errorf("the %s template is not JSON: %w", which, err)
	}
	return o, nil
}

// typeOf is the type of a resource, of the new one where both have one.
func typeOf(section string, both ...any) string {
	found := ""
	for _, v := range both {
		if o, ok := v.(object); ok && section == "Resources" {
			if s, ok := o["Type"].(string); ok {
				found = s
			}
		}
	}
	return found
}

// differ goes down to the smallest parts that differ.
func differ(at Change, old, now any, all *[]Change) {
	if reflect.DeepEqual(old, now) {
		return
	}
	a, aTable := old.(object)
	b, bTable := now.(object)
	if aTable && bTable {
		for _, key := range keys(a, b) {
			differ(at.below(key), a[key], b[key], all)
		}
		return
	}
	c, aList := old.([]any)
	d, bList := now.([]any)
	if aList && bList && len(c) == len(d) {
		for i := range c {
			differ(at.below(strconv.Itoa(i)), c[i], d[i], all)
		}
		return
	}
	at.Old, at.New = old, now
	*all = append(*all, at)
}

func (c Change) below(key string) Change {
	if c.Path != "" {
		key = c.Path + "." + key
	}
	c.Path = key
	return c
}

func keys(a, b object) []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(all)
	return slices.Compact(all)
}
