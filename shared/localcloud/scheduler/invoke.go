package scheduler

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"
)

// longest is the longest pause between two calls of a target that fails.
const longest = time.Hour

// arm lets a schedule wait for its time. The lock is held.
func (s *Service) arm(x *schedule) {
	ctx, cancel := context.WithCancel(s.open)
	x.disarm = cancel
	if s.open.Err() != nil {
		return // nobody would wait for its end
	}
	d := x.definition
	s.running.Go(func() {
		defer cancel()
		s.invoke(ctx, x, d)
	})
}

// invoke calls the target of a schedule when its time has come, and again
// while it fails and the retry policy allows it. What is changed or deleted in
// the meantime ends the context.
func (s *Service) invoke(ctx context.Context, x *schedule, d definition) {
	if !pause(ctx, time.Until(d.at)) {
		return
	}
	began := time.Now()
	attempts, age := d.retries()
	wait := cmp.Or(s.world.Timing.Retrying, time.Minute)
	for attempt := 0; ; attempt++ {
		err := s.call(x.key, d)
		if !s.note(ctx, x, err) {
			return
		}
		if err == nil || attempt == attempts || time.Since(began)+wait > age || !pause(ctx, wait) {
			break
		}
		wait = min(2*wait, longest)
	}
	s.complete(ctx, x)
}

// call calls the target once.
func (s *Service) call(key string, d definition) error {
	if reason := s.fails(key); reason != "" {
		return errors.New(reason)
	}
	if !s.around.Takes(d.Target.RoleArn) {
		return errors.New("AccessDeniedException: the role " + d.Target.RoleArn + " cannot be assumed")
	}
	return s.around.Delete(d.Target.RoleArn, d.deletes)
}

// note keeps how a call went, and tells whether the schedule is still the one
// that made it.
func (s *Service) note(ctx context.Context, x *schedule, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	x.attempts, x.failure = x.attempts+1, ""
	if err != nil {
		x.failure = err.Error()
	}
	return true
}

// complete ends a schedule whose target was called or given up.
func (s *Service) complete(ctx context.Context, x *schedule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	x.done = true
	if x.ActionAfterCompletion == "DELETE" {
		delete(s.schedules, x.key)
	}
}

// failing is what Fail ordered.
type failing struct {
	prefix, reason string
	times          int
}

// Fail lets the next calls of schedules whose group and name begin with prefix
// fail before they reach their target.
func (s *Service) Fail(prefix, reason string, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = failing{prefix, reason, times}
}

func (s *Service) fails(key string) (reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing.times == 0 || !strings.HasPrefix(key, s.failing.prefix) {
		return ""
	}
	s.failing.times--
	return s.failing.reason
}

// pause waits; false when there is nothing to wait for any more.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil // at the same moment, the end comes first
	case <-ctx.Done():
		return false
	}
}
