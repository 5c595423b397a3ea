package rollout

import (
	"slices"

	"bitbucket.org/fearless/pipes/shared/stack"
)

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
