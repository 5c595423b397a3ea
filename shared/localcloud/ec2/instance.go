package ec2

import (
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
)

// The states of an instance.
const (
	pending      = "pending"
	running      = "running"
	shuttingDown = "shutting-down"
	terminated   = "terminated"
	stopping     = "stopping"
	stopped      = "stopped"
)

// stateCodes are the numbers that go with the states.
var stateCodes = map[string]int{pending: 0, running: 16, shuttingDown: 32, terminated: 48, stopping: 64, stopped: 80}

// stateReason says why something is in its state.
type stateReason struct{ code, message string }

// instance is one server. Its fields are guarded by the service's lock.
type instance struct {
	entity
	launch      Launch
	reservation string
	kind        instanceType
	image       *image
	subnet      *subnet
	groups      []*group
	profile     InstanceProfile // zero without one
	address     string
	volume      *entity
	nic         *networkInterface

	// lifecycle is what the Auto Scaling group has in mind, "" without one.
	lifecycle string

	// state is the state that was last set; stateAt is what callers see. A
	// zero settled means that the machine is still on its way down.
	state   string
	settled time.Time
	reason  stateReason
	note    string // why and when, in the words of StateTransitionReason

	alarm     *time.Timer // power-on
	machine   machine.Machine
	boots     int
	starting  bool // between the decision to power on and the machine
	rebooting bool // off for a moment, while an image is made
	ran       bool // it was on, once
	abandoned bool // its stack has deleted it
	captures  int  // images that are being made of the disk
	destroyed bool

	console console
}

// stateAt is the state at a moment: stopping and shutting-down end by
// themselves once the machine is off.
func (i *instance) stateAt(now time.Time) string {
	if !i.settled.IsZero() && !now.Before(i.settled) {
		switch i.state {
		case stopping:
			return stopped
		case shuttingDown:
			return terminated
		}
	}
	return i.state
}

// keptFor is how long a terminated instance can still be described.
const keptFor = time.Hour

// forgotten reports whether an instance has been terminated for too long to
// be described.
func (i *instance) forgotten(now time.Time) bool {
	return i.stateAt(now) == terminated && now.Sub(i.settled) > keptFor
}

// leave begins the way down to stopped or terminated. The lock is held.
func (i *instance) leave(state string, reason stateReason, note string) {
	i.state, i.settled = state, time.Time{}
	i.reason, i.note = reason, note
}

// settle notes that the machine is off; the state's end comes after the time
// that the cloud takes. The lock is held.
func (s *Service) settle(i *instance) {
	if !i.settled.IsZero() {
		return
	}
	switch i.state {
	case stopping:
		i.settled = time.Now().Add(s.timing.Stopping)
	case shuttingDown:
		i.settled = time.Now().Add(s.timing.Terminating)
	}
}
