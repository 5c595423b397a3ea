package recall

import (
	"fmt"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/ledger"
)

// schema is what is known of the database that a commit would meet.
type schema struct {
	incompatible []ledger.Record // releases that it is recorded not to run with, the newest first
	unknown      string          // why it is not known, where it is not
}

// Words of the ledger.
const (
	compatible    = "yes"
	notCompatible = "no"
)

// schemaFor reads off the ledger whether the commit can run with the schema of today. A
// rollback takes no migration back. What a release says is about the one before it; so a
// single release since the commit was live settles it, and of several only a no counts:
// each may have been compatible with the one before, and the last not with the first.
//
// A release that failed counts too, since its migrations ran before its servers did.
func (f *facts) schemaFor(t *target) schema {
	later, was := f.since(t.commit)
	if same, known := f.sameSchema(t); known && same {
		return schema{}
	}
	if !was {
		return schema{unknown: fmt.Sprintf("commit %.12s was never live in %s", t.commit, f.s.Environment)}
	}
	var s schema
	migrated, silent := 0, 0
	for _, r := range later {
		if !r.Start.Migrated {
			continue
		}
		migrated++
		switch r.Start.Schema.Compatible {
		case notCompatible:
			s.incompatible = append(s.incompatible, r.Start)
		case compatible:
		default:
			silent++
		}
	}
	switch {
	case silent > 0:
		s.unknown = fmt.Sprintf("%s since ran migrations of which that is not recorded", count(silent, "release"))
	case migrated > 1 && len(s.incompatible) == 0:
		s.unknown = fmt.Sprintf("%s since ran migrations, each compatible with the release before it, which does not say that the last is with this one", count(migrated, "release"))
	}
	return s
}

// sameSchema compares the fingerprint that the commit was live with to that of today.
func (f *facts) sameSchema(t *target) (same, known bool) {
	then := t.proof.Start.Schema.Fingerprint
	if last := f.lastHere(t.commit); last != nil {
		then = last.Start.Schema.Fingerprint
	}
	for _, r := range f.releases() {
		if r.Start.Migrated || alive(r) {
			today := r.Start.Schema.Fingerprint
			return then == today, knownText(then) && knownText(today)
		}
	}
	return false, false
}

func knownText(text string) bool { return text != "" && text != ledger.Unknown }

// incompatible objects to a schema with which the commit cannot run, unless somebody says
// by its name that it can.
func (f *facts) incompatible(t *target) []objection {
	var against, values []string
	for _, r := range f.schemaFor(t).incompatible {
		value := r.Commit
		if knownText(r.Schema.Fingerprint) {
			value = r.Schema.Fingerprint
		}
		values = append(values, value)
		if !accepts(f.s.AcceptSchema, r) {
			against = append(against, fmt.Sprintf("commit %.12s (%s)", r.Commit, moment(r.Time)))
		}
	}
	if len(against) == 0 {
		return nil
	}
	return []objection{{
		text: fmt.Sprintf("the release before cannot run with the schema that %s made, and a rollback takes no migration back", strings.Join(against, ", ")),
		hints: []string{
			"if commit " + short(t.commit) + " can run with it, or the schema was taken back by hand: ACCEPT_SCHEMA: '" + strings.Join(values, ",") + "'",
			"or go back to no commit before that one, or release a commit that mends it",
		},
	}}
}

// accepts reports whether somebody has named a schema, by fingerprint or commit. What is
// shorter than a short hash names nothing.
func accepts(names []string, r ledger.Record) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		name = strings.ToLower(name)
		return len(name) >= 7 && (strings.HasPrefix(r.Commit, name) || name == strings.ToLower(r.Schema.Fingerprint))
	})
}

func short(commit string) string { return commit[:min(12, len(commit))] }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
