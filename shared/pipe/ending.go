package pipe

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/outputs"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// ending is what happens between the end of a run and that of the process.
type ending struct {
	log     *console.Console
	pipe    string
	started time.Time
	trouble bool // something in the ending itself has failed
}

// undo cleans up, on a context that knows nothing of the run's end.
func (e *ending) undo(stack *undo.Stack, failed bool) {
	_ = stack.Run(context.Background(), failed, func(what string, err error) {
		if err != nil {
			e.trouble = true
			e.fail(fmt.Errorf("cleaning up: %s: %w", what, err))
			return
		}
		e.log.Info("cleaning up: %s", what)
	})
}

// report writes the outputs of a run that has a result.
func (e *ending) report(result Result, rt *Runtime) {
	if result == nil || (reflect.ValueOf(result).Kind() == reflect.Pointer && reflect.ValueOf(result).IsNil()) {
		return
	}
	place := outputs.Place{Dir: rt.CloneDir(), Pipeline: rt.Settings.PipelineUUID, VariablesPath: rt.Settings.VariablesPath}
	files, err := place.Write(e.pipe, result.Summary(), result.Outputs(), result)
	if err != nil {
		e.trouble = true
		e.fail(fmt.Errorf("writing the outputs: %w", err))
		return
	}
	e.log.Info("%s", result.Summary())
	e.log.Info("outputs are in %s", strings.Join(files, ", "))
}

// fail prints an error and its hints.
func (e *ending) fail(err error) {
	e.log.Fail("%s", Brief(err))
	for _, hint := range exit.HintsOf(err) {
		e.log.Plain("  %s", hint)
	}
}

// say prints the error of the run, once, with its hints, then the last line,
// and chooses the exit code. Trouble of the ending has been printed when it
// came; it decides only when the run itself was good.
func (e *ending) say(err, cause error) int {
	code := exit.CodeOf(err)
	switch {
	case err == nil && e.trouble:
		code = exit.Unable
	case errors.Is(cause, ErrInterrupted):
		code = exit.Interrupted
	case errors.Is(cause, ErrTimedOut), err != nil && code == exit.Passed:
		code = exit.Unable
	}
	if err != nil {
		e.fail(err)
	}
	took := console.Duration(time.Since(e.started))
	if code == exit.Passed {
		e.log.Success("%s passed after %s", e.pipe, took)
	} else {
		e.log.Fail("%s %s after %s", e.pipe, verdict(code, cause), took)
	}
	return int(code)
}

// verdict is the word of the last line.
func verdict(code exit.Code, cause error) string {
	switch {
	case code == exit.Interrupted:
		return "interrupted"
	case errors.Is(cause, ErrTimedOut):
		return "timed out"
	case code == exit.Refused:
		return "refused"
	}
	return "failed"
}
