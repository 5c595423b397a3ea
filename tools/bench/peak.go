package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// peakCommand makes this program run another one and write down its peak memory. What
// the system counts as a child's peak includes its parent's size at the moment of the
// fork, and the benchmark itself is large; so a small parent stands in between.
const peakCommand = "peak"

// underPeak is a command that runs a program and writes its peak memory to a file.
func underPeak(ctx context.Context, file, program string, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, self, append([]string{peakCommand, file, program}, args...)...), nil
}

// peak is the small parent; it returns the program's exit code.
func peak(ctx context.Context, file, program string, args ...string) int {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		bytes := usage.Maxrss
		if runtime.GOOS != "darwin" { // which counts in bytes, others in KiB
			bytes <<= 10
		}
		if err := os.WriteFile(file, []byte(strconv.FormatInt(bytes, 10)), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return cmd.ProcessState.ExitCode()
}

// readPeak reads what peak wrote, in bytes.
func readPeak(file string) (int64, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
}
