package environment

import (
	"regexp"
	"slices"
	"time"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// Defaults and bounds of roles.
const (
	defaultInstance = "t3.small"
	defaultStart    = 10 * time.Minute
	defaultHealth   = "/health"
	defaultCPU      = 60

	mostRoles   = 20
	mostServers = 100
	// longestStart is CloudFormation's limit for a server of a rolling update.
	longestStart = time.Hour
	web          = "web" // the process type that answers http
)

var (
	processName  = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)
	instanceType = regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z0-9-]+$`)
	// gravitonType matches the families whose processors are arm64: a generation
	// digit followed by g, as in t4g, m7gd, c8gn.
	gravitonType = regexp.MustCompile(`^[a-z]+[0-9]+g[a-z]*\.|^a1\.`)
	roleName     = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	urlPath      = regexp.MustCompile(`^/[A-Za-z0-9_./~%+:@!,;=&?-]{0,255}$`)
	rulePath     = regexp.MustCompile(`^/[A-Za-z0-9_./~+:@*$&?-]{0,127}$`)
)

// taken are role names whose resources would be called like others.
var taken = []string{contract.ReleaseProcess, "server-security"}

func architecture(instance string) string {
	if gravitonType.MatchString(instance) {
		return "arm64"
	}
	return "x86_64"
}

func (f *File) readRoles(t table) {
	v, ok := t.get("roles")
	if !ok {
		t.problemf("roles is missing, an environment has at least one")
		return
	}
	before := len(v.doc.problems)
	roles := v.entries()
	switch n := len(roles.keys); {
	case roles.values == nil:
		return
	case n == 0 && len(v.doc.problems) == before:
		v.problemf("no role, an environment has at least one")
	case n > mostRoles:
		v.problemf("%d roles, at most %d are possible", n, mostRoles)
		return
	}
	first := map[string]string{}
	for _, name := range roles.keys {
		key := roles.values[name]
		switch other := first[camel(name)]; {
		case len(name) > 31 || !roleName.MatchString(name):
			key.problemf("not a name for a role: lower-case letters, digits and single dashes, a letter first, at most 31")
			continue
		case slices.Contains(taken, name):
			key.problemf("the name is taken, choose another one")
			continue
		case other != "":
			key.problemf("too much like %s, their resources would have the same names", other)
			continue
		}
		first[camel(name)] = name
		row, _ := roles.get(name)
		f.Roles = append(f.Roles, readRole(name, key.at, row))
	}
}

func readRole(name string, where place, v value) Role {
	r := Role{Name: name, Instance: defaultInstance, Start: defaultStart, Drain: contract.DefaultDrain.Std(), at: where}
	t := v.table("processes", "instance", "min", "max", "exactly", "http", "ready", "start", "drain", "scale")
	r.readProcesses(t)
	if v, ok := t.get("instance"); ok {
		r.Instance, _ = v.match(instanceType, "a type of server such as t3.small")
	}
	r.readSize(t)
	if v, ok := t.get("http"); ok {
		r.readHTTP(v)
	}
	if v, ok := t.get("ready"); ok {
		r.Ready, _ = v.match(regexp.MustCompile(`^.{1,1000}$`), "a command of at most 1000 characters")
	}
	if v, ok := t.get("start"); ok {
		r.Start, _ = v.duration(time.Minute, longestStart)
	}
	if v, ok := t.get("drain"); ok {
		r.Drain, _ = v.duration(time.Second, contract.MaxDrain.Std())
	}
	r.readScale(t)
	return r
}

func (r *Role) readProcesses(t table) {
	v, ok := t.get("processes")
	switch {
	case !ok && r.Name == contract.RoleAll:
		return // every type but release
	case !ok:
		r.Processes = []string{r.Name}
		return
	case r.Name == contract.RoleAll:
		v.problemf("the role all runs every process type; give the role another name to choose")
		return
	}
	r.Processes = v.texts(processName, "a process type of the Procfile", 20)
	for _, special := range []string{contract.ReleaseProcess, contract.RoleAll} {
		if slices.Contains(r.Processes, special) {
			v.problemf("%s is no process that a role can run", special)
		}
	}
}

// readSize reads min and max, or exactly: 1. Zero servers are no role: what
// must not run is left out of the file.
func (r *Role) readSize(t table) {
	r.Min, r.Max = 1, 1
	if v, ok := t.get("exactly"); ok {
		r.Singleton = true
		if _, one := v.number(1, 1); one && (t.has("min") || t.has("max")) {
			v.problemf("there is a min or max as well, exactly stands alone")
		}
		return
	}
	sized := true
	if v, ok := t.get("min"); ok {
		r.Min, sized = v.number(1, mostServers)
	}
	r.Max = r.Min
	v, ok := t.get("max")
	if !ok {
		return
	}
	if r.Max, ok = v.number(1, mostServers); ok && sized && r.Max < r.Min {
		v.problemf("%d is below min, which is %d", r.Max, r.Min)
	}
}

func (r *Role) readScale(t table) {
	if r.Max > r.Min {
		r.CPU = defaultCPU
	}
	v, ok := t.get("scale")
	if !ok {
		return
	}
	if r.Max <= r.Min {
		v.problemf("has no effect, max is not above min")
		return
	}
	s := v.table("cpu")
	if cpu, ok := s.get("cpu"); ok {
		r.CPU, _ = cpu.number(10, 95)
	}
}
