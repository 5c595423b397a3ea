package process

import (
	"os"
	"slices"
	"syscall"
)

// identity tells a process from a later one of the same number.
type identity struct {
	pid     int
	started uint64
}

// task is a process as the system describes it.
type task struct {
	identity
	parent, session int
}

// members are the living processes of a server: those that carry its marker,
// those in sessions that it started, and all their descendants. A process that
// clears its environment, starts a session of its own and loses its parent,
// all three, is not found.
func members(marker string, sessions []int) ([]task, error) {
	tasks, err := tasks()
	if err != nil {
		return nil, err
	}
	self := os.Getpid()
	found := map[int]task{}
	for _, t := range tasks {
		if t.pid != self && (slices.Contains(sessions, t.session) || t.carries(marker)) {
			found[t.pid] = t
		}
	}
	for grown := true; grown; {
		grown = false
		for _, t := range tasks {
			_, parent := found[t.parent]
			if _, known := found[t.pid]; parent && !known && t.pid != self {
				found[t.pid] = t
				grown = true
			}
		}
	}
	return sorted(found), nil
}

func sorted(found map[int]task) []task {
	list := make([]task, 0, len(found))
	for _, t := range found {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b task) int { return a.pid - b.pid })
	return list
}

// signal reaches exactly this process: it is opened first, and looked at again
// before it is signalled, since numbers are used again.
func (t task) signal(signal syscall.Signal) {
	process, err := os.FindProcess(t.pid)
	if err != nil {
		return // gone
	}
	defer func() { _ = process.Release() }() // frees a handle, cannot fail
	if now, ok := look(t.pid); ok && now.identity == t.identity {
		_ = process.Signal(signal) // an error means: gone meanwhile
	}
}
