package group_test

import (
	"bufio"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/boot/group"
)

// start runs a shell script as a group and returns it when it has printed a
// line.
func start(t *testing.T, script string) (cmd *exec.Cmd, line string) {
	t.Helper()
	cmd = exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

func TestEnd(t *testing.T) {
	t.Parallel()
	cmd, _ := start(t, "echo up; sleep 1000")
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	if !group.End(cmd.Process.Pid, time.Hour) { // it returns when it has ended, not when that is over
		t.Error("nothing ran")
	}
	<-ended
	if group.End(cmd.Process.Pid, time.Minute) {
		t.Error("it still ran")
	}
}

func TestEndOfOrphans(t *testing.T) {
	t.Parallel()
	cmd, line := start(t, "sleep 1000 & echo $!")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if !group.End(cmd.Process.Pid, time.Minute) {
		t.Error("the orphan was not seen")
	}
	orphan, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	// It is gone, or a zombie in its group that nobody has buried yet.
	if syscall.Kill(orphan, 0) == nil && group.End(cmd.Process.Pid, 0) {
		t.Error("the orphan still runs")
	}
}

func TestEndOfTheStubborn(t *testing.T) {
	t.Parallel()
	cmd, _ := start(t, "trap '' TERM; echo up; while :; do sleep 0.02; done")
	if !group.End(cmd.Process.Pid, 200*time.Millisecond) {
		t.Error("nothing ran")
	}
	err := cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("ended by %v", err)
	}
}
