package cloudformation

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

const maxValue = 4096 // bytes of a parameter

// parameter is one parameter of a template.
type parameter struct {
	kind        string
	fallback    *string
	allowed     []string
	pattern     *regexp.Regexp
	constraint  string // what its author says when a value does not fit
	hidden      bool
	minimum     *float64
	maximum     *float64
	shortest    *float64
	longest     *float64
	description string
}

const (
	stringKind = "String"
	numberKind = "Number"
	listKind   = "CommaDelimitedList"
	storedKind = "AWS::SSM::Parameter::Value<"
)

func (r *sectionReader) parameter(name string, value any) parameter {
	part := r.object("Parameter "+name, value)
	p := parameter{
		kind: r.text(part, "Type"), constraint: r.text(part, "ConstraintDescription"), description: r.text(part, "Description"),
		minimum: r.number(part, "MinValue"), maximum: r.number(part, "MaxValue"),
		shortest: r.number(part, "MinLength"), longest: r.number(part, "MaxLength"),
	}
	stored := []string{storedKind + "String>", storedKind + "AWS::EC2::Image::Id>"}
	if !slices.Contains(append(stored, stringKind, numberKind, listKind), p.kind) {
		r.fail(malformed("Unrecognized parameter type: %s (%s)", p.kind, name))
	}
	if fallback, ok := part["Default"]; ok {
		text, isText := resource.Scalar(fallback)
		if !isText {
			r.fail(malformed("Every Default member must be a string."))
		}
		p.fallback = &text
	}
	allowed, _ := part["AllowedValues"].([]any)
	for _, value := range allowed {
		text, _ := resource.Scalar(value)
		p.allowed = append(p.allowed, text)
	}
	if text := r.text(part, "AllowedPattern"); text != "" {
		pattern, err := regexp.Compile(`^(?:` + text + `)$`)
		if err != nil {
			r.fail(malformed("AllowedPattern of parameter %s: %v", name, err))
		}
		p.pattern = pattern
	}
	if hidden, ok := part["NoEcho"]; ok {
		text, _ := resource.Scalar(hidden)
		p.hidden = text == "true"
	}
	r.known("template parameter property", part, "Type", "Default", "AllowedValues", "AllowedPattern", "ConstraintDescription",
		"Description", "NoEcho", "MinValue", "MaxValue", "MinLength", "MaxLength")
	return p
}

func (r *sectionReader) number(part map[string]any, name string) *float64 {
	value, ok := part[name]
	if !ok {
		return nil
	}
	text, _ := resource.Scalar(value)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		r.fail(malformed("%s must be a number.", name))
	}
	return &n
}

// given is a parameter as a caller sends it.
type given struct {
	key, value string
	previous   bool
}

// fill gives every parameter its text: what the caller sent, what it was
// before if the caller says so, or its default.
func (t *template) fill(sent []given, before map[string]string) (map[string]string, error) {
	texts := map[string]string{}
	var unknown, missing []string
	for _, g := range sent {
		if _, ok := t.parameters[g.key]; !ok {
			unknown = append(unknown, g.key)
			continue
		}
		texts[g.key] = g.value
		if g.previous {
			value, ok := before[g.key]
			if !ok || g.value != "" {
				return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", g.key)
			}
			texts[g.key] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.parameters)) {
		p := t.parameters[name]
		if _, ok := texts[name]; !ok {
			if p.fallback == nil {
				missing = append(missing, name)
				continue
			}
			texts[name] = *p.fallback
		}
		if err := p.accepts(name, texts[name]); err != nil {
			return nil, err
		}
	}
	switch {
	case unknown != nil:
		return nil, invalid("Parameters: [%s] do not exist in the template", strings.Join(unknown, ", "))
	case missing != nil:
		return nil, invalid("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	return texts, nil
}

// accepts says why a value does not fit.
func (p parameter) accepts(name, text string) error {
	problem := p.problem(text)
	switch {
	case problem == "":
		return nil
	case p.constraint != "":
		return invalid("Parameter '%s' failed to satisfy constraint: %s", name, p.constraint)
	}
	return invalid("Parameter '%s' %s", name, problem)
}

func (p parameter) problem(text string) string {
	n, err := strconv.ParseFloat(text, 64)
	length := float64(len([]rune(text)))
	switch {
	case len(text) > maxValue:
		return "must not be longer than 4096 bytes"
	case p.allowed != nil && !slices.Contains(p.allowed, text):
		return "must be one of AllowedValues"
	case p.pattern != nil && !p.pattern.MatchString(text):
		return "must match pattern " + strings.TrimSuffix(strings.TrimPrefix(p.pattern.String(), "^(?:"), ")$")
	case p.shortest != nil && length < *p.shortest:
		return "must contain at least " + strconv.FormatFloat(*p.shortest, 'f', -1, 64) + " characters"
	case p.longest != nil && length > *p.longest:
		return "must contain at most " + strconv.FormatFloat(*p.longest, 'f', -1, 64) + " characters"
	case p.kind == numberKind && err != nil:
		return "must be a number"
	case p.minimum != nil && n < *p.minimum:
		return "must be a number not less than " + strconv.FormatFloat(*p.minimum, 'f', -1, 64)
	case p.maximum != nil && n > *p.maximum:
		return "must be a number not greater than " + strconv.FormatFloat(*p.maximum, 'f', -1, 64)
	}
	return ""
}

// values are the parameters as Ref gives them. stored reads Parameter Store,
// which happens when the change set is made, not when it is executed.
func (t *template) values(texts map[string]string, stored func(name string) (string, bool)) (map[string]any, error) {
	values := map[string]any{}
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		text := texts[name]
		switch kind := t.parameters[name].kind; {
		case strings.HasPrefix(kind, storedKind):
			value, ok := stored(text)
			if !ok {
				missing = append(missing, text)
			}
			values[name] = value
		case kind == listKind:
			items := []any{}
			for item := range strings.SplitSeq(text, ",") {
				items = append(items, strings.TrimSpace(item))
			}
			values[name] = items
		case kind == numberKind:
			values[name] = json.Number(text)
		default:
			values[name] = text
		}
	}
	if missing != nil {
		return nil, invalid("Unable to fetch parameters [%s] from parameter store for this account.", strings.Join(missing, ","))
	}
	return values, nil
}
