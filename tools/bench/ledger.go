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

// historyLine is what each benchmark of the history prints.
var historyLine = regexp.MustCompile(`(?m)^BenchmarkHistory/(near|far)\S*\s+\d+\s+(\d+) ns/op\s+(\S+) page-ms`)

// distances of the bucket.
var distances = map[string]string{"near": "in the same process", "far": "20 ms away, as S3 is"}

// releasesHistory measures ACTION: history on a year of 5,000 records, which it reads from the
// local cloud's S3, and once more with the time that S3 takes to answer.
func releasesHistory(ctx context.Context, root, _ string) ([]row, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=^BenchmarkHistory$", "-benchtime=3x", "./shared/ledger/figures")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, failed := cmd.Output()
	found := historyLine.FindAllStringSubmatch(string(out), -1)
	if failed != nil || len(found) != len(distances) {
		return nil, fmt.Errorf("go test of the history: %w\n%s", failed, out)
	}
	var rows []row
	for _, m := range found {
		ns, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			return nil, err
		}
		took := time.Duration(ns)
		rows = append(rows, row{
			what:  "history of a year, 5,000 records to the page, mean of 3; the bucket is " + distances[m[1]],
			value: fmt.Sprintf("%.2f s, of it %s ms for the page", took.Seconds(), m[3]), target: "under 2 s", met: took < historyTarget,
		})
	}
	return rows, nil
}
