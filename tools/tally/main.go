// Command tally runs the tests of several modules and counts them.
//
//	go run ./tools/tally DIRECTORY... [-- ARGUMENTS OF GO TEST...]
//
// It prints what go test prints without -v (a closing line per package, the output of tests that failed), names every
// test that was skipped with its reason, since a skipped test that nobody sees is a test that nobody has, and ends
// with the counts of all modules together. It exits with 1 when anything failed, and when no test ran at all.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

func main() {
	// An interrupted run ends its tests too: they may have started servers.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, arguments []string, out, problems io.Writer) int {
	modules, flags := arguments, []string(nil)
	if i := slices.Index(arguments, "--"); i >= 0 {
		modules, flags = arguments[:i], arguments[i+1:]
	}
	if len(modules) == 0 {
		fmt.Fprintln(problems, "tally: no module named: give the directories of the modules to test")
		return 2
	}
	total, failed := &count{}, false
	for _, module := range modules {
		if err := test(ctx, module, flags, total, out, problems); err != nil {
			fmt.Fprintf(problems, "tally: tests of %s: %v\n", filepath.Clean(module), err)
			failed = true
		}
	}
	fmt.Fprintf(out, "\n%s\n", total)
	if failed || total.failed > 0 || total.passed == 0 {
		return 1
	}
	return 0
}

// test runs the tests of one module and adds them to the total.
func test(ctx context.Context, module string, flags []string, total *count, out, problems io.Writer) error {
	command := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, flags...)...)
	command.Dir, command.Stderr = module, problems
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 30 * time.Second // go test ends its tests first
	stream, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	read := newReader(total, out).read(stream)
	if err := command.Wait(); err != nil {
		return err
	}
	return read
}
