package elb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

// The states of an instance that matter to its health.
const (
	running      = "running"
	stopping     = "stopping"
	shuttingDown = "shutting-down"
	stopped      = "stopped"
	terminated   = "terminated"
)

// watch performs the health checks of a target until it drains.
func (s *Service) watch(t *target) {
	wait := s.timing.Registering
	for {
		alarm := time.NewTimer(wait)
		select {
		case <-alarm.C:
		case <-t.kick:
			alarm.Stop()
		case <-s.life.Done():
			alarm.Stop()
			return
		}
		next, ok := s.begin(t)
		if !ok {
			return
		}
		if next != nil {
			s.judge(t, s.perform(*next))
		}
		wait = s.pause(t)
	}
}

// probe is a check with what judging it takes, as the group had it when the check began:
// an update may change that meanwhile.
type probe struct {
	Check
	timeout time.Duration
	matcher string
}

// begin prepares the next check: nil while the group is not in use, false
// when the target drains.
func (s *Service) begin(t *target) (*probe, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed || t.state == stateDraining:
		return nil, false
	case t.group.uses == 0:
		t.health, t.passed, t.failed = registering, 0, 0
		return nil, true
	case t.health == registering:
		t.health = firstChecks
	}
	g := t.group
	return &probe{
		Check:   Check{Group: g.arn, Instance: t.instance, Address: s.servers.Address(t.instance, g.checkedPort(t)), Path: g.healthPath},
		timeout: g.timeout, matcher: g.matcher,
	}, true
}

// perform is one check. A server that is off fails it without being asked,
// since what answers at its address could be another one. One that is on its way
// there is asked: a balancer does not know what EC2 does with it.
func (s *Service) perform(p probe) health {
	switch state := s.servers.State(p.Instance); state {
	case running, stopping, shuttingDown:
	default:
		return offHealth(state)
	}
	ctx, cancel := context.WithTimeout(s.life, p.timeout)
	defer cancel()
	status, err := s.check(ctx, p.Check)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return timedOut
	case err != nil:
		return noAnswer
	case !matches(p.matcher, status):
		return health{stateUnhealthy, "Target.ResponseCodeMismatch", fmt.Sprintf("Health checks failed with these codes: [%d]", status)}
	}
	return sound
}

func offHealth(state string) health {
	if state == stopped || state == terminated {
		return health{stateUnused, "Target.InvalidState", "Target is in the " + state + " state"}
	}
	return noAnswer
}

// judge counts a result: a new target needs one passed check, one that was
// unhealthy the healthy threshold.
func (s *Service) judge(t *target, result health) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := t.group
	switch {
	case t.state == stateDraining || g.uses == 0:
		return
	case result.state == stateHealthy:
		t.passed, t.failed = t.passed+1, 0
		if t.state == stateInitial || t.passed >= g.healthy {
			t.health = result
		}
	default:
		t.passed, t.failed = 0, t.failed+1
		if t.failed >= g.unhealthy {
			t.health = result
		}
	}
}

// pause is the time to the next check.
func (s *Service) pause(t *target) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timing.CheckEvery > 0 {
		return s.timing.CheckEvery
	}
	return t.group.interval
}

// checking is for health checks only: a connection each, and no redirects,
// which are answers like others.
var checking = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// httpCheck asks the server itself, by its address as an application load
// balancer does: applications that look at the Host header must know that.
func httpCheck(ctx context.Context, c Check) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Address+c.Path, nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	answer, err := checking.Do(r)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}
