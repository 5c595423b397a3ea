package fault

import (
	"slices"
	"strings"
)

// Patience is how often the SDK makes a call before it gives up.
const Patience = 5

// Kind is a way in which one call goes wrong.
type Kind struct {
	Name  string
	Plan  func(n int) Plan // for the n-th call
	Kills bool             // the program is not alive to clean up
}

// Kinds are the ways that a sweep tries. Errors after which the SDK asks again come until it
// has no patience left.
var Kinds = []Kind{
	{Name: "server error", Plan: func(n int) Plan { return Burst(n, Patience, Error(500, "InternalFailure")) }},
	{Name: "refusal", Plan: func(n int) Plan { return At(n, Error(403, "AccessDenied")) }},
	{Name: "lost reply", Plan: func(n int) Plan { return At(n, Lost) }},
	{Name: "throttling", Plan: func(n int) Plan { return Burst(n, Patience, Throttle) }},
	{Name: "kill before", Plan: func(n int) Plan { return At(n, KilledBefore) }, Kills: true},
	{Name: "kill after", Plan: func(n int) Plan { return At(n, KilledAfter) }, Kills: true},
}

// Case is one run of a sweep: one kind of fault on one call.
type Case struct {
	Kind
	N int // of the call, from 1
}

// raceStep is how many cases there are to one that is tried under the race detector, which
// makes everything take eight times as long. `make test` sweeps once more without it.
const raceStep = 8

// Sweep lists what to try on a run that makes these calls when nothing goes wrong. Calls
// that may change something get every kind of fault; one of looks of those that only look
// gets one, in turn. With 1 every call gets every kind.
func Sweep(calls []Call, looks int) []Case {
	var cases []Case
	for i, c := range calls {
		for turn, kind := range Kinds {
			if looks == 1 || c.writes() || (i+1)%(looks*len(Kinds)) == looks*turn {
				cases = append(cases, Case{kind, i + 1})
			}
		}
	}
	if !raced {
		return cases
	}
	var few []Case
	for i := 0; i < len(cases); i += raceStep {
		few = append(few, cases[i])
	}
	return few
}

// writes tells whether a call may change something.
func (c Call) writes() bool {
	return !slices.ContainsFunc([]string{"Describe", "List", "Get"}, func(verb string) bool { return strings.HasPrefix(c.Action, verb) })
}
