package rule

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var typeForm = regexp.MustCompile(`^([^(]*?)(?:\((\d+)(?:,(\d+))?\))?( with(?:out)? time zone)?(\[\])?$`)

// wider lists for a type those that hold all of its values and read the same.
var wider = map[string][]string{
	"smallint": {"integer", "bigint", "numeric"}, "integer": {"bigint", "numeric"}, "bigint": {"numeric"},
	"real": {"double precision"}, "character varying": {"text"}, "text": {"character varying"},
	"character": {}, "cidr": {"inet"}, "json": {"jsonb"},
}

// widens tells whether every value, parameter and comparison of the old type does for the
// new one, too.
func widens(from, to string) bool {
	if from == to {
		return true
	}
	a, b := typeForm.FindStringSubmatch(from), typeForm.FindStringSubmatch(to)
	if a == nil || b == nil || a[4] != b[4] || a[5] != b[5] {
		return false
	}
	nameA, nameB := strings.TrimSpace(a[1]), strings.TrimSpace(b[1])
	switch {
	case nameA == "numeric" && nameB == "numeric":
		return widerNumeric(a[2], a[3], b[2], b[3])
	case nameA == nameB:
		return length(b[2]) >= length(a[2])
	case nameB == "numeric":
		return slices.Contains(wider[nameA], nameB) && b[2] == ""
	}
	return slices.Contains(wider[nameA], nameB) && length(b[2]) >= length(a[2])
}

// length is what is in brackets; without, it is not limited.
func length(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 1 << 30
	}
	return n
}

// widerNumeric compares the digits before and behind the point. A precision without a
// scale has none behind it.
func widerNumeric(precisionA, scaleA, precisionB, scaleB string) bool {
	if precisionB == "" || precisionA == "" {
		return precisionB == ""
	}
	digits := func(scale string) int {
		if scale == "" {
			return 0
		}
		return length(scale)
	}
	behindA, behindB := digits(scaleA), digits(scaleB)
	return behindB >= behindA && length(precisionB)-behindB >= length(precisionA)-behindA
}
