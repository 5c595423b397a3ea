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
	zombie          bool // has ended, and nobody has asked for its status yet
}

// members are the living processes of a server, or of one of its units: those
// that carry its marker, those in its sessions, and all their descendants. A process that
// clears its environment, starts a session of its own and loses its parent,
// all three, is not found.
func members(tasks []task, marker string, sessions []identity) []task {
	ours := living(tasks, sessions)
	self := os.Getpid()
	found := map[int]task{}
	for _, t := range tasks {
		if t.pid != self && !t.zombie && (ours[t.session] || t.carries(marker)) {
			found[t.pid] = t
		}
	}
	for grown := true; grown; {
		grown = false
		for _, t := range tasks {
			_, parent := found[t.parent]
			if _, known := found[t.pid]; parent && !known && !t.zombie && t.pid != self {
				found[t.pid] = t
				grown = true
			}
		}
	}
	return sorted(found)
}

// living are those of the sessions that have members. A session is named by
// the number of its leader; when the leader is another process than the one we
// started, the number was given to somebody else.
func living(tasks []task, sessions []identity) map[int]bool {
	found := map[int]bool{}
	for _, t := range tasks {
		found[t.session] = found[t.session] || !t.zombie
	}
	for _, t := range tasks {
		if t.pid == t.session && !slices.Contains(sessions, t.identity) {
			found[t.pid] = false
		}
	}
	ours := map[int]bool{}
	for _, session := range sessions {
		ours[session.pid] = found[session.pid]
	}
	return ours
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
