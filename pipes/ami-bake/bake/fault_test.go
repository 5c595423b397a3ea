package bake_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// TestEveryCallCanFail breaks a bake at each of its AWS calls in turn, in each way, and
// runs the pipe once more: then there is exactly one image, which answers for the
// commit, and nothing else.
func TestEveryCallCanFail(t *testing.T) {
	sample(t)
	calls := undisturbed(t)
	if len(calls) < 40 {
		t.Fatalf("an undisturbed bake makes %d calls; the plan of this test is out of date", len(calls))
	}
	var runs atomic.Int64
	t.Run("at", func(t *testing.T) {
		for _, c := range fault.Sweep(calls, 1) {
			t.Run(fmt.Sprintf("%s/%d", c.Name, c.N), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					runs.Add(2)
					breakAndRepeat(t, c)
				})
			})
		}
	})
	said = append(said, fmt.Sprintf("ami-bake, simulated time: %d faults at each of %d AWS calls of a bake, %d runs", len(fault.Kinds), len(calls), runs.Load()))
}

// undisturbed are the calls of a bake in which nothing goes wrong.
func undisturbed(t *testing.T) (calls []fault.Call) {
	t.Run("undisturbed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, quick)
			calls = l.run(nil).expect(t, exit.Passed).calls
			l.checkOneImage("undisturbed")
		})
	})
	return calls
}

func breakAndRepeat(t *testing.T, c fault.Case) {
	l := newLab(t, quick)
	first := l.run(c.Plan(c.N))
	if !c.Kills && first.code != exit.Passed {
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
