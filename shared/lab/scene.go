package lab

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// Scene is a run of a pipe that something goes wrong in.
type Scene struct {
	Name  string
	Code  exit.Code // of an undisturbed run, the first and the second
	Words []string  // of such runs, and of the second one in any case

	// Set makes an account in which the scene plays.
	Set func(*testing.T) Stage
}

// Stage is an account in which a scene plays. Only Run is needed.
type Stage struct {
	Run   func(fault.Plan) Outcome
	Guard func() (stop func() map[string]int) // of a disturbed run and the one after it; see Lab.Guard
	State func() []string                     // how the account looks
	Check func()                              // after two runs, whatever happened to the first
	Clean func()                              // after a run that failed, and lived to clean up
}

// EveryCallCanFail breaks the runs of scenes at each of their AWS calls in turn and then
// runs the pipe once more: that ends where two undisturbed runs end. Of calls that only
// look, one of looks gets a fault; see Sweep. It tells the figures, and returns how many
// calls the undisturbed runs make.
func EveryCallCanFail(t *testing.T, pipe string, looks int, scenes ...Scene) (calls int) {
	t.Helper()
	var runs atomic.Int64
	t.Run("in", func(t *testing.T) {
		for _, s := range scenes {
			log, want := s.undisturbed(t)
			calls += len(log)
			for _, c := range Sweep(log, looks) {
				t.Run(fmt.Sprintf("%s/%s/%d", s.Name, c.Name, c.N), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						runs.Add(2)
						s.breakAndRepeat(t, c, want)
					})
				})
			}
		}
	})
	Say("%s, simulated time: %d faults at %d AWS calls of %d kinds of runs, %d runs", pipe, len(fault.Kinds), calls, len(scenes), runs.Load())
	return calls
}

// undisturbed is the scene without faults: its calls, and how the account looks after two
// runs.
func (s Scene) undisturbed(t *testing.T) (log []fault.Call, want []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		at := s.set(t)
		log = at.Run(nil).Expect(t, s.Code, s.Words...).Calls
		at.Run(nil).Expect(t, s.Code, s.Words...)
		at.Check()
		want = at.State()
	})
	return log, want
}

func (s Scene) breakAndRepeat(t *testing.T, c fault.Case, want []string) {
	at := s.set(t)
	stop := at.Guard()
	first := at.Run(c.Plan(c.N))
	if first.Code != s.Code && first.Code != exit.Unable {
		t.Errorf("the disturbed run ends with exit code %d", first.Code)
	}
	if first.Code != exit.Passed && !c.Kills {
		at.Clean()
	}
	second := at.Run(nil).Expect(t, s.Code, s.Words...)
	stop()
	at.Check()
	if diff := cmp.Diff(want, at.State()); diff != "" {
		t.Errorf("the account after both runs (-want +got):\n%s", diff)
	}
	if t.Failed() {
		t.Logf("the first run (exit code %d):\n%s\nthe second run (exit code %d):\n%s", first.Code, first.Log, second.Code, second.Log)
	}
}

// set is Set, and nothing for what a stage leaves out.
func (s Scene) set(t *testing.T) Stage {
	at := s.Set(t)
	nothing := func() {}
	if at.Guard == nil {
		at.Guard = func() func() map[string]int { return func() map[string]int { return nil } }
	}
	if at.State == nil {
		at.State = func() []string { return nil }
	}
	if at.Check == nil {
		at.Check = nothing
	}
	if at.Clean == nil {
		at.Clean = nothing
	}
	return at
}
