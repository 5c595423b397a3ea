package recall

import (
	"fmt"
	"slices"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/ledger"
)

// undone are the releases that a rollback takes away, the newest first: lines for people.
func (f *facts) undone(t *target) []string {
	var lines []string
	if at := f.position(); at.coming.Commit != "" && at.coming != t.version() {
		lines = append(lines, fmt.Sprintf("commit %s, whose release is in progress", short(at.coming.Commit)))
	}
	later, was := f.since(t.commit)
	if !was {
		later = nil
		if live := f.position().live; live.Commit != "" && live != t.version() {
			lines = append(lines, fmt.Sprintf("commit %s, which is live; commit %s was never live in %s", short(live.Commit), short(t.commit), f.s.Environment))
		}
	}
	said := map[string]bool{t.commit: true}
	for _, r := range later {
		if alive(r) && !said[r.Start.Commit] {
			said[r.Start.Commit] = true
			lines = append(lines, fmt.Sprintf("commit %s, live since %s%s", short(r.Start.Commit), moment(r.At), by(r.Start)))
		}
	}
	return lines
}

// by says which pipeline made a release, where that is known.
func by(r ledger.Record) string {
	if r.By.Build == 0 {
		return ""
	}
	return fmt.Sprintf(", by pipeline %d", r.By.Build)
}

// kept are the changes since the commit was live that stay: only the image and the commit
// go back.
func (f *facts) kept(t *target) []string {
	var lines []string
	then := t.proof.Start
	if last := f.lastHere(t.commit); last != nil {
		then = last.Start
	}
	switch now := f.liveTemplate(); {
	case !knownText(now) || !knownText(then.Template) || then.Environment != f.s.Environment:
		lines = append(lines, "the environment file: whether it has changed since is not known; it stays as it is")
	case now != then.Template:
		lines = append(lines, "the environment file has changed since: sizes, health checks, balancer and network stay as they are now")
	}
	settings := ""
	if f.servers != nil {
		settings = f.servers.Parameters[environment.ParameterSettings]
	}
	switch {
	case !knownText(settings) || !knownText(then.Settings) || then.Environment != f.s.Environment:
		lines = append(lines, "the settings: whether they have changed since is not known; servers start with those of today")
	case settings != then.Settings:
		lines = append(lines, "the settings have changed since: servers start with those of today")
	}
	if later, _ := f.since(t.commit); slices.ContainsFunc(later, func(r ledger.Release) bool { return r.Start.Migrated }) {
		lines = append(lines, "the database: migrations that have run since are not taken back")
	}
	return lines
}

// liveTemplate is the digest of the template that is live, as the ledger has it. Where the
// stack does not run what the ledger says, it is that of the text itself.
func (f *facts) liveTemplate() string {
	if r := ledger.Running(f.here); r != nil && versionOf(r.Start) == f.position().live && knownText(r.Start.Template) {
		return r.Start.Template
	}
	return f.template
}

// aboutSchema says what is known of the schema where that refuses nothing: blank, it fits.
func (f *facts) aboutSchema(t *target) string {
	s := f.schemaFor(t)
	switch {
	case len(s.incompatible) > 0:
		return "Schema: recorded as incompatible, and accepted by ACCEPT_SCHEMA"
	case s.unknown != "":
		return "Schema: whether commit " + short(t.commit) + " can run with that of today is not known: " + s.unknown
	}
	return ""
}

// expected is how long it will take, from what the ledger tells of others; blank when it
// tells nothing.
func (f *facts) expected() string {
	if took, known := ledger.Expected(f.here, ledger.WhyRollback); known {
		return "Expected: " + console.Duration(took) + ", as the last rollbacks took"
	}
	// A rollback is a release without a soak and without a release process.
	var took []time.Duration
	for _, r := range f.releases() {
		total, known := r.End.Durations.Total.Get()
		soak, _ := r.End.Durations.Soak.Get()
		if known && r.Outcome() == ledger.Live && len(took) < 9 {
			took = append(took, total-soak)
		}
	}
	if len(took) == 0 {
		return ""
	}
	slices.Sort(took)
	return "Expected: " + console.Duration(took[len(took)/2]) + ", as the last deploys took without their soak"
}
