package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"time"
)

// restoreTarget is what the rollback pipe itself may take of the time to restore.
const restoreTarget = 3 * time.Second

// restore is the line of the test in simulated time that measures rollbacks.
var restore = regexp.MustCompile(`restore: rollbacks=(\d+) all=(\S+) ours=(\S+) most=(\S+) boot=(\S+) health=(\S+) cleanup=(\S+)`)

// rollbacks measures the time from the start of the pipe until production runs the older
// commit and nothing else, and whose time that is.
func rollbacks(ctx context.Context, root, _ string) ([]row, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run=^TestTimeToRestore$", "./pipes/rollback/recall")
	cmd.Dir = root
	out, failed := cmd.CombinedOutput()
	m := restore.FindSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("go test of the time to restore: %w\n%s", failed, out)
	}
	ours, err := time.ParseDuration(string(m[3]))
	if err != nil {
		return nil, err
	}
	return []row{
		{
			what:  fmt.Sprintf("rollback, the pipe's own part of the time to restore, median of %s (simulated)", m[1]),
			value: fmt.Sprintf("%.1f s, at most %s", ours.Seconds(), m[4]), target: "under 3 s", met: ours < restoreTarget,
		},
		{
			what:  "the whole of it, with servers that take half a minute to boot",
			value: fmt.Sprintf("%s: boot %s, health %s, cleaning up %s", m[2], m[5], m[6], m[7]),
		},
	}, nil
}
