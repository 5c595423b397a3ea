// Package group ends process groups: a program with everything it started, as
// long as that did not leave the group on purpose.
package group

import (
	"syscall"
	"time"
)

// poll is how often a group is looked at that was told to end.
const poll = 50 * time.Millisecond

// End tells the group to end (SIGTERM), kills what is left after grace, and
// returns when nothing of it runs any more. It reports whether anything did.
func End(id int, grace time.Duration) bool {
	if !runs(id) || syscall.Kill(-id, syscall.SIGTERM) != nil {
		return false
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for end := time.Now().Add(grace); runs(id); <-ticker.C {
		if !time.Now().Before(end) {
			// Nobody can refuse this one, so there is nothing to wait for.
			_ = syscall.Kill(-id, syscall.SIGKILL)
			break
		}
	}
	return true
}
