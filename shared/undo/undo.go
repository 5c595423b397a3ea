// Package undo keeps what has to be taken back when a run ends: registered in
// the statement after something was created, run last in, first out.
package undo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Bound is how long all actions of a stack may take together. Longer than
// any single call we make in an action with its retries; short enough that a
// step which is being stopped is not held up by its own cleaning.
const Bound = 2 * time.Minute

// Stack is a pile of actions. Its zero value is ready, and it is safe for
// concurrent use.
type Stack struct {
	mu      sync.Mutex
	actions []*action
}

type action struct {
	what      string
	do        func(context.Context) error
	onFailure bool
}

// Defer registers an action that runs at the end in any case. The function
// it returns takes the action off again, for what no longer needs undoing.
func (s *Stack) Defer(what string, f func(context.Context) error) (forget func()) {
	return s.push(&action{what: what, do: f})
}

// OnFailure registers an action that runs only when the run has failed: the
// undoing of what a good run leaves behind.
func (s *Stack) OnFailure(what string, f func(context.Context) error) (forget func()) {
	return s.push(&action{what: what, do: f, onFailure: true})
}

// Run carries out the actions, last in, first out, each at most once, those
// that are registered meanwhile too. One that fails does not stop the others;
// say is told of each with its error. The context is not cancelled when ctx
// is, since that is when cleaning up is needed most; it ends after Bound.
func (s *Stack) Run(ctx context.Context, failed bool, say func(what string, err error)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Bound)
	defer cancel()
	var all []error
	for {
		a := s.pop()
		if a == nil {
			return errors.Join(all...)
		}
		if a.onFailure && !failed {
			continue
		}
		err := a.run(ctx)
		if say != nil {
			say(a.what, err)
		}
		if err != nil {
			all = append(all, fmt.Errorf("%s: %w", a.what, err))
		}
	}
}

// run keeps a panic from taking the remaining actions with it.
func (a *action) run(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return a.do(ctx)
}

func (s *Stack) push(a *action) (forget func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actions = append(s.actions, a)
	return func() { s.remove(a) }
}

func (s *Stack) pop() *action {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.actions) - 1
	if last < 0 {
		return nil
	}
	a := s.actions[last]
	s.actions = s.actions[:last]
	return a
}

// remove does nothing for an action that has run or was forgotten.
func (s *Stack) remove(a *action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.actions {
		if s.actions[i] == a {
			s.actions = append(s.actions[:i:i], s.actions[i+1:]...)
			return
		}
	}
}
