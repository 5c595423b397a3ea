package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/ledger"
)

// came writes a release and its end.
func (b *book) came(commit string, outcome ledger.Outcome) {
	b.t.Helper()
	start, err := b.Start(b.t.Context(), release(commit))
	if err == nil {
		_, err = b.End(b.t.Context(), start, ledger.Record{Outcome: outcome})
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// kept are the images to keep, as another program finds them.
func (b *book) kept(releases int) []string {
	b.t.Helper()
	kept, err := b.fresh().Keep(b.t.Context(), releases)
	if err != nil {
		b.t.Fatal(err)
	}
	var images []string
	for _, k := range kept {
		images = append(images, k.Image)
	}
	return images
}

func TestKeep(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		play func(*book)
		want string // images, the newest first
	}{
		"nothing yet":                {func(*book) {}, ""},
		"fewer than that":            {func(b *book) { b.came("1", ledger.Live) }, "1"},
		"the last two":               {func(b *book) { b.came("1", ledger.Live); b.came("2", ledger.Live); b.came("3", ledger.Live) }, "3 2"},
		"failures do not count":      {func(b *book) { b.came("1", ledger.Live); b.came("2", ledger.Live); b.came("3", ledger.RolledBack) }, "2 1"},
		"nor does the same commit":   {func(b *book) { b.came("1", ledger.Live); b.came("2", ledger.Live); b.came("2", ledger.Live) }, "2 1"},
		"unproven ones stay beside":  {func(b *book) { b.came("1", ledger.Live); b.came("2", ledger.LiveUnproven); b.came("3", ledger.Live) }, "3 2 1"},
		"so do those without an end": {func(b *book) { b.came("1", ledger.Live); _, _ = b.Start(b.t.Context(), release("2")) }, "2 1"},
		"and held ones": {func(b *book) {
			b.came("1", ledger.Live)
			b.came("2", ledger.Live)
			b.came("3", ledger.Live)
			_, _ = b.Hold(b.t.Context(), release("3"))
		}, "3 2 1"},
		"a destroyed environment keeps its own": {func(b *book) {
			b.came("1", ledger.Live)
			start, _ := b.Start(b.t.Context(), ledger.Record{Why: ledger.WhyDestroy})
			_, _ = b.End(b.t.Context(), start, ledger.Record{Outcome: ledger.Gone})
		}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t)
			c.play(b)
			if got := strings.ReplaceAll(strings.Join(b.kept(2), " "), "ami-", ""); got != c.want {
				t.Errorf("kept are %q, want %q", got, c.want)
			}
		})
	}
}

// In any past: what runs, what one can go back to, and the last good releases are kept.
func TestKeepInAnyPast(t *testing.T) {
	t.Parallel()
	const last = 3
	spared := 0
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 2))
			b := open(t)
			for range 25 {
				time.Sleep(time.Hour) //nolint:forbidigo // simulated
				commit := fmt.Sprint(random.IntN(12))
				switch what := random.IntN(10); {
				case what < 6:
					b.came(commit, ledger.Live)
				case what < 8:
					b.came(commit, []ledger.Outcome{ledger.Failed, ledger.Cancelled, ledger.LiveUnproven}[random.IntN(3)])
				case what < 9:
					_, _ = b.Start(t.Context(), release(commit))
				default:
					_, _ = b.Hold(t.Context(), release(commit))
				}
			}
			records, err := b.fresh().All(t.Context(), time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			kept := b.kept(last)
			need := func(why string, r ledger.Record) {
				if !slices.Contains(kept, r.Image.ID) {
					t.Errorf("seed %d: %s, %s, is not among %v", seed, why, r.Image.ID, kept)
				}
			}
			if now := ledger.Running(records); now != nil {
				need("what runs", now.Start)
			}
			if before := ledger.Previous(records); before != nil {
				need("the one before", before.Start)
			}
			good, everything := 0, map[string]bool{}
			for _, r := range ledger.Releases(records) {
				everything[r.Start.Image.ID] = true
				if good < last && r.Outcome() == ledger.Live {
					good++
					need("a good release", r.Start)
				}
			}
			spared += len(everything) - len(kept)
		})
	}
	if spared < 40 {
		t.Errorf("only %d images of 40 pasts may go", spared)
	}
}

func TestEnvironments(t *testing.T) {
	t.Parallel()
	b := open(t)
	names := func() string {
		t.Helper()
		names, err := b.fresh().Environments(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, " ")
	}
	if got := names(); got != "" {
		t.Errorf("in an empty bucket there are %q", got)
	}
	b.came("1", ledger.Live)
	b.lay("ledger/shop/staging/holds/x.json", "{}")
	b.lay("ledger/shop-two/testing/x.json", "{}")
	if diff := cmp.Diff("production staging", names()); diff != "" {
		t.Error(diff)
	}
	b.lay("ledger/shop/index.json", "{}")
	if _, err := b.fresh().Environments(t.Context()); exit.CodeOf(err) != exit.Unable || !strings.Contains(err.Error(), "index.json does not belong") {
		t.Error(err)
	}
}
