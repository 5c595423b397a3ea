package group

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// runs reports whether a process of the group is more than a zombie. Where
// nobody buries the dead (a container without an init), kill(2) finds them for
// ever, so /proc is asked.
func runs(id int) bool {
	if syscall.Kill(-id, 0) != nil {
		return false
	}
	dir, err := os.Open("/proc")
	if err != nil {
		return true
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return true
	}
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		if stat, err := os.ReadFile("/proc/" + name + "/stat"); err == nil && memberRuns(stat, id) {
			return true
		}
	}
	return false
}

// memberRuns reads /proc/PID/stat: pid (name) state parent group …; the name
// may hold anything, so the last parenthesis counts.
func memberRuns(stat []byte, id int) bool {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 3 || string(fields[2]) != strconv.Itoa(id) {
		return false
	}
	state := fields[0][0]
	return state != 'Z' && state != 'X'
}
