package autoscaling

import (
	"encoding/json"
	"fmt"
	"time"
)

// activity is one thing that a group did or tried to do. Its fields are
// guarded by the service's lock.
type activity struct {
	id, group, arn     string
	ordinal            int64
	description, cause string
	details            string
	start, end         time.Time
	status, message    string
	progress           int
}

// The states of an activity that groups of ours come through.
const (
	preInService = "PreInService"
	inProgress   = "InProgress"
	waitDraining = "WaitingForELBConnectionDraining"
	midHook      = "MidLifecycleAction"
	successful   = "Successful"
	failed       = "Failed"
	cancelled    = "Cancelled"
)

// begin records a new activity. The lock is held.
func (s *Service) begin(g *group, description, cause, subnet string) *activity {
	s.ordinal++
	details, _ := json.Marshal(map[string]string{"Subnet ID": subnet, "Availability Zone": s.servers.Zone(subnet)}) // strings only: no error
	a := &activity{
		id: s.world.UUID("activity"), group: g.name, arn: g.arn, ordinal: s.ordinal, description: description, cause: cause,
		details: string(details), start: time.Now(), status: preInService, progress: 30,
	}
	g.activities = append(g.activities, a)
	return a
}

// finish ends an activity.
func (a *activity) finish(status, message string) {
	if !a.end.IsZero() {
		return
	}
	a.status, a.message, a.end, a.progress = status, message, time.Now(), 100
}

// at is the beginning of every sentence of a cause.
func at() string { return "At " + time.Now().UTC().Format(time.RFC3339) + " " }

// grows is why a server is launched while the group has have of them.
func (g *group) grows(have int) string {
	if g.replacing > 0 {
		g.replacing--
		return at() + "an instance was launched in response to an unhealthy instance needing to be replaced."
	}
	return g.why + at() + fmt.Sprintf("an instance was started in response to a difference between desired and actual capacity, "+
		"increasing the capacity from %d to %d.", have, have+1)
}

// shrinks is why a server is terminated while the group has have of them.
func (g *group) shrinks(have int, instance string) string {
	return g.why + at() + fmt.Sprintf("an instance was taken out of service in response to a difference between desired and actual capacity, "+
		"shrinking the capacity from %d to %d.  ", have, have-1) + at() + "instance " + instance + " was selected for termination."
}

// resized notes why the size changes.
func (g *group) resized(format string, args ...any) {
	g.why = at() + fmt.Sprintf(format, args...) + "  "
}
