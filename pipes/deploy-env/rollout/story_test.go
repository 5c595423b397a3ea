package rollout_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
)

func story(t *testing.T, play func(*testing.T, *place)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { play(t, newPlace(t)) })
}

func (l *place) checkRunning(what string, want ...string) {
	l.T.Helper()
	if diff := cmp.Diff(want, l.Running()); diff != "" {
		l.T.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestReleases(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed, "Base shop-staging-base", "Servers shop-staging", "web: 2 of 2 servers ready",
			"The release process is done", "End check: all 2 members", "staging runs image")
		l.checkRunning("after the first release", "shop-111111111111 4")

		l.deploy(good1, nil).Expect(t, exit.Passed, "Base shop-staging-base is as the file says", "runs image", "already")
		l.checkRunning("after the same release again", "shop-111111111111 4")

		l.deploy(good2, nil).Expect(t, exit.Passed, "while the release is watched, for 2m", "End check: all 2 members")
		l.checkRunning("after the second release", "shop-222222222222 4")
		before := l.ids(good2)

		l.deploy(broken, nil).Expect(t, exit.Refused, "database is missing", "panic: no database", "the release from before goes on: the servers from before were not touched\n")
		if diff := cmp.Diff(before, l.ids(good2)); diff != "" {
			t.Errorf("a failed release touched the old servers:\n%s", diff)
		}
		l.checkRunning("after the failed release", "shop-222222222222 4")

		l.deploy(badMove, nil).Expect(t, exit.Refused, "database is missing")
		l.checkRunning("after the failed release process", "shop-222222222222 4")

		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.checkRunning("after all", "shop-111111111111 4")
	})
}

func TestPreviewChangesNothing(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil, "ACTION=preview").Expect(t, exit.Passed, "+ Vpc (EC2::VPC)")
		l.checkRunning("after a preview of nothing")
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.deploy(good2, nil, "ACTION=preview").Expect(t, exit.Passed, "WebTemplate", "nothing was changed")
		l.checkRunning("after a preview", "shop-111111111111 4")
	})
}

// A preview of what cannot be changed says so, and does not mend it.
func TestPreviewMendsNothing(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(broken, nil).Expect(t, exit.Refused, "database is missing")
		l.deploy(good1, nil, "ACTION=preview").Expect(t, exit.Refused, "stack shop-staging is ROLLBACK_COMPLETE: a deploy would mend that first")
		l.deploy(good1, nil).Expect(t, exit.Passed, "never came to life (ROLLBACK_COMPLETE)", "staging runs image")
	})
}

func TestDestroy(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.file("protected: true\n" + stagingFile)
		l.deploy(good1, nil, "ACTION=destroy").Expect(t, exit.Refused, "staging is protected")
		l.file(stagingFile)
		l.deploy(good1, nil, "ACTION=destroy").Expect(t, exit.Passed, "staging of shop is gone")
		l.checkRunning("after the end")
		l.deploy(good1, nil, "ACTION=destroy").Expect(t, exit.Passed, "There is no stack shop-staging")
	})
}

func TestRefusals(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		const unknown = "dddddddddddddddddddddddddddddddddddddddd"
		l.deploy(unknown, nil).Expect(t, exit.Refused, "there is no image of commit dddddddddddd", "bake it first")
		l.file("rolls:\n  web: {}\n")
		l.deploy(good1, nil).Expect(t, exit.Invalid, "environments/staging.yml:1:1")
		l.file(stagingFile + "  mailer: {instance: t3.small}\n")
		l.deploy(good1, nil).Expect(t, exit.Refused, "role mailer runs the process type mailer, which its Procfile does not have")
		l.checkRunning("after refusals")
	})
}

// The update goes on without the pipe; the next run follows it to its end.
func TestInterruptedRunIsFollowed(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		interrupt := make(chan struct{}, 1)
		timer := time.AfterFunc(50*time.Second, func() { interrupt <- struct{}{} })
		defer timer.Stop()
		l.deployUntil(interrupt, good2, nil).Expect(t, exit.Interrupted, "the update goes on in CloudFormation")
		l.deploy(good2, nil).Expect(t, exit.Passed, "following it", "End check")
		l.checkRunning("after both", "shop-222222222222 4")
	})
}

// Two pipelines at once: one deploys, the other waits for it and then finds its own
// commit to be deployed, or does that.
func TestTwoAtOnce(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		var both sync.WaitGroup
		var first, second lab.Outcome
		both.Go(func() { first = l.deploy(good2, nil, "BITBUCKET_BUILD_NUMBER=41") })
		time.Sleep(40 * time.Second) //nolint:forbidigo // simulated
		both.Go(func() { second = l.deploy(good1, nil, "BITBUCKET_BUILD_NUMBER=42") })
		both.Wait()
		first.Expect(t, exit.Passed)
		second.Expect(t, exit.Passed, "started by pipeline 41")
		l.checkRunning("after both", "shop-111111111111 4")
	})
}
