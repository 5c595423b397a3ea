package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// historyTarget is for reading 5,000 records and making the page.
const historyTarget = 2 * time.Second

// historyLine is what the benchmark of the history prints.
var historyLine = regexp.MustCompile(`(?m)^BenchmarkHistory\S*\s+\d+\s+(\d+) ns/op\s+(\S+) page-ms`)

// releasesHistory measures ACTION: history on a year of 5,000 records, which it reads from the
// local cloud's S3.
func releasesHistory(ctx context.Context, root, _ string) ([]row, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=^BenchmarkHistory$", "-benchtime=3x", "./shared/ledger/figures")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, failed := cmd.Output()
	m := historyLine.FindSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("go test of the history: %w\n%s", failed, out)
	}
	ns, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		return nil, err
	}
	took := time.Duration(ns)
	return []row{{
		what:  "history of a year, 5,000 records from S3 to the page, mean of 3",
		value: fmt.Sprintf("%.2f s, of it %s ms for the page", took.Seconds(), m[2]), target: "under 2 s", met: took < historyTarget,
	}}, nil
}
