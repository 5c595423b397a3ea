// Package exit gives errors the exit code a pipe ends with and the hints a
// person needs next.
package exit

import (
	"fmt"
)

// Code is the exit code of a pipe. Bitbucket only tells zero from the rest;
// the difference between the others is for people, scripts and after-script.
type Code int

// The codes. A check that could not run is Unable, never Passed: a gate that
// was not asked has not said yes.
const (
	// Passed: done, or nothing to do.
	Passed Code = 0
	// Refused: the change or the request fails the check or is not allowed.
	Refused Code = 1
	// Invalid: a variable or a file says something we cannot accept.
	Invalid Code = 2
	// Unable: AWS, Bitbucket or the pipe itself could not do it.
	Unable Code = 3
	// Interrupted: SIGINT or SIGTERM; 128 + SIGINT, as shells report it.
	Interrupted Code = 130
)

// String names the code for logs.
func (c Code) String() string {
	switch c {
	case Passed:
		return "passed"
	case Refused:
		return "refused"
	case Invalid:
		return "invalid"
	case Unable:
		return "unable"
	case Interrupted:
		return "interrupted"
	}
	return fmt.Sprintf("exit %d", int(c))
}

// Error is a cause together with the exit code it leads to.
type Error struct {
	Code  Code
	Err   error
	Hints []string // what to do next, one line each
}

// Error is the text of the cause; hints are printed apart from it.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Code.String()
	}
	return e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint adds lines that say what to do next and returns the same error, so
// that it can be written behind the constructor.
func (e *Error) Hint(lines ...string) *Error {
	e.Hints = append(e.Hints, lines...)
	return e
}

// Refusedf is an error for what the user's change or request got wrong.
func Refusedf(format string, args ...any) *Error {
	return &Error{Code: Refused, Err: fmt.Errorf(format, args...)}
}

// Invalidf is an error for settings and files that are not acceptable.
func Invalidf(format string, args ...any) *Error {
	return &Error{Code: Invalid, Err: fmt.Errorf(format, args...)}
}

// Unablef is an error for what we, or a service we depend on, could not do.
func Unablef(format string, args ...any) *Error {
	return &Error{Code: Unable, Err: fmt.Errorf(format, args...)}
}
