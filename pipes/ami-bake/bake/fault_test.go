package bake_test

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// faults are what is put on every single call of a bake, one call and one fault at a
// time. A throttling burst is longer than the SDK's patience for one call.
var faults = map[string]func(n int) fault.Plan{
	"server error": func(n int) fault.Plan { return fault.At(n, fault.Error(500, "InternalError")) },
	"refusal":      func(n int) fault.Plan { return fault.At(n, fault.Error(403, "UnauthorizedOperation")) },
	"lost reply":   func(n int) fault.Plan { return fault.At(n, fault.Lost) },
	"throttling":   func(n int) fault.Plan { return fault.Burst(n, 6, fault.Throttle) },
	"kill before":  func(n int) fault.Plan { return fault.At(n, fault.KilledBefore) },
	"kill after":   func(n int) fault.Plan { return fault.At(n, fault.KilledAfter) },
}

// TestEveryCallCanFail breaks a bake at each of its AWS calls in turn, in each way, and
// runs the pipe once more: then there is exactly one image, which answers for the
// commit, and nothing else.
func TestEveryCallCanFail(t *testing.T) {
	sample(t)
	calls := undisturbed(t)
	if calls < 40 {
		t.Fatalf("an undisturbed bake makes %d calls; the plan of this test is out of date", calls)
	}
	var runs atomic.Int64
	t.Run("at", func(t *testing.T) {
		var sweep fault.Sweep
		for _, kind := range slices.Sorted(maps.Keys(faults)) {
			plan := faults[kind]
			for n := 1; n <= calls; n++ {
				if !sweep.Next() {
					continue
				}
				t.Run(fmt.Sprintf("%s/%d", kind, n), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						runs.Add(2)
						breakAndRepeat(t, kind, plan(n))
					})
				})
			}
		}
	})
	said = append(said, fmt.Sprintf("ami-bake, simulated time: %d faults at each of %d AWS calls of a bake, %d runs", len(faults), calls, runs.Load()))
}

// undisturbed counts the calls of a bake in which nothing goes wrong.
func undisturbed(t *testing.T) (calls int) {
	t.Run("undisturbed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, quick)
			calls = len(l.run(nil).expect(t, exit.Passed).calls)
			l.checkOneImage("undisturbed")
		})
	})
	return calls
}

func breakAndRepeat(t *testing.T, kind string, plan fault.Plan) {
	l := newLab(t, quick)
	first := l.run(plan)
	killed := kind == "kill before" || kind == "kill after"
	if !killed && first.code != exit.Passed {
		l.checkNothingElse("after the failed run")
	}
	second := l.run(nil)
	second.expect(t, exit.Passed)
	l.checkOneImage("after the second run")
	if n := len(l.cloud.Images()); n != 1 {
		t.Errorf("%d images", n)
	}
	if t.Failed() {
		t.Logf("the first run (exit code %d):\n%s\nthe second run:\n%s", first.code, first.log, second.log)
	}
}
