package environment

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"bitbucket.org/fearless/pipes/shared/contract"
)

const (
	defaultHTTPDrain = 30 * time.Second
	longestHTTPDrain = time.Hour // AWS's limit
	// mostConditions is AWS's limit of hosts and paths in one rule.
	mostConditions  = 5
	highestPriority = 50000
	// lowestPort is the first that a process without root may open.
	lowestPort, highestPort = 1024, 65535
)

func (r *Role) readHTTP(v value) {
	t := v.table("hosts", "paths", "health", "drain", "port", "priority")
	h := &HTTP{Health: defaultHealth, Drain: defaultHTTPDrain, Port: contract.PortBase, at: v.at}
	r.HTTP = h
	if v, ok := t.get("hosts"); ok {
		h.Hosts = v.hosts(mostConditions)
	}
	if v, ok := t.get("paths"); ok {
		h.Paths = v.texts(rulePath, "a path such as /api/*", mostConditions)
	}
	if v, ok := t.get("health"); ok {
		h.Health, _ = v.match(urlPath, "a path such as /health")
	}
	if v, ok := t.get("drain"); ok {
		h.Drain, _ = v.duration(time.Second, longestHTTPDrain)
	}
	if v, ok := t.get("port"); ok {
		h.Port, _ = v.number(lowestPort, highestPort)
	}
	if v, ok := t.get("priority"); ok {
		h.Priority, _ = v.number(1, highestPriority)
	}
	switch {
	case r.Singleton:
		v.problemf("exactly: 1 and http do not go together, nobody would answer while the server is replaced")
	case r.Name != contract.RoleAll && r.Processes != nil && !slices.Contains(r.Processes, web):
		v.problemf("needs the process type web, which answers http; say processes: [web]")
	}
}

// checkRules fills in the hosts and priorities of the roles' rules, and
// refuses rules of which one would never be reached.
func (f *File) checkRules(t table) {
	rules, priorities := map[string]string{}, map[int]string{}
	for i := range f.Roles {
		r := &f.Roles[i]
		if r.HTTP == nil {
			continue
		}
		if r.HTTP.Hosts == nil && f.Balancer.Create != nil {
			r.HTTP.Hosts = f.Balancer.Create.Hosts
		}
		v := value{doc: t.doc, name: "roles." + r.Name + ".http", at: r.HTTP.at}
		rule := fmt.Sprintf("%q %q", r.HTTP.Hosts, r.HTTP.Paths)
		switch other := rules[rule]; {
		case other != "":
			v.problemf("answers the same requests as role %s, give one of them other hosts or paths", other)
		case len(r.HTTP.Hosts)+len(r.HTTP.Paths) > mostConditions:
			v.problemf("%d hosts and %d paths, at most %d together fit into a rule", len(r.HTTP.Hosts), len(r.HTTP.Paths), mostConditions)
		case f.Balancer.Use != nil && r.HTTP.Hosts == nil:
			v.problemf("hosts is missing, a used balancer serves others as well")
		}
		rules[rule] = r.Name
		if r.HTTP.Priority == 0 {
			r.HTTP.Priority = f.priority(*r)
		}
		if other := priorities[r.HTTP.Priority]; other != "" {
			v.problemf("its rule has the same priority as that of role %s, give one of them another (priority: 1 to %d)", other, highestPriority)
		}
		priorities[r.HTTP.Priority] = r.Name
	}
}

// priority is where the rule of a role goes: the more it asks for, the
// earlier. It depends on names and not on the order of roles, because two
// rules cannot swap their priorities in one update.
func (f *File) priority(r Role) int {
	const band = 10000
	h := fnv.New32a()
	fmt.Fprintf(h, "%s/%s/%s", f.Application, f.Environment, r.Name)
	within := int(h.Sum32()%(band-1)) + 1
	switch {
	case len(r.HTTP.Hosts) > 0 && len(r.HTTP.Paths) > 0:
		return within
	case len(r.HTTP.Hosts) > 0 || len(r.HTTP.Paths) > 0:
		return band + within
	}
	return 2*band + within
}
