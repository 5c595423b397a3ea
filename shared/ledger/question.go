package ledger

import (
	"slices"
	"strings"
	"time"
)

// Running is the release that an environment runs, as far as the records say; nil when
// none ever came to life, or the environment was destroyed. A release that failed leaves
// the one before in its place.
func Running(records []Record) *Release {
	order := lives(records)
	if len(order) == 0 || order[0].Outcome() == Gone {
		return nil
	}
	return &order[0]
}

// lives are the releases that came to life, and the ends of environments between them,
// the last one first.
func lives(records []Record) []Release {
	all := slices.DeleteFunc(Releases(records), func(r Release) bool { return !alive(r.Outcome()) && r.Outcome() != Gone })
	slices.SortStableFunc(all, func(a, b Release) int { return b.At.Compare(a.At) })
	return all
}

// Standing is what an environment has seen of a commit.
type Standing string

// The standings, from the best to none.
const (
	Proven   Standing = "proven"   // it was live, and somebody saw it come through
	Unproven Standing = "unproven" // it was live, but nobody saw that
	Failing  Standing = "failed"   // it was tried, and never came to life
	Untried  Standing = "untried"
)

// StandingOf is the best that the records say of a commit (full hash), with the newest
// release that says it.
func StandingOf(records []Record, commit string) (Standing, *Release) {
	standing, best := Untried, (*Release)(nil)
	rank := []Standing{Proven, Unproven, Failing, Untried}
	for _, r := range Releases(records) {
		if r.Start.Commit != commit || r.Open() || r.Outcome() == Gone {
			continue
		}
		this := Failing
		switch r.Outcome() {
		case Live:
			this = Proven
		case LiveUnproven:
			this = Unproven
		}
		if slices.Index(rank, this) < slices.Index(rank, standing) {
			standing, best = this, &r
		}
	}
	return standing, best
}

// Previous is the last good release before the one that is live: proven, of another
// image, and not held; nil when there is none.
func Previous(records []Record) *Release {
	order := lives(records)
	if len(order) == 0 || order[0].Outcome() == Gone {
		return nil
	}
	now, held := order[0].Start, Held(records)
	for _, r := range order[1:] {
		s := r.Start
		if r.Outcome() != Live || s.Commit == now.Commit || s.Image.ID == now.Image.ID {
			continue
		}
		if !slices.ContainsFunc(held, func(h Record) bool { return covers(h, s) }) {
			return &r
		}
	}
	return nil
}

// Held are the holds in force, the newest first. The last word about a commit counts.
func Held(records []Record) []Record {
	last := map[string]Record{}
	for _, r := range sorted(records) {
		if r.Kind == KindHold || r.Kind == KindLift {
			last[r.Commit] = r
		}
	}
	var held []Record
	for _, r := range last {
		if r.Kind == KindHold {
			held = append(held, r)
		}
	}
	held = sorted(held)
	slices.Reverse(held)
	return held
}

// Unsettled are the releases that began and did not end, the newest first.
func Unsettled(records []Record) []Release {
	return slices.DeleteFunc(Releases(records), func(r Release) bool { return !r.Open() })
}

// Seen is what a stack says of itself while nothing happens to it.
type Seen struct {
	There    bool // there is a stack at all, and it came to life once
	Good     bool // its last update came through, so that its parameters are what runs
	Image    string
	Commit   string
	Settings string // digest
}

// Settlement is the end of a release that nobody saw. It is live when all that it was to
// bring is what the stack runs, though it is unproven.
func Settlement(start Record, s Seen) Record {
	same := s.There && s.Good && s.Image == start.Image.ID && s.Commit == start.Commit && s.Settings == start.Settings
	switch {
	case start.Why == WhyDestroy && !s.There:
		return Record{Outcome: Gone}
	case start.Why != WhyDestroy && same:
		return Record{Outcome: LiveUnproven}
	}
	return Record{Outcome: Failed, Failure: Unseen}
}

// Expected is how long releases of this kind took lately: the median of the last ones that
// came through; false when there are none.
func Expected(records []Record, why string) (time.Duration, bool) {
	const most = 9
	var took []time.Duration
	for _, r := range Releases(records) {
		if span, known := r.End.Durations.Total.Get(); known && r.Outcome() == Live && r.Start.Why == why && len(took) < most {
			took = append(took, span)
		}
	}
	if len(took) == 0 {
		return 0, false
	}
	slices.Sort(took)
	return took[len(took)/2], true
}

// Find is the full hash of the one commit in the records that starts with some digits;
// blank for none, and all of them when there are several.
func Find(records []Record, short string) (commit string, several []string) {
	for _, r := range Releases(records) {
		if c := r.Start.Commit; c != "" && strings.HasPrefix(c, strings.ToLower(short)) && !slices.Contains(several, c) {
			several = append(several, c)
		}
	}
	if len(several) == 1 {
		return several[0], nil
	}
	return "", several
}
