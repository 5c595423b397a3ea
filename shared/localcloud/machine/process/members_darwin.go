package process

import (
	"slices"

	"golang.org/x/sys/unix"
)

const zombie = 5 // SZOMB of <sys/proc.h>

// tasks lists the processes that are not zombies.
func tasks() ([]task, error) {
	entries, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil, err
	}
	var list []task
	for _, entry := range entries {
		if entry.Proc.P_stat == zombie {
			continue
		}
		pid := int(entry.Proc.P_pid)
		session, err := unix.Getsid(pid)
		if err != nil {
			continue // gone
		}
		begun := entry.Proc.P_starttime
		started := uint64(begun.Sec)*1e6 + uint64(begun.Usec)
		list = append(list, task{identity{pid, started}, int(entry.Eproc.Ppid), session})
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
