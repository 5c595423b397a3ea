package ledger

import (
	"cmp"
	"slices"
	"time"
)

// Release is what the records of one release say together.
type Release struct {
	Start Record
	End   Record    // the word that counts; its Kind is blank while the release is open
	At    time.Time // when it came to life, or ended otherwise: the first word that said so
}

// Open reports whether nothing is known yet of what became of it.
func (r *Release) Open() bool { return r.End.Kind == "" }

// Outcome is what became of it; blank while it is open.
func (r *Release) Outcome() Outcome { return r.End.Outcome }

// Key names the release.
func (r *Release) Key() string { return r.Start.Key() }

// settled reports whether an end was written by another run than the release's own, from
// what the stack said of itself.
func (r *Record) settled() bool { return r.Failure == Unseen || r.Outcome == LiveUnproven }

// Unseen is the cause of a failure that nobody has seen.
const Unseen = "the run that began it did not see its end"

// Releases puts records, in any order, into releases, the newest start first. A release
// may have several ends: a success is written as soon as it cannot be undone, and once
// more with the figures of the cleaning up; two runs may follow the same update; and a
// run that was thought dead may have been alive. An end that was seen counts for more than
// one that was settled, and among those the latest.
//
// An end whose start is not among the records stands for it: it says the same.
func Releases(records []Record) []Release {
	byKey := map[string]*Release{}
	for _, r := range sorted(records) {
		switch r.Kind {
		case KindStart:
			if byKey[r.Key()] == nil {
				byKey[r.Key()] = &Release{}
			}
			byKey[r.Key()].Start = r
		case KindEnd:
			if byKey[r.Start] == nil {
				byKey[r.Start] = &Release{Start: startOf(r)}
			}
			byKey[r.Start].end(r)
		}
	}
	all := make([]Release, 0, len(byKey))
	for _, release := range byKey {
		all = append(all, *release)
	}
	slices.SortFunc(all, func(a, b Release) int { return inTime(b.Start, a.Start) })
	return all
}

// end takes in one more end, in the order of time.
func (r *Release) end(end Record) {
	if !r.Open() && end.settled() && !r.End.settled() {
		return
	}
	// It came to life when it was first seen alive, whoever says so.
	same := r.End.Outcome == end.Outcome || alive(r.End.Outcome) && alive(end.Outcome)
	if r.Open() || !same {
		r.At = end.Time
	}
	r.End = end
}

// alive reports whether a release of that outcome came to run.
func alive(o Outcome) bool { return o == Live || o == LiveUnproven }

// startOf is the start that an end tells of.
func startOf(end Record) Record {
	start := end
	start.Kind, start.Start, start.Outcome, start.Failure = KindStart, "", "", ""
	start.Probe, start.Durations = nil, Durations{}
	if parts := name.FindStringSubmatch(end.Start + ".json"); parts != nil {
		start.ID = parts[2]
		start.Time, _ = time.Parse(stamp, parts[1]) // its form was just compared
	}
	return start
}

// inTime compares records by time, and those of one millisecond by id: like their keys.
func inTime(a, b Record) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID)) }

// sorted is records in the order of time.
func sorted(records []Record) []Record {
	all := slices.Clone(records)
	slices.SortStableFunc(all, inTime)
	return all
}
