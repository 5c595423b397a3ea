package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// slow makes servers from now on need minutes to start.
func (l *place) slow() { l.Boot = 4 * time.Minute }

// slowFile gives them the time.
var slowFile = strings.NewReplacer(
	"web: {", "web: {start: 15m, ", "worker: {", "worker: {start: 15m, ", "scheduler: {", "scheduler: {start: 15m, ",
).Replace(stagingFile)

// throttled answers every call so many times that there are too many, before it works.
func throttled(times int) fault.Plan {
	asked := map[string]int{}
	return func(c fault.Call) fault.Fault {
		key := c.Service + c.Action
		asked[key]++
		if asked[key]%(times+1) != 0 {
			return fault.Throttle
		}
		return fault.None
	}
}

// TestThrottledDeploy: half an hour in which AWS throttles every call twice. Where nothing
// else runs that takes less than a second; `go test -v` tells.
func TestThrottledDeploy(t *testing.T) {
	t.Parallel()
	var calls []time.Time
	var took time.Duration
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		l := newPlaceAt(t, lab.Quick)
		l.file(slowFile)
		l.live()
		l.slow()
		plan := throttled(2)
		started := time.Now()
		l.deploy(good2, func(c fault.Call) fault.Fault {
			calls = append(calls, time.Now())
			return plan(c)
		}).Expect(t, exit.Passed, "staging runs image")
		took = time.Since(started)
		l.checkRunning("in the end", "shop-222222222222 4")
	})
	t.Logf("a deploy of %s in %s, %d attempts of calls", took, time.Since(began), len(calls))
	if took < 25*time.Minute {
		t.Errorf("the deploy took only %s", took)
	}
}

// TestUnthrottledDeploy counts the calls of each minute of the same deploy.
func TestUnthrottledDeploy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newPlaceAt(t, lab.Quick)
		l.file(slowFile)
		l.live()
		l.slow()
		started := time.Now()
		minutes := map[int]int{}
		l.deploy(good2, func(c fault.Call) fault.Fault {
			// S3 takes thousands of calls a second; the others throttle the whole account, with
			// everything else that works in it, at a few.
			if c.Service != "s3" {
				minutes[int(time.Since(started)/time.Minute)]++
			}
			return fault.None
		}).Expect(t, exit.Passed)
		most := 0
		for minute, n := range minutes {
			most = max(most, n)
			if n > 60 {
				t.Errorf("%d calls in minute %d", n, minute)
			}
		}
		t.Logf("%d minutes, at most %d calls in one", len(minutes), most)
	})
}

// TestCancelledByAPerson: somebody cancels the update in the console, while servers start
// or while the release is watched.
func TestCancelledByAPerson(t *testing.T) {
	for name, at := range map[string]struct {
		moment func(*place) bool
		kept   string
	}{
		"servers start": {starting, "were not touched\n"},
		"soak":          {soaking, "were not touched, but for scheduler, of which there are never two"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, l *place) {
				l.live()
				before := l.ids(good1)
				stop := l.Guard(serversStack)
				l.meanwhile(0, func() {
					for !at.moment(l) {
						time.Sleep(time.Second) //nolint:forbidigo // simulated
					}
					stack := serversStack
					if _, err := l.Reach().CFN.CancelUpdateStack(t.Context(), &cloudformation.CancelUpdateStackInput{StackName: &stack}); err != nil {
						t.Error(err)
					}
				}, good2).Expect(t, exit.Refused, "CloudFormation takes the update back", "failed: somebody cancelled the update", "the release from before goes on", at.kept)
				stop()
				l.checkTale("after it", "1111 live", "2222 cancelled")
				l.checkRunning("after it", "shop-111111111111 4")
				after := l.ids(good1)
				kept := slices.DeleteFunc(before, func(id string) bool { return !slices.Contains(after, id) })
				if len(kept) < 3 { // the scheduler was replaced already during the soak
					t.Errorf("only %v of the old servers are left", kept)
				}
				l.deploy(good2, nil).Expect(t, exit.Passed, "staging runs image")
			})
		})
	}
}
