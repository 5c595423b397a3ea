package environment

import (
	"regexp"
	"time"
)

// Balancer is the way in: a new load balancer, or a listener of somebody else's.
type Balancer struct {
	Create *NewBalancer
	Use    *UsedBalancer
}

// NewBalancer is a load balancer that the base makes.
type NewBalancer struct {
	// Hosts are the names under which users come. Default: any.
	Hosts []string

	// Certificate of ACM. Default: none, the balancer speaks http only.
	Certificate *Reference

	// Redirect sends http to https; without it port 80 stays closed. Default:
	// true, with a certificate.
	Redirect bool

	// Idle is how long a connection may be silent. Default: 60s.
	Idle time.Duration
}

// UsedBalancer is a listener that exists, and the security group from which
// its requests come. Other environments may share it, so roles must name hosts.
type UsedBalancer struct {
	Listener, SecurityGroup Reference
}

const (
	mostHosts   = 25
	longestHost = 128 // AWS's limit in a rule
)

var (
	// hostName needs a dot, as AWS's rules do; only whole first labels may be *.
	hostName = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$`)
	hostText = "a host name in lower case such as shop.example.com"
)

func (f *File) readBalancer(t table) {
	v, ok := t.get("balancer")
	if !ok {
		return // checkBalancer makes one where a role needs it
	}
	f.Balancer = &Balancer{}
	create, use, ok := v.table("create", "use").either()
	switch {
	case !ok:
	case use != nil:
		u := use.table("listener", "security_group")
		f.Balancer.Use = &UsedBalancer{}
		if u.values != nil {
			f.Balancer.Use.Listener = u.reference("listener", listenerARN)
			f.Balancer.Use.SecurityGroup = u.reference("security_group", securityGroupID)
		}
	default:
		f.Balancer.Create = readNewBalancer(create.table("hosts", "certificate", "redirect", "idle"))
	}
}

func readNewBalancer(t table) *NewBalancer {
	b := &NewBalancer{Idle: time.Minute}
	if v, ok := t.get("hosts"); ok {
		b.Hosts = v.hosts(mostHosts)
	}
	if v, ok := t.get("certificate"); ok {
		r, _ := v.reference(certificateARN)
		b.Certificate, b.Redirect = &r, true
	}
	if v, ok := t.get("redirect"); ok {
		redirect := v.boolean()
		if redirect && b.Certificate == nil {
			v.problemf("there is no https to redirect to, it needs a certificate")
		}
		b.Redirect = redirect
	}
	if v, ok := t.get("idle"); ok {
		b.Idle, _ = v.duration(time.Second, time.Hour)
	}
	return b
}

// hosts is a list of host names.
func (v value) hosts(most int) []string {
	all := v.texts(hostName, hostText, most)
	for _, host := range all {
		if len(host) > longestHost {
			v.problemf("%q is longer than %d characters", short(host), longestHost)
		}
	}
	return all
}

// checkBalancer is for what balancer, network and roles must be together.
func (f *File) checkBalancer(t table) {
	needed := false
	for _, r := range f.Roles {
		needed = needed || r.HTTP != nil
	}
	if f.Balancer == nil && needed {
		f.Balancer = &Balancer{Create: &NewBalancer{Idle: time.Minute}}
	}
	if f.Balancer == nil {
		return
	}
	switch {
	case f.Balancer.Use != nil && f.Network.Create != nil:
		v, _ := t.get("balancer")
		v.problemf("a used balancer needs a used network (network: use), it reaches servers in its own network only")
	case f.Balancer.Create != nil && f.Network.Use != nil:
		if s := f.Network.Use.BalancerSubnets; len(s) == 1 && known(s) {
			v, _ := t.get("network")
			v.problemf("a new balancer needs subnets in two zones, give balancer_subnets")
		}
	}
}

// Hosts are the names under which users come to the environment, over all roles.
func (f *File) Hosts() []string {
	if f.Balancer != nil && f.Balancer.Create != nil && len(f.Balancer.Create.Hosts) > 0 {
		return f.Balancer.Create.Hosts
	}
	var all []string
	seen := map[string]bool{}
	for _, r := range f.Roles {
		if r.HTTP == nil {
			continue
		}
		for _, h := range r.HTTP.Hosts {
			if !seen[h] {
				seen[h], all = true, append(all, h)
			}
		}
	}
	return all
}
