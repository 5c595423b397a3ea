package release

// Role is one role of a stack of servers, as far as changing and following it needs. The
// ids are logical ones, of its template.
type Role struct {
	Name      string
	Group     string // Auto Scaling group
	Targets   string // target group; blank: the balancer sends nothing
	Capacity  string // parameter that says how many servers to start with
	Min, Max  int    // servers
	Singleton bool   // there must never be two

	Processes []string // process types of the Procfile; none: all of them
	Instance  string   // type of server
	Health    string   // path that the balancer asks; blank without one
	Port      int      // where it asks; 0 without one

	// Contract is the version of what its servers are told; 0: of this program.
	Contract int
}

// clamp is the nearest number of servers that the role allows.
func (r Role) clamp(live int) int { return min(max(live, r.Min), r.Max) }

// Sizes are the sizes to start new groups with: those that scaling has reached, within what
// the roles allow. A role without a group starts at its minimum.
func (o *Operator) Sizes(live *Live) map[string]int {
	sizes := map[string]int{}
	for _, role := range o.Roles {
		sizes[role.Name] = role.Min
		for _, g := range live.Groups {
			if g.Name == live.Physical[role.Group] {
				sizes[role.Name] = role.clamp(g.Desired)
			}
		}
	}
	return sizes
}
