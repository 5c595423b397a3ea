package process

import (
	"slices"

	"golang.org/x/sys/unix"
)

const szomb = 5 // the state of a zombie, of <sys/proc.h>

// tasks lists all processes.
func tasks() ([]task, error) {
	entries, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil, err
	}
	var list []task
	for _, entry := range entries {
		pid := int(entry.Proc.P_pid)
		session, err := unix.Getsid(pid)
		if err != nil {
			continue // gone
		}
		begun := entry.Proc.P_starttime
		started := uint64(begun.Sec)*1e6 + uint64(begun.Usec)
		list = append(list, task{identity{pid, started}, int(entry.Eproc.Ppid), session, entry.Proc.P_stat == szomb})
	}
	return list, nil
}

func look(pid int) (task, bool) {
	all, err := tasks()
	if err != nil {
		return task{}, false
	}
	i := slices.IndexFunc(all, func(t task) bool { return t.pid == pid })
	if i < 0 {
		return task{}, false
	}
	return all[i], true
}

// carries is false: environments of other processes are not read here, their
// session must do.
func (t task) carries(string) bool { return false }
