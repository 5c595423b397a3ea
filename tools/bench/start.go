package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// starts is how often a program is started for a median.
const starts = 40

// start measures from the start of the process to its first line.
func start(ctx context.Context, _, bin string) ([]row, error) {
	source := filepath.Join(bin, "hello.go")
	if err := os.WriteFile(source, []byte(hello), 0o600); err != nil {
		return nil, err
	}
	nothing := filepath.Join(bin, "hello")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", nothing, source).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	least, err := firstLine(ctx, nothing)
	if err != nil {
		return nil, err
	}
	pipe, err := firstLine(ctx, filepath.Join(bin, "ami-bake"))
	if err != nil {
		return nil, err
	}
	return []row{{
		what:   "start of ami-bake to its first line, median of " + fmt.Sprint(starts),
		value:  fmt.Sprintf("%.1f ms, %.1f times a program that does nothing", ms(pipe), float64(pipe)/float64(least)),
		target: "under 15 ms", met: pipe < 15*time.Millisecond,
	}}, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// firstLine starts a program many times, without any variable, and gives the median of
// the time to its first line.
func firstLine(ctx context.Context, program string) (time.Duration, error) {
	var times []time.Duration
	for range starts {
		cmd := exec.CommandContext(ctx, program)
		cmd.Env = []string{"NOTHING=1"}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			return 0, err
		}
		began := time.Now()
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		reader := bufio.NewReader(stdout)
		if _, err := reader.ReadString('\n'); err != nil {
			return 0, fmt.Errorf("%s wrote no line: %w", program, err)
		}
		times = append(times, time.Since(began))
		_, _ = io.Copy(io.Discard, reader)
		_ = cmd.Wait() // without variables a pipe exits with 2
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}
