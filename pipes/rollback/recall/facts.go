package recall

import (
	"time"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/release"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// facts are all that a decision depends on: what was asked for, what the ledgers say, and
// how the account looks. Who has them needs no AWS to decide.
type facts struct {
	s *Settings

	here   []ledger.Record // of the environment, with its holds
	proven []ledger.Record // of PROVEN_IN; the same where that is the same environment

	servers  *stack.Stack   // nil: there is none
	roles    []release.Role // of its template
	template string         // digest of that

	began    time.Time // when this run did
	pipeline string    // link to it; blank outside of one

	releasesHere, releasesThere []ledger.Release // of here and proven, once they were asked for
}

// releases are those of the environment, the newest first.
func (f *facts) releases() []ledger.Release {
	if f.releasesHere == nil {
		f.releasesHere = ledger.Releases(f.here)
	}
	return f.releasesHere
}

// releasesOfProof are those of PROVEN_IN.
func (f *facts) releasesOfProof() []ledger.Release {
	if f.releasesThere == nil {
		f.releasesThere = ledger.Releases(f.proven)
	}
	return f.releasesThere
}

// version is something that servers can run.
type version struct{ Commit, Image string }

func versionOf(r ledger.Record) version { return version{r.Commit, r.Image.ID} }

func running(s *stack.Stack) version {
	return version{s.Parameters[environment.ParameterCommit], s.Parameters[environment.ParameterImage]}
}

// position is where an environment stands.
type position struct {
	live   version // what it runs, or comes back to; unknown while it is zero
	coming version // what an update under way leads to; zero: none does
}

// position reads it off the stack, whose parameters are what it runs as long as it rests.
// While it is updated they are what it is to become, and the ledger has what it was.
func (f *facts) position() position {
	if f.servers == nil {
		return position{}
	}
	was := version{}
	if r := ledger.Running(f.here); r != nil {
		was = versionOf(r.Start)
	}
	switch f.servers.Status {
	case stack.UpdateInProgress:
		return position{live: was, coming: running(f.servers)}
	case stack.UpdateRollbackInProgress, stack.UpdateRollbackCompleteCleanup, stack.UpdateRollbackFailed:
		return position{live: was}
	}
	return position{live: running(f.servers)}
}

// target is a release that was live before.
type target struct {
	commit string
	proof  *ledger.Release // the last one that was proven; nil: none was
	image  *image.Image    // as the account has it; nil: it has none
}

func (t *target) version() version { return version{t.commit, t.proof.Start.Image.ID} }

// lastHere is the last release of a commit that came to life in the environment itself,
// which need not be where it was proven; nil: it never was.
func (f *facts) lastHere(commit string) *ledger.Release {
	for _, r := range f.releases() {
		if r.Start.Commit == commit && alive(r) {
			return &r
		}
	}
	return nil
}

func alive(r ledger.Release) bool {
	return r.Outcome() == ledger.Live || r.Outcome() == ledger.LiveUnproven
}

// since are the releases of the environment that began after the commit was live there for
// the last time, the newest first; false: it was never live there.
func (f *facts) since(commit string) ([]ledger.Release, bool) {
	last := f.lastHere(commit)
	if last == nil {
		return nil, false
	}
	var later []ledger.Release
	for _, r := range f.releases() {
		if r.Start.Time.After(last.Start.Time) {
			later = append(later, r)
		}
	}
	return later, true
}
