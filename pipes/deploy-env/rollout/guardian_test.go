package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// guardianFile is the group of the Guardian's public study of group updates
// (github.com/guardian/testing-asg-rolling-update): 3 to 9 servers.
var guardianFile = strings.Replace(stagingFile, "min: 2, max: 4", "min: 3, max: 9", 1)

// scaleOut is scaling in the middle of a deploy.
type scaleOut struct {
	when func(*place) bool
	to   int
}

// starting is the moment at which new servers start, soaking the one at which they serve
// beside the old ones.
func starting(l *place) bool { return len(l.groupsOf("WebGroup")) == 2 }
func soaking(l *place) bool {
	s := l.Stack(serversStack)
	return starting(l) && s.Status == "UPDATE_IN_PROGRESS" && s.Resources["SchedulerGroup"].Status == "UPDATE_COMPLETE"
}

// update is one observation of the study: what runs, to which size it has scaled before
// and scales meanwhile, what is deployed, and how the group ends.
type update struct {
	name      string
	before    []string // commits, the last of which is deployed into a group that has scaled
	scaled    int      // size before the deploy
	meanwhile scaleOut
	commit    string
	code      exit.Code
	runs      string // the image that runs in the end
	desired   int
}

// The ten of the study, but for two of its pairs: it saw "fully scaled" and "partly
// scaled" twice each, with a policy that fixes the servers in service and with one that
// follows the size. Our groups are replaced as a whole, so there is no such policy; in
// their place stand the way back from a failed release and growth during the soak.
//
// In the study a scale-out in the middle was lost in a good deploy (3 of 5 servers were
// left), and doubled in a bad one (8 instead of 5); fully scaled out, 9 servers became 3
// or 8 meanwhile.
var updates = []update{
	{name: "healthy to healthy", before: []string{good1}, scaled: 3, commit: good2, runs: good2, desired: 3},
	{name: "healthy to unhealthy", before: []string{good1}, scaled: 3, commit: broken, code: exit.Refused, runs: good1, desired: 3},
	{name: "back to healthy after unhealthy", before: []string{good1, broken}, scaled: 3, commit: good2, runs: good2, desired: 3},
	{name: "scale-out in the middle", before: []string{good1}, scaled: 3, meanwhile: scaleOut{starting, 5}, commit: good2, runs: good2, desired: 5},
	{name: "scale-out in the middle of unhealthy", before: []string{good1}, scaled: 3, meanwhile: scaleOut{starting, 5},
		commit: broken, code: exit.Refused, runs: good1, desired: 5},
	{name: "scale-out during the soak", before: []string{good1}, scaled: 3, meanwhile: scaleOut{soaking, 5}, commit: good2, runs: good2, desired: 5},
	{name: "partly scaled to healthy", before: []string{good1}, scaled: 6, commit: good2, runs: good2, desired: 6},
	{name: "partly scaled to unhealthy", before: []string{good1}, scaled: 6, commit: broken, code: exit.Refused, runs: good1, desired: 6},
	{name: "fully scaled to healthy", before: []string{good1}, scaled: 9, commit: good2, runs: good2, desired: 9},
	{name: "fully scaled to unhealthy", before: []string{good1}, scaled: 9, commit: broken, code: exit.Refused, runs: good1, desired: 9},
}

// TestGroupUpdates plays them. At no second are fewer servers in service than at the
// start; what scaling has added meanwhile is in service in the end, and nothing else.
func TestGroupUpdates(t *testing.T) {
	for _, u := range updates {
		t.Run(u.name, func(t *testing.T) { story(t, u.play) })
	}
}

func (u update) play(t *testing.T, l *place) {
	l.file(guardianFile)
	for _, commit := range u.before {
		l.deploy(commit, nil)
	}
	l.resize("WebGroup", 0, u.scaled)
	time.Sleep(2 * time.Minute) //nolint:forbidigo // simulated
	l.checkSize("WebGroup", u.scaled)
	stop := l.Guard(serversStack)

	o := l.meanwhile(0, func() { u.meanwhile.happen(l) }, u.commit)
	o.Expect(t, u.code)
	if u.code == exit.Passed && u.meanwhile.to == 0 { // and not raised to it later
		o.Expect(t, u.code, fmt.Sprintf("web: %[1]d of %[1]d servers ready", u.scaled))
	}
	lowest := stop()
	if lowest["web"] < u.scaled || lowest["worker"] < 1 {
		t.Errorf("there were times with fewer servers in service: %v", lowest)
	}
	u.checkEnd(t, l)
	if t.Failed() {
		t.Log(o.Log)
	}
}

// happen waits for its moment.
func (m scaleOut) happen(l *place) {
	if m.to == 0 {
		return
	}
	for range 600 {
		if m.when(l) {
			l.resize("WebGroup", 0, m.to)
			return
		}
		time.Sleep(time.Second) //nolint:forbidigo // simulated
	}
	l.T.Error("the moment to scale did not come")
}

// checkEnd looks at sizes and images when everything is done.
func (u update) checkEnd(t *testing.T, l *place) {
	t.Helper()
	time.Sleep(2 * time.Minute) //nolint:forbidigo // simulated
	groups := l.groupsOf("WebGroup")
	if len(groups) != 1 {
		t.Fatalf("%d groups", len(groups))
	}
	g := groups[0]
	if got, want := fmt.Sprintf("%d %d %d", *g.MinSize, *g.DesiredCapacity, *g.MaxSize), fmt.Sprintf("3 %d 9", u.desired); got != want {
		t.Errorf("minimum, desired and maximum are %s, want %s", got, want)
	}
	l.checkRunning("in the end", fmt.Sprintf("shop-%s %d", u.runs[:12], u.desired+2)) // and worker and scheduler
	if n := l.InService(l.Stack(serversStack).Resources["WebTargets"].Physical)["web"]; n != u.desired {
		t.Errorf("the balancer has %d healthy servers, want %d", n, u.desired)
	}
}
