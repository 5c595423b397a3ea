package recall

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/stack"
)

func (f *facts) target(c byte) *target { return f.aim(commit(c)) }

func TestWhatIsUndone(t *testing.T) {
	t.Parallel()
	h := three()
	h.release('5', ledger.RolledBack)
	h.begin('4')
	_, f := asked(h, commit('1'), busy('4', stack.UpdateInProgress))
	want := []string{
		"commit 444444444444, whose release is in progress",
		"commit 333333333333, live since 2026-11-01 14:00 UTC, by pipeline 4",
		"commit 222222222222, live since 2026-11-01 12:00 UTC, by pipeline 2",
	}
	if diff := cmp.Diff(want, f.undone(f.target('1'))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	elsewhere := newHistory("production")
	elsewhere.release('7', ledger.Live)
	staging := newHistory("staging")
	staging.release('3', ledger.Live)
	_, f = asked(staging, commit('7'), func(f *facts) { f.s.ProvenIn, f.proven = "production", elsewhere.records })
	want = []string{"commit 333333333333, which is live; commit 777777777777 was never live in staging"}
	if diff := cmp.Diff(want, f.undone(f.target('7'))); diff != "" {
		t.Errorf("of another environment (-want +got):\n%s", diff)
	}
	if about := f.aboutSchema(f.target('7')); !strings.Contains(about, "is not known: commit 777777777777 was never live in staging") {
		t.Errorf("the schema: %q", about)
	}
}

func TestWhatStays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*ledger.Record) // of the release after the one that is brought back
		live   func(*facts)
		want   []string // the beginnings of lines
	}{
		{name: "nothing", change: func(*ledger.Record) {}},
		{name: "template", change: func(r *ledger.Record) { r.Template = "t2" }, want: []string{"the environment file has changed since"}},
		{name: "template unknown", change: func(r *ledger.Record) { r.Template = ledger.Unknown }, live: func(f *facts) { f.template = "" },
			want: []string{"the environment file: whether it has changed since is not known"}},
		{name: "template by somebody else", change: func(r *ledger.Record) { r.Template = ledger.Unknown }, live: func(f *facts) { f.template = "t1" }},
		{name: "settings", live: func(f *facts) { f.servers.Parameters[environment.ParameterSettings] = "s2" }, change: func(*ledger.Record) {},
			want: []string{"the settings have changed since"}},
		{name: "settings unknown", live: func(f *facts) { delete(f.servers.Parameters, environment.ParameterSettings) }, change: func(*ledger.Record) {},
			want: []string{"the settings: whether they have changed since is not known"}},
		{name: "database", change: migrating("aaaaaaaaaaaa", "yes"), want: []string{"the database: migrations that have run since are not taken back"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHistory("production")
			h.release('1', ledger.Live)
			h.release('3', ledger.Live, c.change)
			_, f := asked(h, commit('1'))
			if c.live != nil {
				c.live(f)
			}
			got := f.kept(f.target('1'))
			if len(got) != len(c.want) {
				t.Fatalf("%q, want %q", got, c.want)
			}
			for n := range got {
				if !strings.HasPrefix(got[n], c.want[n]) {
					t.Errorf("%q, want %q…", got[n], c.want[n])
				}
			}
		})
	}
}

// Two releases that were each compatible with the one before need not be so together.
func TestSchemaOverTwoReleases(t *testing.T) {
	t.Parallel()
	h := newHistory("production")
	h.release('1', ledger.Live)
	h.release('2', ledger.Live, migrating("aaaaaaaaaaaa", "yes"))
	h.release('3', ledger.Live, migrating("bbbbbbbbbbbb", "yes"))
	_, f := asked(h, commit('1'))
	if about := f.aboutSchema(f.target('1')); !strings.Contains(about, "each compatible with the release before it") {
		t.Errorf("two releases back: %q", about)
	}
	if about := f.aboutSchema(f.target('2')); about != "" {
		t.Errorf("one release back: %q", about)
	}
}

func TestExpected(t *testing.T) {
	t.Parallel()
	h := newHistory("production")
	_, f := asked(h, commit('1'))
	if text := f.expected(); text != "" {
		t.Errorf("of nothing: %q", text)
	}
	lasting := func(why string, total, soak time.Duration) {
		start := h.begin('1', func(r *ledger.Record) { r.Why = why })
		r := start
		r.Kind, r.Start, r.Outcome = ledger.KindEnd, start.Key(), ledger.Live
		r.Durations = ledger.Durations{Total: ledger.Took(total), Soak: ledger.Took(soak)}
		h.add(r)
	}
	lasting(ledger.WhyDeploy, 12*time.Minute, 5*time.Minute)
	_, f = asked(h, commit('1'))
	if text := f.expected(); text != "Expected: 7m 00s, as the last deploys took without their soak" {
		t.Errorf("of a deploy: %q", text)
	}
	lasting(ledger.WhyRollback, 4*time.Minute, 0)
	_, f = asked(h, commit('1'))
	if text := f.expected(); text != "Expected: 4m 00s, as the last rollbacks took" {
		t.Errorf("of a rollback: %q", text)
	}
}
