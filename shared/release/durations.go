package release

import (
	"time"

	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// moments are those between the parts of an update; zero where they did not come.
type moments struct {
	ready    time.Time // the first server
	complete time.Time // the last resource
	cleanup  time.Time // the end of the soak
	end      time.Time
}

func momentsOf(events []stack.Event) moments {
	var m moments
	for _, e := range events {
		switch {
		case e.Own() && e.Status == string(stack.UpdateCompleteCleanup):
			m.cleanup = e.Time
		case e.Own() && e.Status == string(stack.UpdateComplete):
			m.end = e.Time
		case e.Own() || !m.cleanup.IsZero():
		case completes(e):
			m.complete = e.Time
		case m.ready.IsZero() && saysReady(e):
			m.ready = e.Time
		}
	}
	return m
}

// durations splits an update into its parts, from its events, which are in order.
func durations(events []stack.Event) ledger.Durations {
	if len(events) == 0 {
		return ledger.Durations{}
	}
	m := momentsOf(events)
	between := func(from, to time.Time) ledger.Seconds {
		if from.IsZero() || to.IsZero() || to.Before(from) {
			return ledger.Seconds{}
		}
		return ledger.Took(to.Sub(from))
	}
	return ledger.Durations{
		Boot: between(events[0].Time, m.ready), Health: between(m.ready, m.complete), Soak: between(m.complete, m.cleanup), Cleanup: between(m.cleanup, m.end),
	}
}

// saysReady recognises the word of a server of a group. The one of the release process
// comes before, and says that it is done.
func saysReady(e stack.Event) bool {
	m := signal.FindStringSubmatch(e.Reason)
	return m != nil && m[1] == "SUCCESS" && e.LogicalID != releaseID
}
