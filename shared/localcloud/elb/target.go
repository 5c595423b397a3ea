package elb

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// The states of a target.
const (
	stateInitial   = "initial"
	stateHealthy   = "healthy"
	stateUnhealthy = "unhealthy"
	stateUnused    = "unused"
	stateDraining  = "draining"
)

// health is a state, and the reason and text that go with it.
type health struct{ state, reason, text string }

// The reasons that do not depend on an answer.
var (
	registering   = health{stateInitial, "Elb.RegistrationInProgress", "Target registration is in progress"}
	firstChecks   = health{stateInitial, "Elb.InitialHealthChecking", "Initial health checks in progress"}
	sound         = health{state: stateHealthy}
	timedOut      = health{stateUnhealthy, "Target.Timeout", "Request timed out"}
	noAnswer      = health{stateUnhealthy, "Target.FailedHealthChecks", "Health checks failed"}
	draining      = health{stateDraining, "Target.DeregistrationInProgress", "Target deregistration is in progress"}
	notRegistered = health{stateUnused, "Target.NotRegistered", "Target is not registered to the target group"}
	notInUse      = health{stateUnused, "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"}
)

// target is one registration of an instance. A target that comes back after
// it was deregistered is another one. Its fields are guarded by the service's
// lock.
type target struct {
	group    *group
	instance string
	port     int
	health

	passed, failed int // checks in a row
	kick           chan struct{}

	inflight int
	drained  chan struct{} // closed when nothing can be in flight any more
	alarm    *time.Timer   // the deregistration delay

	// life ends with the registration, and with it what is still in flight.
	life context.Context
	end  context.CancelCauseFunc

	transport *http.Transport
}

// errDelay ends the requests that outlast the deregistration delay.
var errDelay = errors.New("the deregistration delay has elapsed")

// dialTimeout is how long an application load balancer tries to connect.
const dialTimeout = 10 * time.Second

// newTarget registers an instance. Connections to it are kept as long as those of
// clients, so what it serves with must keep them longer.
func newTarget(g *group, instance string, port int) *target {
	idle := time.Minute
	if g.user != nil {
		idle = g.user.idle
	}
	life, end := context.WithCancelCause(context.Background())
	return &target{
		group: g, instance: instance, port: port, health: registering,
		kick: make(chan struct{}, 1), drained: make(chan struct{}), life: life, end: end,
		// Of its own, so that no connection to a server survives it and is
		// used for the next one with its address.
		transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
			DisableCompression:  true,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     idle,
		},
	}
}

// shown is the health that callers see. The lock is held.
func (t *target) shown() health {
	if t.group.uses == 0 && t.state != stateDraining {
		return notInUse
	}
	return t.health
}

// release notes the end of a request. The lock is held.
func (t *target) release() {
	t.inflight--
	if t.inflight == 0 && t.state == stateDraining {
		t.quiet()
	}
}

// quiet tells those who wait that nothing is in flight. The lock is held.
func (t *target) quiet() {
	select {
	case <-t.drained:
	default:
		close(t.drained)
		t.transport.CloseIdleConnections()
	}
}

// finish ends the registration, and every request that is still in flight.
// The lock is held.
func (t *target) finish() {
	if t.alarm != nil {
		t.alarm.Stop()
	}
	t.end(errDelay)
	t.quiet()
}

// wake lets the next health check take place at once.
func (t *target) wake() {
	select {
	case t.kick <- struct{}{}:
	default:
	}
}
