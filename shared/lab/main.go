package lab

import (
	"flag"
	"fmt"
	"runtime/debug"
	"sync"
	"testing"

	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// every asks for the whole matrix, which takes minutes.
var every = flag.Bool("every", false, "put every fault on every AWS call, also on those that only look")

// Every reports whether tests are to try all that they could.
func Every() bool { return *every }

// Sweep lists what to try on a run that makes these calls, as fault.Sweep does; with
// -every also all faults on calls that only look.
func Sweep(calls []fault.Call, looks int) []fault.Case {
	if *every {
		looks = 1
	}
	return fault.Sweep(calls, looks)
}

// said are figures to be seen without -v.
var (
	saying sync.Mutex
	said   []string
)

// Say tells a figure when the tests are over.
func Say(format string, args ...any) {
	saying.Lock()
	defer saying.Unlock()
	said = append(said, fmt.Sprintf(format, args...))
}

// Main runs the tests of a package that plays in the lab, says what they had to Say, and
// returns what TestMain is to exit with.
func Main(m *testing.M) int {
	debug.SetGCPercent(400) // many small accounts, and memory enough
	code := m.Run()
	for _, line := range said {
		fmt.Println(line)
	}
	return code
}
