package process

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// watch is the guardian's program. It is told which process groups exist,
// until the cloud's end of the pipe closes, which happens however the cloud
// ends. Then it kills those groups, and where /proc exists every process that
// carries the marker of one of our disks, with its group: the cloud may have been
// killed after it started a process and before it told. 50 rounds, since a process
// may fork while it is looked for. A group of the cloud's own session is none of a
// guest's, whatever somebody has set there to look into a disk.
const watch = `
trap '' HUP INT TERM
root=$1 cloud=$2
groups=" "
while read -r verb group; do
	case "$verb" in
	knows) groups="$groups$group " ;;
	forgets)
		case "$groups" in
		*" $group "*) groups="${groups%%" $group "*} ${groups#*" $group "}" ;;
		esac ;;
	esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
[ -d /proc/self ] || exit 0
round=0
while [ $round -lt 50 ]; do
	found=
	for process in /proc/[0-9]*; do
		grep -qsz "^MACHINE_ROOT=$root/" "$process/environ" && stat=$(cat "$process/stat" 2>/dev/null) || continue
		set -- ${stat##*") "} # state, parent, group, session
		kill -s KILL "${process#/proc/}" 2>/dev/null && found=yes
		[ "$4" = "$cloud" ] || kill -s KILL -- "-$3" 2>/dev/null
	done
	[ -n "$found" ] || exit 0
	round=$((round + 1))
	sleep 0.1
done
`

// guardian ends the guests of a cloud that was killed and could not do so
// itself: children die with it on Linux, grandchildren would not.
type guardian struct {
	process *os.Process
	pipe    *os.File
}

// newGuardian starts it as the guests' user: that is who may look into their processes,
// and end them, in a container where root may not.
func newGuardian(s *spawner, root string, as *user) (*guardian, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = read.Close() }()
	session, err := unix.Getsid(0)
	if err != nil {
		return nil, err
	}
	quiet, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = quiet.Close() }()
	process, err := s.start(command{
		path: "/bin/sh", args: []string{"-c", watch, "localcloud-guardian", root, strconv.Itoa(session)}, dir: "/",
		env: []string{"PATH=" + defaultPath}, input: read, output: quiet, user: as, outlive: true,
	})
	if err != nil {
		return nil, fmt.Errorf("/bin/sh: %w", err)
	}
	return &guardian{process, write}, nil
}

// knows tells the guardian about a process group.
func (g *guardian) knows(group int) { g.tell("knows", group) }

// forgets tells it that the group has ended: its number may be given to
// somebody else.
func (g *guardian) forgets(group int) { g.tell("forgets", group) }

func (g *guardian) tell(verb string, group int) {
	// Should the guardian have been killed, Linux still ends the children.
	_, _ = fmt.Fprintln(g.pipe, verb, group)
}

// close lets the guardian make its rounds and waits for it.
func (g *guardian) close() {
	_ = g.pipe.Close() // nothing is buffered
	_, _ = g.process.Wait()
}
