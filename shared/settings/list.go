package settings

import "strings"

// List is a variable of several values: "a, b", or one value per line, or a
// YAML list, which Bitbucket hands over as NAME_COUNT, NAME_0, NAME_1, and so
// on. Values with commas need one of the latter two. Blank values are dropped.
type List []string

// Decode reads the one-variable form.
func (l *List) Decode(value string) error {
	separator := ","
	if strings.Contains(strings.TrimSpace(value), "\n") {
		separator = "\n"
	}
	var items List
	for item := range strings.SplitSeq(value, separator) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	*l = items
	return nil
}

// String is the list as it can be written in one variable.
func (l List) String() string { return strings.Join(l, ", ") }

func (List) typeName() string { return typeList }
