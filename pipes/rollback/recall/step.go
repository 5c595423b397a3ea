package recall

import (
	"fmt"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// step is what is to be done next.
type step string

// The steps. After each but the first two the stack is looked at anew.
const (
	stepNone   step = "none"   // the environment runs the target
	stepUpdate step = "update" // to the target
	stepFollow step = "follow" // an update leads to it already
	stepWait   step = "wait"   // for what cannot be stopped
	stepCancel step = "cancel" // the release in progress
	stepMend   step = "mend"   // a rollback of CloudFormation that failed
)

// next decides what is to be done to come to a version. It refuses a stack that there is
// no way from, and a busy one that must not be interrupted.
func (f *facts) next(to version) (step, error) {
	s := f.servers
	deploy := "deploy the commit: pipe fearless/deploy-env with ENVIRONMENT: '" + f.s.Environment + "' and COMMIT: '" + to.Commit + "'"
	if s == nil {
		return "", exit.Refusedf("%s of %s has no servers, so there is nothing to roll back", f.s.Environment, f.s.Application).Hint(deploy)
	}
	at := f.position()
	switch {
	case s.Status == stack.ReviewInProgress, s.Status == stack.CreateInProgress, s.Status.Dead(),
		strings.HasPrefix(string(s.Status), "DELETE"), s.Status == "ROLLBACK_IN_PROGRESS":
		return "", exit.Refusedf("stack %s is %s: there are no servers that a rollback could replace", s.Name, s.Status).Hint(deploy)
	case s.Status == stack.UpdateFailed:
		return "", exit.Unablef("stack %s is %s: somebody has updated it with its rollback switched off (%s)", s.Name, s.Status, s.Reason).
			Hint("take that update back: aws cloudformation rollback-stack --stack-name "+s.Name, "then run the pipe again")
	case s.Status == stack.UpdateRollbackFailed:
		return stepMend, nil
	case !s.Status.Busy() && at.live == to:
		return stepNone, nil
	case !s.Status.Busy():
		return stepUpdate, nil
	case at.coming == to:
		return stepFollow, nil
	case !f.s.Interrupt:
		return "", f.busy(at)
	case s.Status == stack.UpdateInProgress && !f.isRollback(at.coming):
		return stepCancel, nil
	}
	return stepWait, nil
}

// busy is the refusal of whoever may not interrupt.
func (f *facts) busy(at position) error {
	what := "stack " + f.servers.Name + " is " + string(f.servers.Status)
	if at.coming.Commit != "" {
		what = fmt.Sprintf("a release of commit %.12s is in progress (%s)", at.coming.Commit, f.servers.Status)
	}
	return exit.Refusedf("%s, and INTERRUPT is false", what).Hint("run the pipe again when it has ended", "or stop it: INTERRUPT: 'true'")
}

// isRollback reports whether what is coming is another rollback, which is no release to be
// stopped: it leads away from something bad, too, and ends within minutes.
func (f *facts) isRollback(coming version) bool {
	return slices.ContainsFunc(ledger.Unsettled(f.here), func(r ledger.Release) bool {
		return r.Start.Why == ledger.WhyRollback && versionOf(r.Start) == coming
	})
}

// left are the versions that a rollback leads away from, and that nobody is to deploy
// again before they are mended: what is live and what is coming. A commit that came to
// life after them for the first time is no way back, so there is nothing to hold.
func (f *facts) left(to version) []version {
	at, first := f.position(), f.firstSeen()
	var bad []version
	for _, v := range []version{at.live, at.coming} {
		came, known := first[v.Commit]
		before, proven := first[to.Commit]
		older := known && proven && came < before
		if v.Commit != "" && v.Commit != to.Commit && !older && !slices.Contains(bad, v) {
			bad = append(bad, v)
		}
	}
	return bad
}

// firstSeen is when each commit first began in the environment, by its key in the ledger,
// which sorts by time.
func (f *facts) firstSeen() map[string]string {
	first := map[string]string{}
	for _, r := range f.releases() { // the newest first
		first[r.Start.Commit] = r.Key()
	}
	return first
}
