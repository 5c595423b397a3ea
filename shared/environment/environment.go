// Package environment turns an environment file (environments/staging.yml)
// into the two CloudFormation templates of that environment: the base, which
// changes rarely, and the servers, which a release changes.
//
// It is pure: nothing here calls AWS. What only the account knows comes in as
// values of parameters, so the same file always makes the same templates.
package environment

import (
	"strings"
	"time"
)

// File is an environment file, with the defaults applied.
type File struct {
	Path        string // as it stands in messages
	Environment string // the file's name without .yml
	Application string

	// Protected environments cannot be destroyed by a pipe. Default: true for
	// production, false for all others.
	Protected bool

	Network  Network
	Balancer *Balancer // nil: none. Default: a new one when a role has http

	// Profile is somebody else's instance profile. Default: a new role that may
	// do what servers do and nothing else.
	Profile *Reference

	// Settings are the Parameter Store paths of the application's settings; a
	// later one wins. Default: none.
	Settings []string

	Release Release
	Roles   []Role // in the order of the file

	// Soak is how long the old servers stay after the new ones are live, in
	// whole minutes. Default: 5m.
	Soak time.Duration
}

// Release is the run of the Procfile's release process.
type Release struct {
	// When is one of the constants below. Default: changed.
	When string

	// Paths are files and folders of the repository that decide about changed: the
	// migrations. Default: none, and changed is always.
	Paths []string

	// Timeout is how long it may take. Default: 15m.
	Timeout time.Duration

	// Instance is the type of the server it runs on. Default: that of the role
	// web, or else of the first role.
	Instance string

	at place
}

// When the release process runs.
const (
	WhenChanged = "changed" // when its migrations are other ones than at the last release
	WhenAlways  = "always"
	WhenNever   = "never"
)

// Role is a kind of server.
type Role struct {
	Name string

	// Processes are process types of the Procfile. Default: the one of the
	// role's name. Empty only for the role all, which runs every type.
	Processes []string

	// Instance is the type of server. Default: t3.small, which fits the images
	// that ami-bake makes by default.
	Instance string

	// Min and Max are how many servers there may be. Default: 1, and as many as
	// Min.
	Min, Max int

	// Singleton says that there must never be two (exactly: 1).
	Singleton bool

	HTTP *HTTP // nil: the balancer sends nothing

	// Ready is a command that succeeds when a server may take part. Default:
	// none, boot judges by itself.
	Ready string

	// Start is how long a server may take to become ready. Default: 10m.
	Start time.Duration

	// Drain is how long processes may take to end. Default: 30s.
	Drain time.Duration

	// CPU is the average load in percent that scaling aims at. Default: 60
	// where Max is above Min; 0: the role does not scale.
	CPU int

	at place
}

// HTTP is what the balancer sends to a role.
type HTTP struct {
	// Hosts and Paths choose the requests. Default: the balancer's hosts, all
	// paths.
	Hosts, Paths []string

	// Health is the path that answers 200 when a server is well. Default:
	// /health.
	Health string

	// Port is where the process type web listens. Default: 8000.
	Port int

	// Drain is how long a server that leaves may go on answering the requests
	// it has. Default: 30s.
	Drain time.Duration

	// Priority is the place of the role's rule in the listener. Default: rules
	// with hosts and paths before those with one of them, and those before
	// rules for everything; among equals by a hash of the names.
	Priority int

	at place
}

// BaseStack is the name of the stack of Base.
func (f *File) BaseStack() string { return f.ServersStack() + "-base" }

// ServersStack is the name of the stack of Servers.
func (f *File) ServersStack() string { return f.Application + "-" + f.Environment }

// Logs is the prefix in the bucket under which servers leave their logs.
func (f *File) Logs() string { return "logs/" + f.Application + "/" + f.Environment }

// Tags of what belongs to an environment.
const (
	TagApplication = "fearless:application"
	TagEnvironment = "fearless:environment"
	TagRole        = "fearless:role"
	TagCommit      = "fearless:commit"   // what was released
	TagSettings    = "fearless:settings" // digest of the settings it was released with
	TagRelease     = "fearless:release"  // of a group: the server that ran the release process before it, or none
)

// Tags are the tags of both stacks. They hold nothing that a release changes,
// for a changed tag touches every resource.
func (f *File) Tags() map[string]string {
	return map[string]string{TagApplication: f.Application, TagEnvironment: f.Environment}
}

// Role finds a role by its name.
func (f *File) Role(name string) (Role, bool) {
	for _, r := range f.Roles {
		if r.Name == name {
			return r, true
		}
	}
	return Role{}, false
}

// Architecture is the processor that images of this environment need.
func (f *File) Architecture() string { return architecture(f.Release.Instance) }

// LongestSoak is how long the soak may be. CloudFormation monitors for three hours at
// most. Where a role scales two fleets may grow meanwhile, each knowing only its own load:
// ten minutes, and the role that scales is named.
func (f *File) LongestSoak() (longest time.Duration, scales string) {
	for _, r := range f.Roles {
		if r.Max > r.Min {
			return longestScalingSoak, r.Name
		}
	}
	return longestSoak, ""
}

// Logical ids of the resources of a role, and of its parameter.
func (r Role) id(part string) string { return camel(r.Name) + part }

// Group is the logical id of the role's Auto Scaling group.
func (r Role) Group() string { return r.id("Group") }

// Targets is the logical id of the role's target group, where it has http.
func (r Role) Targets() string { return r.id("Targets") }

// Capacity is the parameter that says how many servers to start with.
func (r Role) Capacity() string { return r.id("Capacity") }

// Clamp is the nearest number of servers that the role allows.
func (r Role) Clamp(live int) int { return min(max(live, r.Min), r.Max) }

// camel makes blog-web BlogWeb: logical ids are letters and digits only.
func camel(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "-") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}
