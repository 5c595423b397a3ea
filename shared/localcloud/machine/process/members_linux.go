package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// tasks lists the processes that are not hidden from us.
func tasks() ([]task, error) {
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(folders) == 0 {
		return nil, fmt.Errorf("/proc lists no processes: %w", err)
	}
	var list []task
	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			continue
		}
		if t, ok := look(pid); ok {
			list = append(list, t)
		}
	}
	return list, nil
}

// look reads /proc/PID/stat: "pid (name) state ppid pgrp session … starttime",
// start time being field 22. The name may contain anything.
func look(pid int) (task, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return task{}, false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return task{}, false
	}
	zombie := bytes.ContainsAny(fields[0], "ZX")
	parent, err1 := strconv.Atoi(string(fields[1]))
	session, err2 := strconv.Atoi(string(fields[3]))
	started, err3 := strconv.ParseUint(string(fields[19]), 10, 64)
	return task{identity{pid, started}, parent, session, zombie}, err1 == nil && err2 == nil && err3 == nil
}

// carries looks for a variable in the environment that a process was started
// with.
func (t task) carries(marker string) bool {
	environ, err := readEnviron(t.pid)
	if err != nil {
		return false // gone, or not one of ours
	}
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		if string(variable) == marker {
			return true
		}
	}
	return false
}

// readEnviron reads what the process was started with. In a container root is not
// allowed to look into other users' processes (that takes CAP_SYS_PTRACE), but every user
// may look into its own: then this thread becomes, for files only, the process's user.
func readEnviron(pid int) ([]byte, error) {
	folder := fmt.Sprintf("/proc/%d", pid)
	environ, err := os.ReadFile(folder + "/environ")
	if os.Getuid() != 0 || !errors.Is(err, fs.ErrPermission) {
		return environ, err
	}
	info, err := os.Stat(folder)
	if err != nil {
		return nil, err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil, fs.ErrPermission
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// The group first: without being root for files it could not be changed any more.
	// Both calls change this thread only, and answer with what was set before.
	if _, err := unix.SetfsgidRetGid(int(owner.Gid)); err != nil {
		return nil, err
	}
	defer func() { _, _ = unix.SetfsgidRetGid(0) }()
	if _, err := unix.SetfsuidRetUid(int(owner.Uid)); err != nil {
		return nil, err
	}
	defer func() { _, _ = unix.SetfsuidRetUid(0) }()
	return os.ReadFile(folder + "/environ")
}
