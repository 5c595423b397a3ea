package bake_test

import (
	"testing"

	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// TestEveryCallCanFail breaks a bake at each of its AWS calls in turn, in each way, and
// runs the pipe once more: then there is exactly one image, which answers for the
// commit, and nothing else.
func TestEveryCallCanFail(t *testing.T) {
	sample(t)
	calls := lab.EveryCallCanFail(t, "ami-bake", 1, lab.Scene{Name: "bake", Set: func(t *testing.T) lab.Stage {
		l := newPlace(t, quick)
		return lab.Stage{
			Run:   func(plan fault.Plan) lab.Outcome { return l.run(plan) },
			Check: func() { l.checkOneImage("in the end") },
			Clean: func() { l.checkNothingElse("after the failed run") },
		}
	}})
	if calls < 40 {
		t.Fatalf("an undisturbed bake makes %d calls; the plan of this test is out of date", calls)
	}
}
