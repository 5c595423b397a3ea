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
	a, b := typeForm.FindStringSubmatch(from), typeForm.FindStringSubmatch(to)
	if a == nil || b == nil || a[4] != b[4] || a[5] != b[5] {
		return false
	}
	length := func(text string) int {
		n, err := strconv.Atoi(text)
		if err != nil {
			return 1 << 30 // not limited
		}
		return n
	}
	nameA, nameB := strings.TrimSpace(a[1]), strings.TrimSpace(b[1])
	switch {
	case nameA == "numeric" && nameB == "numeric":
		if b[2] == "" {
			return true
		}
		scaleA, scaleB := length(a[3]), length(b[3])
		if a[2] == "" {
			return false
		}
		if a[3] == "" {
			scaleA = 0
		}
		if b[3] == "" {
			scaleB = 0
		}
		return scaleB >= scaleA && length(b[2])-scaleB >= length(a[2])-scaleA
	case nameA == nameB:
		return length(b[2]) >= length(a[2])
	case nameB == "numeric":
		return slices.Contains(wider[nameA], nameB) && b[2] == ""
	}
	return slices.Contains(wider[nameA], nameB) && length(b[2]) >= length(a[2])
}
