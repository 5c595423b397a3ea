// Command bench measures the pipes against their targets: time to the first line of the
// log, a repeated bake, memory, sizes, and how promptly a deploy begins and ends. Absolute times are this machine's; the ratio to
// a program that does nothing, taken in the same run, is what can be compared.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/stage"
)

// longest bounds the whole benchmark; the first run compiles everything.
const longest = time.Hour

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, longest)
	if len(os.Args) >= 4 && os.Args[1] == peakCommand {
		os.Exit(peak(ctx, os.Args[2], os.Args[3], os.Args[4:]...))
	}
	measure := bench
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case gatesCommand:
			measure = benchGates
		case migrationsCommand:
			measure = benchMigrations
		}
	}
	err := measure(ctx, os.Stdout)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// row is one measurement.
type row struct {
	what   string
	value  string
	target string
	met    bool
}

func bench(ctx context.Context, out io.Writer) error {
	root, err := stage.Root(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "fearless-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin := filepath.Join(dir, "bin")
	fmt.Fprintln(out, "compiling …")
	if err := stage.Build(ctx, root, bin, []string{"ami-bake", "lint-gate", "migration-check"}); err != nil {
		return err
	}
	var rows []row
	for _, measure := range []func(context.Context, string, string) ([]row, error){sizes, start, bakes, templates, deploys} {
		measured, err := measure(ctx, root, bin)
		if err != nil {
			return err
		}
		rows = append(rows, measured...)
	}
	for _, measure := range []func(context.Context, string, string) ([]row, error){gates, migrations} {
		measured, err := measure(ctx, root, bin)
		if err != nil {
			return err
		}
		rows = append(rows, measured...)
	}
	return table(out, rows)
}

func table(out io.Writer, rows []row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tMEASURED\tTARGET\t")
	for _, r := range rows {
		verdict := ""
		if r.target != "" {
			verdict = "missed"
			if r.met {
				verdict = "met"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.what, r.value, r.target, verdict)
	}
	return w.Flush()
}
