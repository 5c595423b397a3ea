// Package fault makes AWS calls go wrong on their way: an http.RoundTripper
// that fails, delays or loses chosen calls. It knows nothing about what
// answers them, so it works in front of the local cloud and of AWS.
package fault

import "time"

// Call is one call that is about to be made. A retry of the SDK is a call of
// its own.
type Call struct {
	N       int // from 1, in the order in which the calls were made
	Service string
	Action  string
}

// Is reports whether the call is of an action written service:Action.
func (c Call) Is(name string) bool { return c.Service+":"+c.Action == name }

// Fault is what happens to one call. The zero value lets it pass.
type Fault struct {
	kind   kind
	status int
	code   string
	delay  time.Duration
}

type kind int

const (
	pass kind = iota
	refuse
	lose
	drop
	throttle
	stall
	killBefore
	killAfter
)

// The faults without a parameter.
var (
	// None lets the call pass.
	None = Fault{}

	// Lost performs the call and loses the reply: the connection is reset.
	Lost = Fault{kind: lose}

	// Dropped resets the connection before the call arrives.
	Dropped = Fault{kind: drop}

	// Throttle answers "too many requests" in the words of the service.
	Throttle = Fault{kind: throttle}

	// KilledBefore is the death of the program just before this call, as it
	// looks from outside: this call and all later ones never arrive.
	KilledBefore = Fault{kind: killBefore}

	// KilledAfter performs this call, and then the program is dead.
	KilledAfter = Fault{kind: killAfter}
)

// Error answers with an error of the service instead of performing the call.
func Error(status int, code string) Fault {
	return Fault{kind: refuse, status: status, code: code}
}

// Stall lets the call wait before it is performed; a caller who gives up
// earlier is obeyed, and then the call does not arrive.
func Stall(d time.Duration) Fault { return Fault{kind: stall, delay: d} }

// Plan decides about every call.
type Plan func(Call) Fault

// At puts a fault on the n-th call.
func At(n int, f Fault) Plan { return Burst(n, 1, f) }

// Burst puts a fault on k calls from the n-th on.
func Burst(n, k int, f Fault) Plan {
	return func(c Call) Fault {
		if c.N < n || c.N >= n+k {
			return None
		}
		return f
	}
}

// On puts a fault on the first times calls of an action written
// service:Action. The plan counts, so it is good for one transport.
func On(action string, times int, f Fault) Plan {
	left := times // the transport asks its plan under a lock
	return func(c Call) Fault {
		if left == 0 || !c.Is(action) {
			return None
		}
		left--
		return f
	}
}
