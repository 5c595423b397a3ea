package rollout_test

import (
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// What CloudFormation cannot delete in its clean-up it forgets, and the update ends well.
// Old workers, which no balancer knows, go on taking jobs then.
func TestLeftoverGroup(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.Cloud.RefuseDelete("WorkerGroup", "API: autoscaling:DeleteAutoScalingGroup You are not authorized to perform this operation.", 1)
		failed := l.deploy(good2, nil).Expect(t, exit.Unable, "is live, but old servers were left over: shop-staging-WorkerGroup-", "(role worker, 1 servers)",
			"the next run of the pipe removes it")
		if strings.Contains(failed.Log, "staging runs image") {
			t.Errorf("that is no success:\n%s", failed.Log)
		}
		l.checkRunning("after the failed clean-up", "shop-111111111111 1", "shop-222222222222 4")

		l.deploy(good2, nil, "ACTION=preview").Expect(t, exit.Passed, "which a deploy would remove: shop-staging-WorkerGroup-")
		l.checkRunning("after a preview", "shop-111111111111 1", "shop-222222222222 4")

		l.deploy(good2, nil).Expect(t, exit.Passed, "removing shop-staging-WorkerGroup-", "The old servers are gone", "runs image", "already")
		l.checkRunning("after the next run", "shop-222222222222 4")
		l.checkSize("WorkerGroup", 1)
	})
}

// One behind the balancer drains before it goes.
func TestLeftoverGroupBehindTheBalancer(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.Cloud.RefuseDelete("WebGroup", "not now", 1)
		l.deploy(good2, nil).Expect(t, exit.Unable, "old servers were left over: shop-staging-WebGroup-")
		l.deploy(good1, nil).Expect(t, exit.Passed, "removing shop-staging-WebGroup-", "End check: all 2 members")
		l.checkRunning("after the next release", "shop-111111111111 4")
	})
}

// A rollback can leave a group of new servers behind as well.
func TestLeftoverOfARollback(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.Cloud.RefuseDelete("WebGroup", "not now", 1)
		l.deploy(broken, nil).Expect(t, exit.Refused, "database is missing")
		l.deploy(good1, nil).Expect(t, exit.Passed, "removing shop-staging-WebGroup-", "already")
		l.checkRunning("after the next run", "shop-111111111111 4")
	})
}
