// Package power switches a machine off.
package power

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// Patience is how long one way of switching off has before the next is tried.
const Patience = time.Minute

// ways are tried in this order: the polite one, then the ones that work when
// the init system does not answer.
var ways = [][]string{
	{"shutdown", "-h", "now"},
	{"systemctl", "poweroff"},
	{"poweroff", "-f"},
}

// system are the directories in which a computer has its own programs.
var system = []string{"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"}

// Off switches the machine off and waits to be ended with it: returning at
// once would let the caller's caller go on, and write to a disk that is about
// to be frozen. root is the machine's disk; unless that is "/", the programs
// of the computer itself are never called, because they would switch off the
// computer on which the machine only is a directory.
func Off(ctx context.Context, root string, out io.Writer) error {
	var problems []error
	for _, way := range ways {
		program, err := exec.LookPath(way[0])
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if root != "/" && slices.Contains(system, filepath.Dir(program)) {
			problems = append(problems, fmt.Errorf("%s belongs to this computer, not to the machine in %s", program, root))
			continue
		}
		fmt.Fprintf(out, "boot: switching off (%s)\n", program)
		// Without the context: when it is over, off is where we are going.
		if err := exec.CommandContext(context.WithoutCancel(ctx), program, way[1:]...).Run(); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", program, err))
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(Patience):
			problems = append(problems, fmt.Errorf("%s had no effect for %s", program, Patience))
		}
	}
	return fmt.Errorf("cannot switch off: %w", errors.Join(problems...))
}
