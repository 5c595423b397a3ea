package wire

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
)

// Params reads the parameters of a query request and remembers which were
// asked for. The first thing that is wrong is kept, so that decoders read
// straight on and need not look at errors.
type Params struct {
	*reading
	prefix string
}

// reading is what the Params of one request, nested ones too, have in common.
type reading struct {
	form url.Values
	used map[string]bool
	err  *Error

	// member is what stands between a list's name and its numbers.
	member string

	// missing is the code for a parameter that must be there.
	missing string
}

func newParams(o operation.Operation) *Params {
	r := &reading{form: o.Form, used: map[string]bool{}, missing: "MissingParameter"}
	if o.Protocol == operation.Query {
		r.member, r.missing = "member.", "ValidationError"
	}
	return &Params{reading: r}
}

// Fail records that the request is wrong, unless something was before.
func (p *Params) Fail(err *Error) {
	if p.err == nil {
		p.err = err
	}
}

// String is the value of a parameter, "" when it is not there.
func (p *Params) String(name string) string {
	p.used[p.prefix+name] = true
	return p.form.Get(p.prefix + name)
}

// Need is the value of a parameter that must be there.
func (p *Params) Need(name string) string {
	value := p.String(name)
	if value == "" {
		p.Fail(Errorf(p.missing, "The request must contain the parameter %s", p.prefix+name))
	}
	return value
}

// Int is a number from low to high, or fallback when it is not there.
func (p *Params) Int(name string, low, high, fallback int) int {
	text := p.String(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		p.Fail(Errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Expecting a number from %d to %d.",
			text, p.prefix+name, low, high))
		return fallback
	}
	return n
}

// Bool is a truth value; fallback when it is not there.
func (p *Params) Bool(name string, fallback bool) bool {
	switch text := p.String(name); text {
	case "":
		return fallback
	case "true":
		return true
	case "false":
		return false
	default:
		p.Fail(Errorf("InvalidParameterValue", "Invalid value '%s' for boolean parameter %s", text, p.prefix+name))
		return fallback
	}
}

// OneOf is one of the values that are understood; the first is the fallback.
func (p *Params) OneOf(name string, allowed ...string) string {
	text := p.String(name)
	if text == "" {
		return allowed[0]
	}
	if !slices.Contains(allowed, text) {
		p.Fail(Errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid. The local cloud knows %s.",
			text, p.prefix+name, strings.Join(allowed, ", ")))
	}
	return text
}

// Sub reads the parts of a structure.
func (p *Params) Sub(name string) *Params {
	return &Params{reading: p.reading, prefix: p.prefix + name + "."}
}

// Strings is a list of values.
func (p *Params) Strings(name string) []string {
	var values []string
	for _, n := range p.numbers(name) {
		values = append(values, p.String(name+"."+p.member+strconv.Itoa(n)))
	}
	return values
}

// Groups is a list of structures.
func (p *Params) Groups(name string) []*Params {
	var groups []*Params
	for _, n := range p.numbers(name) {
		groups = append(groups, p.Sub(name+"."+p.member+strconv.Itoa(n)))
	}
	return groups
}

// numbers are the positions of a list in order. An empty list of an awsQuery
// service arrives as the bare name without a value, and counts as read.
func (p *Params) numbers(name string) []int {
	if p.form.Get(p.prefix+name) == "" {
		p.used[p.prefix+name] = true
	}
	found := map[int]bool{}
	for key := range p.form {
		rest, ok := strings.CutPrefix(key, p.prefix+name+"."+p.member)
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			found[n] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Fingerprint is the same for two requests with the same parameters, apart
// from those that are named.
func (p *Params) Fingerprint(except ...string) string {
	rest := maps.Clone(p.form)
	for _, name := range except {
		delete(rest, name)
	}
	return rest.Encode()
}

// finish is failure as an error, nil when nothing is wrong.
func (p *Params) finish() error {
	if failure := p.failure(); failure != nil {
		return failure
	}
	return nil
}

// failure says what is wrong with the request: what a decoder found, else a
// parameter that no decoder asked for.
func (p *Params) failure() *Error {
	if p.err != nil {
		return p.err
	}
	for _, name := range slices.Sorted(maps.Keys(p.form)) {
		if !p.used[name] {
			return Errorf("UnknownParameter", "The parameter %s is not recognized", name)
		}
	}
	return nil
}
