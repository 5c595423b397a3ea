package elb_test

import (
	"testing"
	"testing/synctest"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/elb"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// simulated runs a test in simulated time with answers for the checks.
func simulated(t *testing.T, run func(b *bench, checks *statuses)) {
	synctest.Test(t, func(t *testing.T) {
		checks := &statuses{of: map[string]int{}}
		run(setup(t, world.CloudLike(), elb.Options{Check: checks.check}), checks)
	})
}

// pause lets time pass, and everything happen that is due.
func pause(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (b *bench) wantHealth(group, instance, state, reason string) {
	b.Helper()
	if s, r := b.service.Health(group, instance); s != state || r != reason {
		b.Errorf("%s is %s %s, want %s %s", instance, s, r, state, reason)
	}
}

func TestHealthOfATarget(t *testing.T) {
	simulated(t, func(b *bench, checks *statuses) {
		group := b.group("RWebTargets", resource.Properties{
			"HealthCheckIntervalSeconds": 10, "HealthCheckTimeoutSeconds": 3, "HealthyThresholdCount": 3, "UnhealthyThresholdCount": 2,
		})
		b.set("i-1", "running")
		b.wantHealth(group, "i-1", "unused", "Target.NotRegistered")
		b.register(group, "i-1")
		b.wantHealth(group, "i-1", "unused", "Target.NotInUse")
		pause(time.Minute)
		if checks.made != 0 {
			t.Errorf("%d checks of a group that nothing forwards to", checks.made)
		}

		checks.set("i-1", 503)
		b.rule(10, paths("/*"), forward(group))
		pause(time.Second) // the first check comes at once
		b.wantHealth(group, "i-1", "initial", "Elb.InitialHealthChecking")
		pause(10 * time.Second)
		b.wantHealth(group, "i-1", "unhealthy", "Target.ResponseCodeMismatch")

		checks.set("i-1", 200) // from unhealthy it takes three
		pause(20 * time.Second)
		b.wantHealth(group, "i-1", "unhealthy", "Target.ResponseCodeMismatch")
		pause(10 * time.Second)
		b.wantHealth(group, "i-1", "healthy", "")

		checks.set("i-1", -1)
		pause(10 * time.Second)
		b.wantHealth(group, "i-1", "healthy", "") // one failure is none
		checks.set("i-1", 200)
		pause(10 * time.Second)
		checks.set("i-1", -1)
		pause(10 * time.Second)
		b.wantHealth(group, "i-1", "healthy", "")
		pause(10 * time.Second)
		b.wantHealth(group, "i-1", "unhealthy", "Target.FailedHealthChecks")
		checks.set("i-1", 0)
		pause(13 * time.Second)
		b.wantHealth(group, "i-1", "unhealthy", "Target.Timeout")

		checks.set("i-1", 200)
		pause(time.Minute)
		for _, state := range []string{"stopping", "shutting-down"} { // its processes end, and answer until they have
			b.set("i-1", state)
			pause(time.Minute)
			b.wantHealth(group, "i-1", "healthy", "")
		}
		b.set("i-1", "stopped") // known after two checks, not at once
		b.wantHealth(group, "i-1", "healthy", "")
		pause(20 * time.Second)
		b.wantHealth(group, "i-1", "unused", "Target.InvalidState")
	})
}

func TestOnePassedCheckMakesANewTargetHealthy(t *testing.T) {
	simulated(t, func(b *bench, checks *statuses) {
		group := b.group("RWebTargets", resource.Properties{"HealthyThresholdCount": 10})
		b.rule(10, paths("/*"), forward(group))
		b.set("i-1", "running")
		checks.set("i-1", 200)
		b.register(group, "i-1")
		pause(4 * time.Second)
		b.wantHealth(group, "i-1", "initial", "Elb.RegistrationInProgress")
		pause(time.Second)
		b.wantHealth(group, "i-1", "healthy", "")
	})
}

func TestDeregistrationInSimulatedTime(t *testing.T) {
	simulated(t, func(b *bench, checks *statuses) {
		group := b.group("RWebTargets", nil)
		b.rule(10, paths("/*"), forward(group))
		b.set("i-1", "running")
		checks.set("i-1", 200)
		b.register(group, "i-1")
		pause(time.Minute)

		drained := b.deregister(group, "i-1")
		select {
		case <-drained: // nothing was in flight
		default:
			t.Error("it waits, and for nothing")
		}
		if again := b.deregister(group, "i-1"); again != drained {
			t.Error("a second call begins another deregistration")
		}
		pause(19 * time.Second)
		b.wantHealth(group, "i-1", "draining", "Target.DeregistrationInProgress")
		pause(time.Second)
		b.wantHealth(group, "i-1", "unused", "Target.NotRegistered")

		b.register(group, "i-1")
		pause(time.Minute)
		b.deregister(group, "i-1")
		b.register(group, "i-1") // comes back while it drains
		pause(10 * time.Second)
		b.wantHealth(group, "i-1", "healthy", "")
		pause(time.Minute)
		b.wantHealth(group, "i-1", "healthy", "") // the first registration's delay is not its own
	})
}

func TestOnlyRunningInstancesAreRegistered(t *testing.T) {
	simulated(t, func(b *bench, _ *statuses) {
		group := b.group("RWebTargets", nil)
		b.set("i-1", "pending")
		for _, instance := range []string{"i-1", "i-unknown"} {
			wantCode(t, b.service.Register(group, instance), "InvalidTarget", instance)
		}
		wantCode(t, b.service.Register("arn:none", "i-1"), "TargetGroupNotFound")
		_, err := b.service.Deregister("arn:none", "i-1")
		wantCode(t, err, "TargetGroupNotFound")
	})
}
