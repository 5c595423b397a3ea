package agent_test

import (
	"strings"
	"testing"
	"time"
)

const (
	webTargets = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/shop-web/0a1b"
	apiTargets = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/shop-api/2c3d"
)

func TestReadyThroughTheBalancer(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, _ *troupe) {
		h.enroll("WebGroup")
		h.userData.TargetGroups, h.userData.HealthPath = []string{webTargets, apiTargets}, "/health"
		h.userData.ReadyTimeout = 3600
		web := &answers{}
		web.status(503, "")
		h.HTTP = web
		state := map[string]string{webTargets: "healthy", apiTargets: "healthy"}
		h.target = func(group string) string { return state[group] }
		stop := h.play(t)
		pass(30 * time.Second)
		if n := h.calls("DescribeTargetHealth"); n != 0 || h.state(t).Ready {
			t.Errorf("asked %d times for a server that is not healthy; %+v", n, h.state(t))
		}
		web.status(200, "")
		for _, test := range [][2]string{
			{"unused|Target.NotRegistered|Target is not registered", "the server is not registered with the load balancer yet (target group shop-api)"},
			{"initial|Elb.RegistrationInProgress|Target registration is in progress", "the load balancer is registering the server (target group shop-api)"},
			{"initial|Elb.InitialHealthChecking|Initial health checks in progress", "the load balancer has not finished its first check (target group shop-api)"},
			{"unhealthy|Target.Timeout|Request timed out", "do the security groups let it reach port 8000? (target group shop-api)"},
			{"unhealthy|Target.ResponseCodeMismatch|Health checks failed with these codes: [404]", "another answer than the server itself (Health checks failed with these codes: [404]): does it ask for /health"},
			{"unhealthy|Target.FailedHealthChecks|Health checks failed", "the load balancer calls the server unhealthy (target group shop-api): Health checks failed"},
			{"unused|Target.NotInUse|Target group is not configured", "no listener rule leads here, or this zone is not one of its zones (target group shop-api)"},
			{"draining|Target.DeregistrationInProgress|Target deregistration is in progress", "the server is leaving the target group shop-api"},
			{"unavailable|Elb.InternalError|", "the load balancer calls the server unavailable (target group shop-api)"},
		} {
			h.with(func() { state[apiTargets] = test[0] })
			pass(4 * time.Second)
			if got := h.state(t); got.Ready || !strings.Contains(got.Reason, test[1]) {
				t.Errorf("%s: %+v", test[0], got)
			}
		}
		if got := h.events("SignalResource"); got != nil {
			t.Errorf("not healthy, but %q", got)
		}
		h.with(func() { state[apiTargets] = "healthy" })
		pass(4 * time.Second)
		if got := h.events("SignalResource"); !h.state(t).Ready || len(got) != 1 || got[0] != success {
			t.Errorf("%+v, %q", h.state(t), got)
		}
		asked := h.calls("DescribeTargetHealth")
		pass(time.Hour)
		if more := h.calls("DescribeTargetHealth") - asked; more > 122 {
			t.Errorf("%d calls in an hour for two target groups", more)
		}
		h.with(func() { state[webTargets] = "unhealthy|Target.FailedHealthChecks|Health checks failed" })
		pass(2 * time.Minute)
		if got := h.state(t); got.Ready || !strings.Contains(got.Reason, "target group shop-web") {
			t.Errorf("%+v", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// An answer that does not come is not a healthy one, and is complained about
// once although each carries another request id.
func TestBalancerThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, _ *troupe) {
		h.userData.TargetGroups = []string{webTargets}
		h.target = func(string) string { return "healthy" }
		h.refuse = func(action string) string {
			if action == "DescribeTargetHealth" {
				return "AccessDenied"
			}
			return ""
		}
		stop := h.play(t)
		pass(time.Minute)
		if n := strings.Count(h.said(), "boot: not ready: cannot ask the load balancer: AccessDenied: not now\n"); n != 1 || h.state(t).Ready {
			t.Errorf("said %d times\n%s", n, h.said())
		}
		h.with(func() { h.refuse = nil })
		pass(4 * time.Second)
		if !h.state(t).Ready {
			t.Errorf("%+v", h.state(t))
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// Nor is silence, which must not keep the server from noticing anything else.
func TestBalancerThatIsSilent(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, _ *troupe) {
		h.enroll("WebGroup")
		h.userData.TargetGroups = []string{webTargets}
		h.target = func(string) string { return "healthy" }
		h.stall = "DescribeTargetHealth"
		stop := h.play(t)
		pass(30 * time.Second)
		if state := h.state(t); state.Ready || state.Reason != "cannot ask the load balancer: no answer in time" {
			t.Errorf("%+v", state)
		}
		pass(6 * time.Minute)
		if got := h.events("Signal"); len(got) != 1 || got[0] != failure {
			t.Errorf("%q\n%s", got, h.said())
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// The balancer vouches for web, not for what runs beside it.
func TestBalancerKnowsOnlyWeb(t *testing.T) {
	t.Parallel()
	for procfile, early := range map[string]bool{"web: bin/web\n": true, "web: bin/web\nworker: bin/worker\n": false} {
		simulate(t, procfile, func(t *testing.T, h *host, _ *troupe) {
			h.userData.Role, h.userData.TargetGroups = "all", []string{webTargets}
			h.target = func(string) string { return "healthy" }
			stop := h.play(t)
			pass(10 * time.Second)
			if got := h.state(t); got.Ready != early || !early && got.Reason != "worker has been running for less than 20s" {
				t.Errorf("%q: %+v", procfile, got)
			}
			pass(15 * time.Second)
			if got := h.state(t); !got.Ready {
				t.Errorf("%q: %+v", procfile, got)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}
