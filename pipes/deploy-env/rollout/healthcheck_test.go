package rollout_test

import (
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// The balancer asks the servers that run at the new path at once. Nobody can see from
// here whether they answer, so it has to be said.
func TestHealthPathThatLiveServersMayNotAnswer(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.file(strings.Replace(stagingFile, "/health}", "/ready}", 1))
		for _, action := range []string{"deploy", "preview"} {
			l.deploy(good2, nil, "ACTION="+action).Expect(t, exit.Refused, "role web: the balancer would check them at /ready",
				"servers answer 200 at the old and at the new path", "ALLOW_INTERRUPT: 'WebTargets'")
		}
		l.checkRunning("after refusals", "shop-111111111111 4")
		l.deploy(good2, nil, "ALLOW_INTERRUPT=WebTargets").Expect(t, exit.Passed)
		l.checkRunning("when it was said", "shop-222222222222 4")
	})
}

// Another port is another target group, which is empty until there are new servers.
func TestPortOfLiveServers(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.file(strings.Replace(stagingFile, "/health}", "/health, port: 9000}", 1))
		l.deploy(good2, nil).Expect(t, exit.Refused, "role web: another target group (", "Port", "ALLOW_INTERRUPT: 'WebTargets'")
		l.checkRunning("after a refusal", "shop-111111111111 4")
		l.file(stagingFile)
		l.deploy(good2, nil).Expect(t, exit.Passed)
	})
}

// Nobody is asked where there are no servers yet, or no balancer.
func TestHealthPathOfNewRoles(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.file(strings.Replace(stagingFile, ", http: {health: /health}", "", 1))
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.file(stagingFile)
		l.deploy(good1, nil).Expect(t, exit.Passed, "+ WebTargets", "End check: all 2 members")
	})
}
