package exit_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/exit"
)

func TestCodeOf(t *testing.T) {
	t.Parallel()
	plain := errors.New("plain")
	for _, c := range []struct {
		name string
		err  error
		want exit.Code
	}{
		{"nil", nil, exit.Passed},
		{"no code", plain, exit.Unable},
		{"refused", exit.Refusedf("no"), exit.Refused},
		{"invalid", exit.Invalidf("no"), exit.Invalid},
		{"unable", exit.Unablef("no"), exit.Unable},
		{"interrupted", &exit.Error{Code: exit.Interrupted}, exit.Interrupted},
		{"wrapped by others", fmt.Errorf("bake: %w", exit.Invalidf("no")), exit.Invalid},
		{"outermost wins", exit.Refusedf("gate: %w", exit.Unablef("aws")), exit.Refused},
		{"joined, first coded one wins", errors.Join(plain, exit.Refusedf("a"), exit.Unablef("b")), exit.Refused},
		{"joined, order turned", errors.Join(exit.Unablef("b"), exit.Refusedf("a")), exit.Unable},
	} {
		if got := exit.CodeOf(c.err); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestHintsOf(t *testing.T) {
	t.Parallel()
	inner := exit.Unablef("describe: %w", io.ErrUnexpectedEOF).Hint("try again", "ask AWS")
	other := exit.Invalidf("file").Hint("try again", "fix the file")
	err := exit.Refusedf("bake: %w", errors.Join(fmt.Errorf("step: %w", inner), other)).Hint("read the log")

	want := []string{"read the log", "try again", "ask AWS", "fix the file"}
	if diff := cmp.Diff(want, exit.HintsOf(err)); diff != "" {
		t.Errorf("hints (-want +got):\n%s", diff)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
	if got := exit.HintsOf(errors.New("plain")); got != nil {
		t.Errorf("hints of a plain error: %q", got)
	}
	if got := exit.HintsOf(nil); got != nil {
		t.Errorf("hints of nil: %q", got)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	err := exit.Invalidf("reading %s: %w", "Procfile", io.EOF).Hint("not part of the text")
	if got, want := err.Error(), "reading Procfile: EOF"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	for code, want := range map[exit.Code]string{
		exit.Passed: "passed", exit.Refused: "refused", exit.Invalid: "invalid",
		exit.Unable: "unable", exit.Interrupted: "interrupted", exit.Code(7): "exit 7",
	} {
		if got := (&exit.Error{Code: code}).Error(); got != want {
			t.Errorf("an error without a cause: %q, want %q", got, want)
		}
	}
}
