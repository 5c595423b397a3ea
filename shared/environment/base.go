package environment

// Outputs of the base. Servers has a parameter of the same name for those it
// needs.
const (
	OutputVPC             = "VpcId"
	OutputSubnets         = "Subnets" // where servers go, separated by commas
	OutputBalancerSubnets = "BalancerSubnets"
	OutputServerGroup     = "ServerSecurityGroup"
	OutputProfile         = "InstanceProfileArn"
	OutputListener        = "ListenerArn"
	OutputBalancerDNS     = "BalancerDns"
	OutputBalancerZone    = "BalancerZone"
	OutputHosts           = "HostNames" // separated by commas
)

// Protect is the parameter of the base that switches deletion protection on,
// in protected environments only. Its value is true; a first create needs
// false, or it could not be undone when it fails.
const Protect = "Protect"

// Boundary is the parameter of the base that takes the ARN of the permissions
// boundary of the servers' role, where the account has one. Default: NoBoundary.
const (
	Boundary   = "ServerBoundary"
	NoBoundary = "none"
)

// Base is the template of the base. A part of it is a pair of files: one that
// reads its key of the environment file (network.go) and one that makes its
// resources (base_network.go). A database or a cache would be such a pair, and
// a line here.
func (f *File) Base() *Template {
	t := newTemplate(f.Application + " " + f.Environment + ": network, balancer and rights of servers")
	n := f.baseNetwork(t)
	f.baseBalancer(t, n)
	f.baseServers(t, n)
	return t
}

// site is how the parts of the base refer to the network.
type site struct {
	vpc             any
	subnets         any // a list
	balancerSubnets any // a list
	gateway         string
}

// named is the Name tag, for people who look at the console.
func (f *File) named(what string) []any {
	return tags(map[string]string{"Name": f.ServersStack() + " " + what})
}
