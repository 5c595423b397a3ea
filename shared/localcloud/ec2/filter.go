package ec2

import (
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// filter is one condition of a describe call: any of the values.
type filter struct {
	name   string
	values []string
}

// describe is what all describe calls have in common.
type describe struct {
	ids     []string
	owners  []string
	filters []filter
	limit   int
	token   string
}

// decodeDescribe makes a decoder for a call that takes ids, filters of the
// given names and of tags, and pages.
func decodeDescribe(idName string, names []string) func(*wire.Params) describe {
	return func(p *wire.Params) describe {
		d := describe{ids: p.Strings(idName), limit: p.Int("MaxResults", 1, 1000, 0), token: p.String("NextToken")}
		for _, group := range p.Groups("Filter") {
			f := filter{name: group.Need("Name"), values: group.Strings("Value")}
			if !slices.Contains(names, f.name) && f.name != "tag-key" && !strings.HasPrefix(f.name, "tag:") {
				p.Fail(wire.Errorf("InvalidParameterValue", "The filter '%s' is invalid", f.name))
			}
			d.filters = append(d.filters, f)
		}
		if len(d.ids) > 0 && d.limit > 0 {
			p.Fail(wire.Errorf("InvalidParameterCombination", "The parameter %s cannot be used with the parameter maxResults", idName))
		}
		return d
	}
}

// matches reports whether a resource passes every filter; values gives the
// resource's value for a filter's name.
func (d describe) matches(tags world.Tags, values func(string) string) bool {
	for _, f := range d.filters {
		if !slices.ContainsFunc(f.values, func(pattern string) bool { return f.match(pattern, tags, values) }) {
			return false
		}
	}
	return true
}

func (f filter) match(pattern string, tags world.Tags, values func(string) string) bool {
	if f.name == "tag-key" {
		return slices.ContainsFunc(tags.Keys(), func(key string) bool { return like(pattern, key) })
	}
	if key, ok := strings.CutPrefix(f.name, "tag:"); ok {
		value, tagged := tags[key]
		return tagged && like(pattern, value)
	}
	return like(pattern, values(f.name))
}

// like compares with the wildcards of filters: * is any text, ? is one
// character, and \ takes the meaning from the next.
func like(pattern, text string) bool {
	return likeRunes([]rune(pattern), []rune(text))
}

func likeRunes(pattern, text []rune) bool {
	for len(pattern) > 0 {
		switch pattern[0] {
		case '*':
			for n := 0; n <= len(text); n++ {
				if likeRunes(pattern[1:], text[n:]) {
					return true
				}
			}
			return false
		case '?':
			if len(text) == 0 {
				return false
			}
		case '\\':
			if len(pattern) > 1 {
				pattern = pattern[1:]
			}
			fallthrough
		default:
			if len(text) == 0 || text[0] != pattern[0] {
				return false
			}
		}
		pattern, text = pattern[1:], text[1:]
	}
	return len(text) == 0
}

// byOrdinal brings resources into the order of their creation.
func byOrdinal[T any](all map[string]T, ordinal func(T) int64) []T {
	list := make([]T, 0, len(all))
	for _, item := range all {
		list = append(list, item)
	}
	slices.SortFunc(list, func(a, b T) int { return int(ordinal(a) - ordinal(b)) })
	return list
}
