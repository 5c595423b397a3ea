// Package figures makes figures and a page out of the records of a ledger.
package figures

import (
	"slices"
	"time"

	"bitbucket.org/fearless/pipes/shared/ledger"
)

// Figures are the four that DORA (dora.dev) measures delivery by, over a period. Each says
// of how many releases it was made; of none, it is nothing.
type Figures struct {
	From, To time.Time

	Deploys  int     // that came to life
	PerWeek  float64 // of those
	Lead     time.Duration
	LeadOf   int // deploys whose commit's time is known
	Failures int // deploys that failed, were taken back, or were undone by a rollback
	Ended    int // deploys whose end is known
	Restore  time.Duration
	Restored int // releases that were undone by a rollback
}

// Definitions say what each figure means, in the order in which they are shown.
var Definitions = []struct{ Name, Text string }{
	{"Deployment frequency", "Deploys that came to life, for each week of the period. Rollbacks and repeated runs without a change are not counted."},
	{"Lead time for changes", "From the time a commit was made until it was live: the median of all deploys whose commit's time is known."},
	{"Change failure rate", "Deploys that failed, that CloudFormation took back, or that were live and were undone by a rollback, of all deploys whose end is known."},
	{"Time to restore", "From the moment a bad release came to life until the rollback that undid it was live: the median."},
}

// Of computes the figures from releases, in any order, of a period.
func Of(all []ledger.Release, from, to time.Time) Figures {
	f := Figures{From: from, To: to}
	var lead, restore []time.Duration
	undone := undoneBy(all)
	for _, r := range all {
		if r.Open() || r.At.Before(from) || r.At.After(to) {
			continue
		}
		if by, ok := undone[r.Key()]; ok {
			restore = append(restore, by.At.Sub(r.At))
		}
		if r.Start.Why != ledger.WhyDeploy || r.Outcome() == ledger.Cancelled {
			continue
		}
		f.Ended++
		if _, bad := undone[r.Key()]; bad || !alive(r) {
			f.Failures++
		}
		if !alive(r) {
			continue
		}
		f.Deploys++
		if !r.Start.Committed.IsZero() && r.At.After(r.Start.Committed) {
			lead = append(lead, r.At.Sub(r.Start.Committed))
		}
	}
	if weeks := to.Sub(from).Hours() / (7 * 24); weeks > 0 {
		f.PerWeek = float64(f.Deploys) / weeks
	}
	f.Lead, f.LeadOf = median(lead), len(lead)
	f.Restore, f.Restored = median(restore), len(restore)
	return f
}

// undoneBy finds, by the key of a release, the rollback that took its place.
func undoneBy(all []ledger.Release) map[string]ledger.Release {
	lives := slices.DeleteFunc(slices.Clone(all), func(r ledger.Release) bool { return r.Open() || !alive(r) })
	slices.SortStableFunc(lives, func(a, b ledger.Release) int { return a.At.Compare(b.At) })
	undone := map[string]ledger.Release{}
	for i, r := range lives {
		if i > 0 && r.Start.Why == ledger.WhyRollback && lives[i-1].Start.Commit != r.Start.Commit {
			undone[lives[i-1].Key()] = r
		}
	}
	return undone
}

func alive(r ledger.Release) bool {
	return r.Outcome() == ledger.Live || r.Outcome() == ledger.LiveUnproven
}

func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	if n := len(all); n%2 == 0 {
		return (all[n/2-1] + all[n/2]) / 2
	}
	return all[len(all)/2]
}

// Parts are the parts of a release, in their order, as they are called and counted.
var Parts = []struct {
	Name string
	Of   func(ledger.Durations) ledger.Seconds
}{
	{"bake", func(d ledger.Durations) ledger.Seconds { return d.Bake }},
	{"boot", func(d ledger.Durations) ledger.Seconds { return d.Boot }},
	{"health", func(d ledger.Durations) ledger.Seconds { return d.Health }},
	{"soak", func(d ledger.Durations) ledger.Seconds { return d.Soak }},
	{"cleanup", func(d ledger.Durations) ledger.Seconds { return d.Cleanup }},
}

// Span is a stretch of the period, and what happened in it.
type Span struct {
	From, To time.Time
	Counts   map[ledger.Outcome]int
	Medians  []time.Duration // of the parts of releases that came to life; zero where none is known
}

// Spans cut the period into at most some sixty stretches of whole days, counted from its end,
// so that the last one, at which people look, is as long as the others. The first takes what
// is left over: it has half to one and a half of their length.
func Spans(all []ledger.Release, from, to time.Time) []Span {
	const most, day = 60, 24 * time.Hour
	width := day
	for _, days := range []time.Duration{1, 7, 14, 30, 91, 365} {
		if width = days * day; to.Sub(from) <= most*width {
			break
		}
	}
	number := max(int((to.Sub(from)+width/2)/width), 1)
	spans := make([]Span, number)
	for i := range spans {
		end := to.Add(-time.Duration(number-1-i) * width)
		spans[i] = Span{From: end.Add(-width), To: end, Counts: map[ledger.Outcome]int{}, Medians: make([]time.Duration, len(Parts))}
	}
	spans[0].From = from
	parts := make([][][]time.Duration, len(spans))
	for _, r := range all {
		if r.Open() || r.At.Before(from) || r.At.After(to) {
			continue
		}
		i := max(number-1-int(to.Sub(r.At)/width), 0)
		spans[i].Counts[r.Outcome()]++
		if parts[i] == nil {
			parts[i] = make([][]time.Duration, len(Parts))
		}
		for n, part := range Parts {
			if took, known := part.Of(r.End.Durations).Get(); known && alive(r) {
				parts[i][n] = append(parts[i][n], took)
			}
		}
	}
	for i := range spans {
		for n := range parts[i] {
			spans[i].Medians[n] = median(parts[i][n])
		}
	}
	return spans
}
