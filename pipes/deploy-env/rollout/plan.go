package rollout

import (
	"fmt"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/stack"
)

// explain puts the changes of a stack into lines for people: what appears, what goes,
// what is replaced, and what changes in place.
func explain(changes []stack.Change) []string {
	var lines []string
	for _, c := range changes {
		kind := strings.TrimPrefix(c.Type, "AWS::")
		properties := ""
		if len(c.Properties) > 0 {
			properties = ": " + strings.Join(c.Properties, ", ")
		}
		switch {
		case c.Action == "Add":
			lines = append(lines, fmt.Sprintf("+ %s (%s)", c.LogicalID, kind))
		case c.Action == "Remove":
			lines = append(lines, fmt.Sprintf("- %s (%s) %s", c.LogicalID, kind, c.Physical))
		case c.Replacement == "True":
			lines = append(lines, fmt.Sprintf("± %s (%s) is replaced%s", c.LogicalID, kind, properties))
		case c.Replacement == "Conditional":
			lines = append(lines, fmt.Sprintf("± %s (%s) may be replaced%s", c.LogicalID, kind, properties))
		default:
			lines = append(lines, fmt.Sprintf("~ %s (%s)%s", c.LogicalID, kind, properties))
		}
	}
	slices.Sort(lines)
	return lines
}

// interrupting finds changes of the base that take something away from servers that
// are running: what is replaced or removed, unless it was allowed by name.
func interrupting(changes []stack.Change, allowed []string) []string {
	var names []string
	for _, c := range changes {
		if (c.Replaces() || c.Action == "Remove") && !slices.Contains(allowed, c.LogicalID) {
			names = append(names, c.LogicalID)
		}
	}
	slices.Sort(names)
	return names
}

// onlySizes reports whether the one difference is how many servers scaling has started
// since the last release: nothing that anybody asked to be changed.
func onlySizes(changes []stack.Change) bool {
	for _, c := range changes {
		sized := c.Type == "AWS::AutoScaling::AutoScalingGroup" && slices.Equal(c.Properties, []string{"DesiredCapacity"})
		if c.Action != "Modify" || c.Replaces() || !sized {
			return false
		}
	}
	return len(changes) > 0
}
