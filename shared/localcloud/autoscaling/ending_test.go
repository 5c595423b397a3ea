package autoscaling_test

import (
	"slices"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/autoscaling"
)

// The mistakes are what they say, and only where they were asked for.
func TestEndings(t *testing.T) {
	for name, test := range map[string]struct {
		ending     autoscaling.Ending
		off        bool // at once, although requests are in flight and a hook wants to be asked
		registered bool // still, when it is off
	}{
		"in order":             {autoscaling.EndInOrder, false, false},
		"without draining":     {autoscaling.EndUndrained, true, false},
		"before deregistering": {autoscaling.EndRegistered, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, b *bench) {
				p := properties(1, 4, 1, behindBalancer)
				for key, value := range hooked("CONTINUE") {
					p[key] = value
				}
				group := b.group(p)
				pause(time.Minute)
				b.group(p)
				pause(time.Minute)
				if err := b.service.SetEnding(group, test.ending); err != nil {
					t.Fatal(err)
				}
				if err := b.service.SetEnding("nobody", test.ending); err == nil {
					t.Error("a group that is not there was changed")
				}
				for _, instance := range []string{"i-1", "i-2"} {
					if err := b.service.Terminate(instance); err != nil {
						t.Fatal(err)
					}
				}
				pause(10 * time.Second)
				if state, _ := b.State("i-1"); (state == "shutting-down") != test.off {
					t.Errorf("the server is %s", state)
				}
				if state, _ := b.State("i-2"); state != "running" {
					t.Errorf("the server of another group is %s", state)
				}
				if slices.Contains(b.lines(), "deregister i-1") == test.registered {
					t.Errorf("balancer: %q", b.lines())
				}
				pause(30 * time.Second)
				if !slices.Contains(b.lines(), "deregister i-1") {
					t.Errorf("never deregistered: %q", b.lines())
				}
			})
		})
	}
}
