package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// count is what became of the tests; subtests count, as each is a case of its own.
type count struct{ passed, failed, skipped int }

// String is in the form that build servers read as the result of a run.
func (c *count) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", c.passed, c.failed, c.skipped)
}

// event is a line of `go test -json`; see `go doc test2json`.
type event struct{ Action, Package, Test, Output string }

// reader turns events into lines for people. Output of a test is held back until its verdict is known.
type reader struct {
	total *count
	out   io.Writer
	held  map[string]map[string]string // package, test, output
}

func newReader(total *count, out io.Writer) *reader {
	return &reader{total: total, out: out, held: map[string]map[string]string{}}
}

func (r *reader) read(stream io.Reader) error {
	lines := bufio.NewReader(stream)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			r.line(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the output of go test: %w", err)
		}
	}
}

// line takes one line; one that is no event (go itself speaks now and then) is shown as it is.
func (r *reader) line(line []byte) {
	var e event
	switch err := json.Unmarshal(line, &e); {
	case err != nil:
		fmt.Fprintf(r.out, "%s\n", strings.TrimRight(string(line), "\n"))
	case e.Action == "build-output":
		fmt.Fprint(r.out, e.Output)
	case e.Package == "":
	case e.Test == "":
		r.wholePackage(e)
	default:
		r.single(e)
	}
}

func (r *reader) single(e event) {
	held := r.held[e.Package]
	if held == nil {
		held = map[string]string{}
		r.held[e.Package] = held
	}
	switch e.Action {
	case "output":
		held[e.Test] += e.Output
	case "pass":
		r.total.passed++
		delete(held, e.Test)
	case "skip":
		r.total.skipped++
		fmt.Fprintf(r.out, "skip\t%s\t%s: %s\n", e.Package, e.Test, reason(held[e.Test]))
		delete(held, e.Test)
	case "fail":
		r.total.failed++
		fmt.Fprint(r.out, spoken(held[e.Test]))
		delete(held, e.Test)
	}
}

func (r *reader) wholePackage(e event) {
	switch {
	case e.Action == "output" && e.Output != "PASS\n" && !strings.Contains(e.Output, "[no test files]"):
		fmt.Fprint(r.out, e.Output)
	case e.Action == "fail":
		// A test binary that panicked or ran out of time leaves tests without a verdict: theirs is the output to read.
		for _, test := range slices.Sorted(maps.Keys(r.held[e.Package])) {
			r.total.failed++
			fmt.Fprintf(r.out, "%s--- FAIL: %s (did not end)\n", spoken(r.held[e.Package][test]), test)
		}
		delete(r.held, e.Package)
	}
}

// reason is what a test said when it skipped itself, on one line.
func reason(output string) string {
	var said []string
	for line := range strings.Lines(spoken(output)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "--- SKIP") {
			said = append(said, line)
		}
	}
	return strings.Join(said, " ")
}

// spoken is output without the lines that tell when a test starts, pauses and goes on.
func spoken(output string) string {
	var said strings.Builder
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, "=== ") {
			said.WriteString(line)
		}
	}
	return said.String()
}
