package rollout_test

import (
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// deployAndLeave starts a release and stops the pipe while new servers start: workers are
// ready by then, those of web are not.
func (l *place) deployAndLeave(commit string, variables ...string) {
	l.T.Helper()
	interrupt := make(chan struct{}, 1)
	timer := time.AfterFunc(90*time.Second, func() { interrupt <- struct{}{} })
	defer timer.Stop()
	l.deployUntil(interrupt, commit, nil, variables...).Expect(l.T, exit.Interrupted, "worker: 1 of 1 servers ready", "the update goes on in CloudFormation")
}

// Who follows knows how many servers there should be, and which of them were ready before.
func TestReadinessOfAnUpdateUnderWay(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.resize("WebGroup", 0, 3)
		l.deployAndLeave(good2, "BITBUCKET_BUILD_NUMBER=41")
		l.deploy(good2, nil, "BITBUCKET_BUILD_NUMBER=42").Expect(t, exit.Passed, "started by pipeline 41: following it",
			"worker: all servers ready", "web: 1 of 3 servers ready", "web: 3 of 3 servers ready", "while the release is watched, for 2m")
		l.checkSize("WebGroup", 3)
	})
}

// It fails for him as it would have for the other.
func TestFailureOfAnUpdateUnderWay(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.deployAndLeave(broken)
		l.deploy(broken, nil).Expect(t, exit.Refused, "following it", "failed: server i-", "database is missing")
		l.checkRunning("after it", "shop-111111111111 4")
	})
}
