package bake_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// TestSweep kills a bake at each of its calls and sweeps: at once, when everything may
// still belong to somebody alive, and after the dead run's time.
func TestSweep(t *testing.T) {
	sample(t)
	calls := undisturbed(t)
	for n := 1; n <= len(calls); n++ {
		t.Run(fmt.Sprintf("killed at %d", n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newPlace(t, quick)
				l.run(fault.At(n, fault.KilledAfter))
				before := len(l.Cloud.Leftovers("image ami-", "snapshot snap-", "/images/shop/"))

				// A young leftover may be a living run's: it is counted, not touched.
				l.run(nil, "ACTION=sweep").Expect(t, exit.Passed, "; left: 0")
				if after := len(l.Cloud.Leftovers("image ami-", "snapshot snap-", "/images/shop/")); after < before {
					t.Errorf("of %d things that may be in use, %d are left", before, after)
				}
				time.Sleep(2 * time.Hour) //nolint:forbidigo // simulated
				l.run(nil, "ACTION=sweep", "COMMIT=").Expect(t, exit.Passed, "Nothing of dead runs is left", "in use by other runs: 0; left: 0")
				l.checkNothingElse("after the sweep")
			})
		})
	}
}

// undisturbed are the calls of a bake in which nothing goes wrong.
func undisturbed(t *testing.T) (calls []fault.Call) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newPlace(t, quick)
		calls = l.run(nil).Expect(t, exit.Passed).Calls
		l.checkOneImage("undisturbed")
	})
	return calls
}

// A sweep next to a running bake does it no harm.
func TestSweepSparesTheLiving(t *testing.T) {
	story(t, quick, func(t *testing.T, l *place) {
		done := make(chan lab.Outcome, 1)
		go func() { done <- l.run(nil) }()
		for range 30 {
			time.Sleep(time.Second) //nolint:forbidigo // simulated
			l.run(nil, "ACTION=sweep", "BITBUCKET_CLONE_DIR="+l.Clone).Expect(t, exit.Passed, "removed 0 servers, 0 failed images, 0 objects")
		}
		(<-done).Expect(t, exit.Passed, "is baked for commit")
		l.checkOneImage("after both")
	})
}

// Somebody else's server, objects and images stay where they are.
func TestSweepSparesBystanders(t *testing.T) {
	story(t, quick, func(t *testing.T, l *place) {
		l.run(fault.On("ec2:CreateImage", 1, fault.KilledBefore), "APPLICATION=shop-two")
		time.Sleep(2 * time.Hour) //nolint:forbidigo // simulated
		before := l.Cloud.Leftovers()
		l.run(nil, "ACTION=sweep").Expect(t, exit.Passed, "removed 0 servers, 0 failed images, 0 objects")
		if after := l.Cloud.Leftovers(); len(before) < 2 || len(after) != len(before) {
			t.Errorf("before %v, after %v", before, after)
		}
		l.run(nil, "ACTION=sweep", "APPLICATION=shop-two").Expect(t, exit.Passed, "removed 1 servers")
		l.checkNothingElse("after the sweep of its own application")
	})
}
