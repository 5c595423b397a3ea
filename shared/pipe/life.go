package pipe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// life is the time a run has: until TIMEOUT, or until somebody stops it.
type life struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	log    *console.Console
	bound  settings.Duration

	mu       sync.Mutex
	stopping bool // the first signal has come, or the run is over

	done  chan struct{}
	ended sync.WaitGroup
}

// begin starts the clock (from the start of the process, not from here) and
// listens to signals until stop.
func begin(w World, rt *Runtime) *life {
	timeout := rt.Settings.Timeout
	ctx, cancel := context.WithCancelCause(context.Background())
	l := &life{cancel: cancel, log: rt.Console, bound: timeout, done: make(chan struct{})}
	var stopClock context.CancelFunc
	l.ctx, stopClock = context.WithDeadlineCause(ctx, rt.Started.Add(timeout.Std()),
		fmt.Errorf("%w: TIMEOUT is %s", ErrTimedOut, timeout))

	signals := make(chan os.Signal, 8)
	if len(w.Signals) > 0 {
		signal.Notify(signals, w.Signals...)
	}
	interrupt, over := w.Interrupt, l.ctx.Done()
	l.ended.Go(func() {
		defer stopClock()
		defer signal.Stop(signals)
		for {
			select {
			case <-l.done:
				return
			case s := <-signals:
				l.interrupted(s.String())
			case _, open := <-interrupt:
				if !open {
					interrupt = nil // closed: that was the last one
				}
				l.interrupted("interrupt")
			case <-over:
				over = nil
				l.timedOut()
			}
		}
	})
	return l
}

// interrupted obeys the first signal and says why it does not obey others:
// who kills a pipe while it cleans up pays for what is left running.
func (l *life) interrupted(what string) {
	if l.isFirst() {
		l.log.Warn("%s: stopping, then cleaning up", what)
		l.cancel(fmt.Errorf("%w: %s", ErrInterrupted, what))
		return
	}
	l.log.Warn("%s: cleaning up, please wait", what)
}

// timedOut says that the time is over, when it is that which ended the run.
func (l *life) timedOut() {
	if errors.Is(context.Cause(l.ctx), ErrTimedOut) && l.isFirst() {
		l.log.Warn("TIMEOUT of %s is over: stopping, then cleaning up", l.bound)
	}
}

// isFirst is true once.
func (l *life) isFirst() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := !l.stopping
	l.stopping = true
	return first
}

// finishing says that the run has returned: a signal from now on changes
// nothing any more. The run may have seen the end of its time before we did.
func (l *life) finishing() {
	l.timedOut()
	l.isFirst()
}

// stop ends listening. It returns when the last line of it is written.
func (l *life) stop() {
	close(l.done)
	l.ended.Wait()
	l.cancel(nil)
}
