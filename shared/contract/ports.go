package contract

// PortBase is the port of the process type web; the others follow in steps of
// PortStep, in the order of the Procfile.
const (
	PortBase = 8000
	PortStep = 100
)

// Ports gives each process type its port. types is the Procfile's order, given
// overrides single ones, and base is PortBase except where servers share one
// address: there all ports, given ones too, move by the same distance, so that
// a balancer can find port p of a server at p - PortBase + base.
func Ports(types []string, given map[string]int, base int) map[string]int {
	ports := make(map[string]int, len(types))
	taken := make(map[int]bool, len(types))
	for _, t := range types {
		if p := given[t]; p > 0 {
			ports[t], taken[p] = p, true
		}
	}
	claim := func(t string, p int) {
		if t == ReleaseProcess || ports[t] != 0 {
			return
		}
		for taken[p] {
			p += PortStep
		}
		ports[t], taken[p] = p, true
	}
	for _, t := range types {
		if t == "web" {
			claim(t, PortBase)
		}
	}
	next := PortBase // stays web's own, even where there is no web
	for _, t := range types {
		if t == "web" || t == ReleaseProcess {
			continue
		}
		next += PortStep
		claim(t, next)
	}
	for t := range ports {
		ports[t] += base - PortBase
	}
	return ports
}
