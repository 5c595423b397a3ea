// Command bench measures the pipes against their targets: time to the first line of the
// log, a repeated bake, memory, sizes, how promptly a deploy begins and ends, and the
// gates. Absolute times are this machine's; ratios taken in the same run are what can be
// compared. With an argument, rollback, ledger, gates or migrations, it measures that alone.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
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
	err := bench(ctx, os.Stdout, os.Args[1:])
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

// part is something to measure.
type part struct {
	name    string   // to measure it alone
	pipes   []string // programs that it needs
	measure func(ctx context.Context, root, bin string) ([]row, error)
}

// parts are what is measured, in order. Those with a name can be measured alone, since
// changes of one pipe are tried again and again.
var parts = []part{
	{"", []string{"ami-bake"}, sizes},
	{"", []string{"ami-bake"}, start},
	{"", []string{"ami-bake"}, bakes},
	{"", nil, templates},
	{"", nil, deploys},
	{"rollback", nil, rollbacks},
	{"ledger", nil, releasesHistory},
	{"gates", []string{"lint-gate"}, gates},
	{"migrations", []string{"migration-check"}, migrations},
	{"test-env", nil, shows},
}

// bench measures all parts, or the one that is named.
func bench(ctx context.Context, out io.Writer, args []string) error {
	chosen := parts
	if len(args) > 0 {
		chosen = slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return p.name != args[0] })
	}
	root, err := stage.Root(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "fearless-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var programs []string
	for _, p := range chosen {
		programs = append(programs, p.pipes...)
	}
	slices.Sort(programs)
	bin := filepath.Join(dir, "bin")
	fmt.Fprintln(out, "compiling …")
	if err := stage.Build(ctx, root, bin, slices.Compact(programs)); err != nil {
		return err
	}
	var rows []row
	for _, p := range chosen {
		measured, err := p.measure(ctx, root, bin)
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
