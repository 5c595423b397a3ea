package undo_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/undo"
)

// record gives actions that write down that they ran.
type record struct{ ran []string }

func (r *record) action(name string) func(context.Context) error {
	return func(context.Context) error { r.ran = append(r.ran, name); return nil }
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for failed, want := range map[bool][]string{
		false: {"key", "instance"},
		true:  {"key", "image", "instance"},
	} {
		var s undo.Stack
		var r record
		s.Defer("instance", r.action("instance"))
		s.OnFailure("image", r.action("image"))
		forget := s.Defer("object", r.action("object"))
		s.Defer("key", r.action("key"))
		forget()
		forget()
		var said []string
		if err := s.Run(t.Context(), failed, func(what string, _ error) { said = append(said, what) }); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, r.ran); diff != "" {
			t.Errorf("failed %v: ran (-want +got):\n%s", failed, diff)
		}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("failed %v: said (-want +got):\n%s", failed, diff)
		}
		if err := s.Run(t.Context(), true, nil); err != nil || len(r.ran) != len(want) {
			t.Errorf("a second run did %v (%v)", r.ran, err)
		}
	}
}

func TestErrorsAreJoined(t *testing.T) {
	t.Parallel()
	var s undo.Stack
	var r record
	first, second := errors.New("first"), errors.New("second")
	s.Defer("a", r.action("a"))
	s.Defer("b", func(context.Context) error { return first })
	s.Defer("c", func(context.Context) error { panic("out of ideas") })
	s.Defer("d", func(context.Context) error { return second })
	var said []string
	err := s.Run(t.Context(), false, func(what string, err error) { said = append(said, fmt.Sprint(what, " ", err)) })
	if !errors.Is(err, first) || !errors.Is(err, second) || !strings.Contains(err.Error(), "c: panic: out of ideas") {
		t.Errorf("joined: %v", err)
	}
	if diff := cmp.Diff([]string{"d second", "c panic: out of ideas", "b first", "a <nil>"}, said); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
	if len(r.ran) != 1 {
		t.Error("the action below the failing ones did not run")
	}
}

func TestContextIsFreshAndBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
		cancel()
		var s undo.Stack
		var late, early error
		s.Defer("below", func(ctx context.Context) error { late = ctx.Err(); return nil })
		s.Defer("hangs", func(ctx context.Context) error {
			early = ctx.Err()
			if ctx.Value(key{}) != "kept" {
				t.Error("values are lost")
			}
			<-ctx.Done()
			return ctx.Err()
		})
		start := time.Now()
		err := s.Run(ctx, true, nil)
		if took := time.Since(start); took != undo.Bound {
			t.Errorf("took %v", took)
		}
		if early != nil || !errors.Is(late, context.DeadlineExceeded) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("before %v, after %v, result %v", early, late, err)
		}
	})
}

func TestRegisteredWhileRunning(t *testing.T) {
	t.Parallel()
	var s undo.Stack
	var r record
	s.Defer("outer", func(ctx context.Context) error {
		s.Defer("inner", r.action("inner"))
		return nil
	})
	if err := s.Run(t.Context(), false, nil); err != nil || len(r.ran) != 1 {
		t.Errorf("ran %v, %v", r.ran, err)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	var s undo.Stack
	var ran sync.Map
	var wait sync.WaitGroup
	for n := range 50 {
		wait.Go(func() {
			forget := s.Defer(fmt.Sprint(n), func(context.Context) error {
				if _, twice := ran.LoadOrStore(n, true); twice {
					return errors.New("ran twice")
				}
				return nil
			})
			if n%2 == 0 {
				forget()
			}
		})
	}
	wait.Wait()
	for range 2 {
		wait.Go(func() {
			if err := s.Run(t.Context(), true, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	count := 0
	ran.Range(func(_, _ any) bool { count++; return true })
	if count != 25 {
		t.Errorf("%d actions ran, want 25", count)
	}
}
