package autoscaling

import (
	"cmp"
	"slices"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// group is an Auto Scaling group. Its fields are guarded by the service's
// lock.
type group struct {
	name, arn string
	ordinal   int64
	born      time.Time
	settings

	members    []*member // in the order of launch
	activities []*activity
	suspended  map[string]bool
	kick       chan struct{}
	deleting   bool
	ending     Ending

	// why is what has last changed the size, for the next activities' cause.
	why string

	// replacing counts servers that died and whose successor is not launched.
	replacing int

	// After a refused launch the next try waits, each time twice as long.
	refused  int
	retry    time.Time
	failures map[string]int // by subnet, since the last success
}

// settings are what a template says of a group.
type settings struct {
	low, high, desired int
	subnets            []string
	template, version  string // the version as written, maybe $Latest
	targetGroups       []string
	balancerHealth     bool
	grace              time.Duration
	hooks              []hook
	cooldown           int
	warmup             int // -1: none
	metrics            []string
	tags               []tag
}

// tag is a tag of a group.
type tag struct {
	key, value string
	propagate  bool
}

// hook is a lifecycle hook for terminating servers.
type hook struct {
	name      string
	heartbeat time.Duration
	result    string // when the time is over
}

// The lifecycle states.
const (
	statePending    = "Pending"
	stateInService  = "InService"
	stateEnding     = "Terminating"
	stateEndingWait = "Terminating:Wait"
	stateEndingGo   = "Terminating:Proceed"
)

// member is a server of a group. instance is empty while EC2 is being asked.
type member struct {
	ordinal   int64
	instance  string
	subnet    string
	zone      string
	template  Template
	state     string
	launched  time.Time
	inService time.Time
	healthy   bool
	launch    *activity // until it is in service

	// While a hook has the server: who called, and until when.
	hook      string
	token     string
	deadline  time.Time
	answered  chan struct{} // closed by CompleteLifecycleAction
	abandoned bool          // no other hook gets it
}

// ending reports whether a member is on its way out.
func (m *member) ending() bool {
	return m.state == stateEnding || m.state == stateEndingWait || m.state == stateEndingGo
}

// alive are the members that count: everybody who is not on the way out.
func (g *group) alive() []*member {
	var alive []*member
	for _, m := range g.members {
		if !m.ending() {
			alive = append(alive, m)
		}
	}
	return alive
}

// remove forgets a member. The lock is held.
func (g *group) remove(m *member) {
	g.members = slices.DeleteFunc(g.members, func(other *member) bool { return other == m })
}

// wake lets the group be looked after at once.
func (g *group) wake() {
	select {
	case g.kick <- struct{}{}:
	default:
	}
}

// nextSubnet is where the next server goes: to the zone with the fewest, and
// away from where launches were refused.
func (g *group) nextSubnet() string {
	load := map[string]int{}
	for _, m := range g.alive() {
		load[m.subnet]++
	}
	return slices.MinFunc(g.subnets, func(a, b string) int {
		return cmp.Compare(load[a]+g.failures[a], load[b]+g.failures[b])
	})
}

// victim is the member that goes when the group shrinks: in the zone with the
// most members, one of an older template first, then the oldest.
func (g *group) victim(current string) *member {
	alive := g.alive()
	load := map[string]int{}
	for _, m := range alive {
		load[m.zone]++
	}
	old := func(m *member) int {
		if m.template.ID != g.template || m.template.Version != current {
			return 0
		}
		return 1
	}
	return slices.MinFunc(alive, func(a, b *member) int {
		return cmp.Or(cmp.Compare(load[b.zone], load[a.zone]), cmp.Compare(old(a), old(b)), a.launched.Compare(b.launched))
	})
}

// tagsOfServers are the tags that servers get from the group.
func (g *group) tagsOfServers() world.Tags {
	tags := world.Tags{}
	for _, t := range g.tags {
		if t.propagate {
			tags[t.key] = t.value
		}
	}
	return tags
}
