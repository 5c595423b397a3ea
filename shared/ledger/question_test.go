package ledger_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/ledger"
)

func encode(t *testing.T, r ledger.Record) string {
	t.Helper()
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// past is records as runs would have written them, a minute apart.
type past struct {
	records []ledger.Record
	now     time.Time
}

func newPast() *past { return &past{now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)} }

func (p *past) add(r ledger.Record) ledger.Record {
	p.now = p.now.Add(time.Minute)
	r.Version, r.Application, r.Environment = 1, "shop", "production"
	r.Time, r.ID = p.now, fmt.Sprintf("%08x", len(p.records))
	p.records = append(p.records, r)
	return r
}

func (p *past) start(commit, why string) ledger.Record {
	r := release(commit)
	r.Kind, r.Why = ledger.KindStart, why
	return p.add(r)
}

func (p *past) end(start ledger.Record, o ledger.Outcome, failure string) {
	r := start
	r.Kind, r.Start, r.Outcome, r.Failure = ledger.KindEnd, start.Key(), o, failure
	p.add(r)
}

func (p *past) release(commit string, o ledger.Outcome) {
	p.end(p.start(commit, ledger.WhyDeploy), o, "")
}

func (p *past) word(kind ledger.Kind, commit string) {
	p.add(ledger.Record{Kind: kind, Commit: commit})
}

// answers are all questions at once, in short.
func answers(records []ledger.Record) string {
	commit := func(r *ledger.Release) string {
		if r == nil {
			return "none"
		}
		return r.Start.Commit
	}
	var held []string
	for _, h := range ledger.Held(records) {
		held = append(held, h.Commit)
	}
	return fmt.Sprintf("runs %s, before %s, held %v, open %d", commit(ledger.Running(records)), commit(ledger.Previous(records)), held, len(ledger.Unsettled(records)))
}

