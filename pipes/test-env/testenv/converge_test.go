package testenv_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// looks is how many of the calls that only look there are to one that gets a fault.
const looks = 4

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

var scenes = []lab.Scene{
	{Name: "create", Set: scene(nil, "COMMIT="+good1), Words: []string{"shows commit 111111111111"}},
	{Name: "create again", Set: scene(one, "COMMIT="+good1, "TTL=2d"), Words: []string{"shows commit 111111111111 until Mon 3 Jan"}},
	{Name: "never healthy", Set: scene(nil, "COMMIT="+broken), Code: exit.Refused, Words: []string{"database is missing"}},
	{Name: "extend", Set: scene(one, "ACTION=extend", "COMMIT="+good1, "TTL=2d"), Words: []string{"until Mon 3 Jan"}},
	{Name: "list", Set: scene(one, "ACTION=list"), Words: []string{"1 test environments of shop"}},
	{Name: "destroy", Set: scene(func(l *place) { l.create(good1); l.create(good2) }, "ACTION=destroy", "COMMIT="+good1), Words: []string{"of commit 111111111111"}},
	{Name: "reap", Set: scene(func(l *place) {
		l.create(good1, "TTL=1h")
		l.create(broken, "TTL=1h", "KEEP_FAILED=true")
		l.create(good2)
		l.Cloud.FailSchedules("fearless/", "not now", 1000)
		pass(9 * time.Hour)
	}, "ACTION=reap"), Words: []string{"left: 0"}},
}

// one is an account with one test environment.
func one(l *place) { l.create(good1) }

// scene is a run in an account in which something may have happened before.
func scene(before func(*place), variables ...string) func(*testing.T) lab.Stage {
	return func(t *testing.T) lab.Stage {
		l := newPlace(t)
		if before != nil {
			before(l)
		}
		return lab.Stage{Run: func(plan fault.Plan) lab.Outcome { return l.run(plan, variables...) }, State: l.state}
	}
}

// TestEveryCallCanFail breaks runs at each of their AWS calls in turn and then runs the
// pipe once more: that ends where two undisturbed runs end. At no moment is there a stack
// without a schedule that ends it.
func TestEveryCallCanFail(t *testing.T) { lab.EveryCallCanFail(t, "test-env", looks, scenes...) }

// state is what somebody pays for, and what will end it.
func (l *place) state() []string {
	all := l.shown()
	for _, a := range l.armed() {
		name, _, _ := strings.Cut(a, " ")
		all = append(all, "schedule "+name)
	}
	return append(all, fmt.Sprintf("%d servers", l.servers()), l.balanced())
}
