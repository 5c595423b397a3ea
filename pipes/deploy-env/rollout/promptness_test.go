package rollout_test

import (
	"slices"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// A pipeline's minutes are paid for, and AWS throttles an account as a whole: the pipe
// ends soon after its stack, asks for little, and does not ponder before it begins.
// `make bench` shows the figures.
func TestPromptness(t *testing.T) {
	const releases, mostWaiting, mostCalls = 11, 2 * time.Second, 60
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		var waits, plans []time.Duration
		calls, planCalls := 0, 0
		for n := range releases {
			l.Boot = 15*time.Second + time.Duration(n)*230*time.Millisecond // so that stacks end at any moment between two looks
			var times []time.Time
			began, executed := time.Now(), 0
			commit := []string{good2, good1}[n%2]
			l.deploy(commit, func(c fault.Call) fault.Fault {
				if c.Service == "s3" {
					return fault.None // it takes thousands a second
				}
				if times = append(times, time.Now()); c.Is("cloudformation:ExecuteChangeSet") {
					executed = len(times)
				}
				return fault.None
			}).Expect(t, exit.Passed)
			events := l.Cloud.StackEvents(serversStack)
			waits = append(waits, time.Since(events[len(events)-1].At))
			plans = append(plans, times[executed-1].Sub(began))
			calls, planCalls = max(calls, busiest(times)), max(planCalls, executed-1)
		}
		slices.Sort(waits)
		slices.Sort(plans)
		// Read by tools/bench.
		t.Logf("promptness: releases=%d end=%s latest=%s calls=%d plan-calls=%d plan=%s",
			releases, waits[releases/2], waits[releases-1], calls, planCalls, plans[releases/2])
		if median := waits[releases/2]; median >= mostWaiting {
			t.Errorf("the pipe ends %s after its stack, want less than %s: %s", median, mostWaiting, waits)
		}
		if calls > mostCalls {
			t.Errorf("%d AWS calls in a minute, want at most %d", calls, mostCalls)
		}
	})
}

// busiest is the largest number of moments within a minute.
func busiest(times []time.Time) int {
	most, first := 0, 0
	for last, at := range times {
		for at.Sub(times[first]) >= time.Minute {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}