func TestQuestions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tell func(*past)
		want string
	}{
		"nothing": {func(*past) {}, "runs none, before none, held [], open 0"},
		"one":     {func(p *past) { p.release("1", ledger.Live) }, "runs 1, before none, held [], open 0"},
		"two":     {func(p *past) { p.release("1", ledger.Live); p.release("2", ledger.Live) }, "runs 2, before 1, held [], open 0"},
		"a failure changes nothing": {func(p *past) {
			p.release("1", ledger.Live)
			p.release("2", ledger.Live)
			p.release("3", ledger.RolledBack)
			p.release("4", ledger.Failed)
			p.release("5", ledger.Cancelled)
		}, "runs 2, before 1, held [], open 0"},
		"unproven is no way back": {func(p *past) {
			p.release("1", ledger.Live)
			p.release("2", ledger.LiveUnproven)
			p.release("3", ledger.Live)
		}, "runs 3, before 1, held [], open 0"},
		"unproven runs": {func(p *past) { p.release("1", ledger.Live); p.release("2", ledger.LiveUnproven) }, "runs 2, before 1, held [], open 0"},
		"the same again is no way back": {func(p *past) {
			p.release("1", ledger.Live)
			p.release("2", ledger.Live)
			p.release("2", ledger.Live)
		}, "runs 2, before 1, held [], open 0"},
		"an open one changes nothing": {func(p *past) { p.release("1", ledger.Live); p.start("2", ledger.WhyDeploy) }, "runs 1, before none, held [], open 1"},
		"after a rollback": {func(p *past) {
			p.release("1", ledger.Live)
			p.release("2", ledger.Live)
			p.release("3", ledger.Live)
			p.end(p.start("2", ledger.WhyRollback), ledger.Live, "")
			p.word(ledger.KindHold, "3")
		}, "runs 2, before 1, held [3], open 0"},
		"after two rollbacks": {func(p *past) {
			for _, c := range []string{"1", "2", "3", "4"} {
				p.release(c, ledger.Live)
			}
			p.end(p.start("3", ledger.WhyRollback), ledger.Live, "")
			p.word(ledger.KindHold, "4")
			p.end(p.start("2", ledger.WhyRollback), ledger.Live, "")
			p.word(ledger.KindHold, "3")
		}, "runs 2, before 1, held [3 4], open 0"},
		"a lift": {func(p *past) {
			p.word(ledger.KindHold, "3")
			p.word(ledger.KindHold, "4")
			p.word(ledger.KindLift, "3")
		}, "runs none, before none, held [4], open 0"},
		"held, lifted, held": {func(p *past) {
			p.word(ledger.KindHold, "3")
			p.word(ledger.KindLift, "3")
			p.word(ledger.KindHold, "3")
		}, "runs none, before none, held [3], open 0"},
		"destroyed": {func(p *past) {
			p.release("1", ledger.Live)
			p.release("2", ledger.Live)
			p.end(p.start("", ledger.WhyDestroy), ledger.Gone, "")
		}, "runs none, before none, held [], open 0"},
		"made anew": {func(p *past) {
			p.release("1", ledger.Live)
			p.end(p.start("", ledger.WhyDestroy), ledger.Gone, "")
			p.release("2", ledger.Live)
		}, "runs 2, before 1, held [], open 0"},
		"settled while it was alive": {func(p *past) {
			p.release("1", ledger.Live)
			s := p.start("2", ledger.WhyDeploy)
			p.end(s, ledger.Failed, ledger.Unseen)
			p.end(s, ledger.Live, "")
		}, "runs 2, before 1, held [], open 0"},
		"settled after it was seen": {func(p *past) {
			s := p.start("1", ledger.WhyDeploy)
			p.end(s, ledger.RolledBack, "no database")
			p.end(s, ledger.LiveUnproven, "")
		}, "runs none, before none, held [], open 0"},
		"live twice, another between": {func(p *past) { // it cleaned up for so long
			s := p.start("1", ledger.WhyDeploy)
			p.end(s, ledger.Live, "")
			p.release("2", ledger.Live)
			p.end(s, ledger.Live, "")
		}, "runs 2, before 1, held [], open 0"},
		"proven late": {func(p *past) {
			s := p.start("1", ledger.WhyDeploy)
			p.end(s, ledger.LiveUnproven, "")
			p.release("2", ledger.Live)
			p.end(s, ledger.Live, "")
		}, "runs 2, before 1, held [], open 0"},
		"an end alone": {func(p *past) { // its start was not read
			p.release("1", ledger.Live)
			p.records = p.records[1:]
		}, "runs 1, before none, held [], open 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPast()
			test.tell(p)
			if diff := cmp.Diff(test.want, answers(p.records)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStanding(t *testing.T) {
	t.Parallel()
	p := newPast()
	p.release("good", ledger.Live)
	p.release("good", ledger.RolledBack) // and yet it was live once
	p.release("bad", ledger.RolledBack)
	p.release("maybe", ledger.Failed)
	p.release("maybe", ledger.LiveUnproven)
	p.start("open", ledger.WhyDeploy)
	for commit, want := range map[string]ledger.Standing{
		"good": ledger.Proven, "bad": ledger.Failing, "maybe": ledger.Unproven, "open": ledger.Untried, "never": ledger.Untried, "": ledger.Untried,
	} {
		if got, _ := ledger.StandingOf(p.records, commit); got != want {
			t.Errorf("%s is %s, want %s", commit, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	p := newPast()
	for _, c := range []string{"abc1", "abc2", "def1", "def1"} {
		p.release(c, ledger.Live)
	}
	for short, want := range map[string]string{"def": "def1 []", "DEF": "def1 []", "abc": " [abc2 abc1]", "abc1": "abc1 []", "f": " []"} {
		commit, several := ledger.Find(p.records, short)
		if got := fmt.Sprintf("%s %v", commit, several); got != want {
			t.Errorf("%s finds %s, want %s", short, got, want)
		}
	}
}

func TestSettlement(t *testing.T) {
	t.Parallel()
	start := release("c1")
	runs := ledger.Seen{There: true, Good: true, Image: "ami-c1", Commit: "c1", Settings: "none"}
	change := func(f func(*ledger.Seen)) ledger.Seen { s := runs; f(&s); return s }
	destroy := ledger.Record{Why: ledger.WhyDestroy}
	for name, test := range map[string]struct {
		start ledger.Record
		seen  ledger.Seen
		want  ledger.Outcome
	}{
		"it runs":           {start, runs, ledger.LiveUnproven},
		"another image":     {start, change(func(s *ledger.Seen) { s.Image = "ami-c0" }), ledger.Failed},
		"another commit":    {start, change(func(s *ledger.Seen) { s.Commit = "c0" }), ledger.Failed},
		"other settings":    {start, change(func(s *ledger.Seen) { s.Settings = "s0" }), ledger.Failed},
		"taken back":        {start, change(func(s *ledger.Seen) { s.Good = false }), ledger.Failed},
		"no stack":          {start, ledger.Seen{}, ledger.Failed},
		"destroyed":         {destroy, ledger.Seen{}, ledger.Gone},
		"not yet destroyed": {destroy, runs, ledger.Failed},
	} {
		if got := ledger.Settlement(test.start, test.seen); got.Outcome != test.want || (got.Outcome == ledger.Failed) != (got.Failure != "") {
			t.Errorf("%s: %s (%s), want %s", name, got.Outcome, got.Failure, test.want)
		}
	}
}

// TestAnyPast plays random pasts, keeping its own account of them, and asks after each step.
func TestAnyPast(t *testing.T) {
	t.Parallel()
	steps := 0
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		p, m := newPast(), model{proven: map[string]bool{}, held: map[string]bool{}}
		for range 40 {
			m.step(p, random)
			steps++
			if problem := m.check(p.records); problem != "" {
				t.Fatalf("seed %d, after %d records: %s", seed, len(p.records), problem)
			}
		}
		shuffled := slices.Clone(p.records)
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(answers(p.records), answers(shuffled)); diff != "" {
			t.Fatalf("seed %d: the order in which records are read matters:\n%s", seed, diff)
		}
	}
	t.Logf("%d steps", steps)
}

// model is an environment as it really is.
type model struct {
	runs   string
	lives  []string // commits as they came to life
	proven map[string]bool
	held   map[string]bool
	open   *ledger.Record // of a run that was killed
	came   bool           // and its release came through all the same
}

func (m *model) alive(commit string, seen bool) {
	m.runs = commit
	m.lives = append(m.lives, commit)
	m.proven[commit] = m.proven[commit] || seen
}

func (m *model) settle(p *past) {
	if m.open == nil {
		return
	}
	outcome, failure := ledger.Failed, ledger.Unseen
	if m.came {
		outcome, failure = ledger.LiveUnproven, ""
		m.alive(m.open.Commit, false)
	}
	p.end(*m.open, outcome, failure)
	m.open = nil
}

func (m *model) step(p *past, random *rand.Rand) {
	m.settle(p)
	commit := fmt.Sprint("c", random.IntN(9))
	switch what := random.IntN(10); {
	case what < 4:
		start := p.start(commit, ledger.WhyDeploy)
		p.end(start, ledger.Live, "")
		if random.IntN(2) == 0 {
			p.end(start, ledger.Live, "")
		}
		m.alive(commit, true)
	case what < 6:
		p.release(commit, ledger.RolledBack)
	case what < 7:
		start := p.start(commit, ledger.WhyDeploy)
		m.open, m.came = &start, random.IntN(2) == 0
	case what < 8:
		if to := ledger.Previous(p.records); to != nil {
			p.word(ledger.KindHold, m.runs)
			m.held[m.runs] = true
			p.end(p.start(to.Start.Commit, ledger.WhyRollback), ledger.Live, "")
			m.alive(to.Start.Commit, true)
		}
	case what < 9:
		p.word(ledger.KindLift, commit)
		delete(m.held, commit)
	default:
		p.end(p.start("", ledger.WhyDestroy), ledger.Gone, "")
		m.runs = ""
	}
}

func (m *model) check(records []ledger.Record) string {
	now := ""
	if r := ledger.Running(records); r != nil {
		now = r.Start.Commit
	}
	if now != m.runs {
		return fmt.Sprintf("%q runs, and the ledger says %q", m.runs, now)
	}
	for n := range 9 {
		commit := fmt.Sprint("c", n)
		if standing, _ := ledger.StandingOf(records, commit); (standing == ledger.Proven) != m.proven[commit] {
			return fmt.Sprintf("%s is %s", commit, standing)
		}
	}
	if len(ledger.Held(records)) != len(m.held) {
		return fmt.Sprintf("held are %v", m.held)
	}
	want := ""
	for _, commit := range m.lives {
		if m.runs != "" && commit != m.runs && m.proven[commit] && !m.held[commit] {
			want = commit
		}
	}
	before := ledger.Previous(records)
	switch {
	case want == "" && before != nil, want != "" && before == nil:
		return fmt.Sprintf("the one before is %v, want %q", before, want)
	case before != nil && (!m.proven[before.Start.Commit] || m.held[before.Start.Commit] || before.Start.Commit == m.runs):
		return before.Start.Commit + " is no way back"
	}
	return ""
}
