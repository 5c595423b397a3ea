package exit

import (
	"errors"
	"slices"
)

// CodeOf finds the exit code of an error: that of the outermost Error in its
// chain. In joined errors the first one found decides; a severity is never
// guessed. An error without a code is Unable, because nobody has said that it
// is the user's fault.
func CodeOf(err error) Code {
	if err == nil {
		return Passed
	}
	var coded *Error
	if errors.As(err, &coded) {
		return coded.Code
	}
	return Unable
}

// HintsOf collects the hints of the whole chain, outermost first, each once.
func HintsOf(err error) []string {
	var hints []string
	walk(err, func(e *Error) {
		for _, line := range e.Hints {
			if !slices.Contains(hints, line) {
				hints = append(hints, line)
			}
		}
	})
	return hints
}

// walk visits every Error below err, depth first, as errors.As would.
func walk(err error, visit func(*Error)) {
	if e, ok := err.(*Error); ok { //nolint:errorlint // this is the walk itself
		visit(e)
	}
	switch e := err.(type) { //nolint:errorlint // this is the walk itself
	case interface{ Unwrap() error }:
		walk(e.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			walk(inner, visit)
		}
	}
}
