package recall_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/ledger"
)

// TestTimeToRestore: of the minutes until production runs what it should, almost all belong
// to servers that boot and to checks of their health. `make bench` shows the figures.
func TestTimeToRestore(t *testing.T) {
	const rollbacks, mostOurs = 7, 3 * time.Second
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, lab.Usual, "12")
		p.live("12")
		var ours, all []time.Duration
		for n := range rollbacks {
			p.Sleep(time.Duration(n) * 230 * time.Millisecond) // so that stacks end at any moment between two looks
			p.rollback(commit([]byte("12")[n%2]), nil, "HOLD=false").Expect(t, exit.Passed)
			r := p.result()
			ours, all = append(ours, seconds(r.Ours)), append(all, seconds(r.Seconds))
			if r.Ours <= 0 || r.Seconds < r.Ours+r.World-0.01 {
				t.Errorf("ours %f, the world's %f, together %f", r.Ours, r.World, r.Seconds)
			}
		}
		slices.Sort(ours)
		slices.Sort(all)
		took := ledger.Releases(p.Records(production))[0].End.Durations
		boot, _ := took.Boot.Get()
		health, _ := took.Health.Get()
		cleanup, _ := took.Cleanup.Get()
		// Read by tools/bench.
		t.Logf("restore: rollbacks=%d all=%s ours=%s most=%s boot=%s health=%s cleanup=%s",
			rollbacks, all[rollbacks/2], ours[rollbacks/2], ours[rollbacks-1], boot, health, cleanup)
		if median := ours[rollbacks/2]; median >= mostOurs {
			t.Errorf("%s of the time are the pipe's own, want less than %s: %s", median, mostOurs, ours)
		}
	})
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// restored is the result of the last run.
type restored struct {
	Seconds float64 `json:"seconds"`
	Ours    float64 `json:"ours_seconds"`
	World   float64 `json:"world_seconds"`
}

func (p *place) result() restored {
	p.T.Helper()
	text, err := os.ReadFile(filepath.Join(p.Clone, ".fearless", "rollback.json"))
	if err != nil {
		p.T.Fatal(err)
	}
	var file struct{ Result restored }
	if err := json.Unmarshal(text, &file); err != nil {
		p.T.Fatal(err)
	}
	return file.Result
}
