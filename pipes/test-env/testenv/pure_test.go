package testenv

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/settings"
)

var (
	stackForm = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`) // CloudFormation's
	labelForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	scheduled = regexp.MustCompile(`^[0-9a-zA-Z_.-]{1,64}$`) // EventBridge Scheduler's
)

// word is a name as people and machines make them up, most of them no good as names of
// anything.
func word(r *rand.Rand, most int) string {
	alphabets := []string{"abcdefghijklmnopqrstuvwxyz0123456789-", "ab-", "aAäöß_./ #-0", "\x00\xff🚢漢é-a", "0123456789abcdef"}
	letters := []rune(alphabets[r.IntN(len(alphabets))])
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteRune(letters[r.IntN(len(letters))])
	}
	return b.String()
}

// Whatever an application, a branch or a commit is called, the names are valid, stay the
// same, and no two environments share one.
func TestNames(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(20261123, 7))
	stacks, labels := map[string]string{}, map[string]string{}
	for range 10_000 {
		application, branch, commit := word(r, 80), word(r, 300), word(r, 64)
		stack, label := StackName(application, commit), HostLabel(application, commit)
		if !stackForm.MatchString(stack) || !scheduled.MatchString(stack) || len(stack) > 63 || !strings.HasPrefix(stack, "test-") {
			t.Fatalf("stack %q of %q, %q", stack, application, commit)
		}
		if !labelForm.MatchString(label) || len(label) > 63 || label[2:4] == "--" {
			t.Fatalf("label %q of %q, %q", label, application, commit)
		}
		if stack != StackName(application, commit) || label != HostLabel(application, commit) {
			t.Fatalf("the names of %q, %q change", application, commit)
		}
		if !named(application, stack) {
			t.Fatalf("%q is not recognised as a test environment of %q", stack, application)
		}
		if value := tagValue(branch); len([]rune(value)) > 256 || untaggable.MatchString(value) {
			t.Fatalf("branch %q becomes the tag %q", branch, value)
		}
		identity := application + "\x00" + commit8(commit)
		for name, seen := range map[string]map[string]string{stack: stacks, label: labels} {
			if other, taken := seen[name]; taken && other != identity {
				t.Fatalf("%q and %q share the name %q", identity, other, name)
			}
			seen[name] = identity
		}
	}
}

func TestNamesArePlain(t *testing.T) {
	t.Parallel()
	const commit = "4f2c9b7a1d3e4f2c9b7a1d3e4f2c9b7a1d3e4f2c"
	longest := strings.Repeat("a", 40)
	for application, want := range map[string]string{
		"shop": "shop-4f2c9b7a", "shop-eu": "shop-eu-4f2c9b7a", longest: longest + "-4f2c9b7a",
	} {
		if got := HostLabel(application, commit); got != want {
			t.Errorf("label %q, want %q", got, want)
		}
		if got := StackName(application, commit); got != "test-"+want {
			t.Errorf("stack %q, want %q", got, "test-"+want)
		}
	}
	for _, other := range []string{"test-shop-eu-4f2c9b7a", "test-shop", "test-shop-4f2c9b7", "test-shop-4f2c9b7a1", "shop-4f2c9b7a", "test-shop-production", "shop-production"} {
		if named("shop", other) {
			t.Errorf("%s counts as a test environment of shop", other)
		}
	}
}

// Ten hours of one environment of the sample application cost at most 30 cents.
func TestCost(t *testing.T) {
	t.Parallel()
	for _, instance := range []string{"t3.micro", "t4g.micro"} {
		cost, ok := Cost(instance, 10*time.Hour)
		if !ok || cost > 0.30 || cost < 0.05 {
			t.Errorf("ten hours of a %s cost %.3f USD", instance, cost)
		}
	}
	if got, want := estimate("t4g.micro", 10*time.Hour), "about 0.34 USD a day, 0.14 until its end (prices of us-east-1, October 2026)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := estimate("z9.huge", time.Hour); !strings.Contains(got, "price of z9.huge is not known") {
		t.Error(got)
	}
}

func TestTonight(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		moment, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	eight := Clock{20, 0}
	for _, test := range []struct{ now, zone, want string }{
		{"2026-11-23T09:00:00Z", "UTC", "2026-11-23T20:00:00Z"},
		{"2026-11-23T19:00:00Z", "UTC", "2026-11-23T20:00:00Z"},
		{"2026-11-23T19:00:01Z", "UTC", "2026-11-24T20:00:00Z"}, // too late for today
		{"2026-11-23T23:30:00Z", "UTC", "2026-11-24T20:00:00Z"},
		{"2026-11-23T17:30:00Z", "Europe/Berlin", "2026-11-23T19:00:00Z"},
		{"2026-11-23T18:30:00Z", "Europe/Berlin", "2026-11-24T19:00:00Z"},
		{"2026-11-23T23:30:00Z", "America/Los_Angeles", "2026-11-24T04:00:00Z"},
		{"2026-03-28T19:30:00Z", "Europe/Berlin", "2026-03-29T18:00:00Z"}, // clocks go forward in between
		{"2026-10-24T18:30:00Z", "Europe/Berlin", "2026-10-25T19:00:00Z"}, // and back
	} {
		s := &Settings{TimeZone: test.zone}
		if got := tonight(at(test.now), eight, s.zone()).UTC().Format(time.RFC3339); got != test.want {
			t.Errorf("at %s in %s: %s, want %s", test.now, test.zone, got, test.want)
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"8h": "2026-11-23T17:00:00Z", "2d": "2026-11-25T09:00:00Z", "2026-11-23T18:00:00+01:00": "2026-11-23T18:00:00+01:00",
		"2026-11-22T18:00:00Z": "is in the past", "10m": "less than it takes to create one", "30d": "too long, at most 14d",
	} {
		s := &Settings{TimeZone: "UTC"}
		if err := s.TTL.Decode(text); err != nil {
			t.Fatal(err)
		}
		got, err := s.expiry(now)
		switch {
		case err == nil && got.Format(time.RFC3339) != want:
			t.Errorf("%s: %s, want %s", text, got, want)
		case err != nil && (!strings.Contains(err.Error(), want) || exit.CodeOf(err) != exit.Invalid):
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	for _, bad := range []string{"tomorrow", "8", "-3h", "2026-11-24"} {
		if err := (&Span{}).Decode(bad); err == nil {
			t.Errorf("TTL %q was read", bad)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	good := []string{"APPLICATION=shop", "COMMIT=4f2c9b7", "AWS_DEFAULT_REGION=us-east-1"}
	for _, test := range []struct {
		set  string
		want string // part of the problem, empty for none
	}{
		{"TTL=8h", ""}, {"NIGHT=7:05", ""}, {"TIME_ZONE=Europe/Berlin", ""}, {"MAX_ENVIRONMENTS=90", ""}, {"INSTANCE=t4g.small", ""},
		{"NIGHT=tonight", "is not a time of the day"}, {"NIGHT=25:00", "is not a time of the day"},
		{"TIME_ZONE=Berlin", "is no time zone"}, {"MAX_ENVIRONMENTS=91", "is not within 1 and 90"}, {"MAX_ENVIRONMENTS=0", "is not within 1 and 90"},
		{"INSTANCE=micro", "is not a type of server"}, {"APPLICATION=test-shop", "reserved"}, {"APPLICATION=Shop", "lower-case letters"},
		{"COMMIT=main", "is not a hash"}, {"ACTION=deploy", "ACTION"}, {"TTL=soon", "expected a duration"},
		{"SEED=" + strings.Repeat("x", 1001), "longer than 1000"},
	} {
		var s Settings
		err := settings.Load(append(slices.Clone(good), test.set), &s)
		switch {
		case test.want == "" && err != nil, test.want != "" && err == nil:
			t.Errorf("%.40s: %v, want %q", test.set, err, test.want)
		case err != nil && (!strings.Contains(err.Error(), test.want) || exit.CodeOf(err) != exit.Invalid):
			t.Errorf("%.40s: %v, want %q", test.set, err, test.want)
		}
	}
	// Nothing but a test environment can be destroyed: there is no other way to name one.
	var s Settings
	err := settings.Load(append(good, "ACTION=destroy", "COMMIT=production"), &s)
	if err == nil || !strings.Contains(err.Error(), "nothing else is destroyed by this pipe") {
		t.Errorf("destroying production: %v", err)
	}
	if err := settings.Load([]string{"APPLICATION=shop", "ACTION=reap", "AWS_DEFAULT_REGION=us-east-1"}, &s); err != nil {
		t.Errorf("reaping needs no commit: %v", err)
	}
}

// A rule comes before all that would take its host, and never where another one is.
func TestPriority(t *testing.T) {
	t.Parallel()
	const host = "shop-4f2c9b7a.test.example.com"
	wildcard := rule{10_500, []string{"*.test.example.com"}}
	first, err := priority([]rule{wildcard}, "test-shop-4f2c9b7a", host, 1)
	if err != nil || first < 1 || first >= band {
		t.Fatalf("%d, %v", first, err)
	}
	if again, _ := priority([]rule{wildcard}, "test-shop-4f2c9b7a", host, 1); again != first {
		t.Errorf("%d, then %d", first, again)
	}
	if second, _ := priority([]rule{wildcard, {first, []string{"other.example.com"}}}, "test-shop-4f2c9b7a", host, 1); second == first {
		t.Error("a place that is taken")
	}
	if other, _ := priority([]rule{wildcard}, "test-shop-4f2c9b7a", host, 2); other == first {
		t.Error("another turn tries the same place")
	}
	for _, early := range []rule{{40, nil}, {40, []string{"*.EXAMPLE.com"}}, {40, []string{"a.example.com", "shop-????????.test.example.com"}}} {
		if got, err := priority([]rule{early, wildcard}, "test-shop-4f2c9b7a", host, 1); err != nil || got >= 40 {
			t.Errorf("%v: %d, %v", early, got, err)
		}
	}
	if _, err := priority([]rule{{1, nil}}, "test-shop-4f2c9b7a", host, 1); exit.CodeOf(err) != exit.Refused {
		t.Errorf("no room: %v", err)
	}
	if _, err := priority(make([]rule, mostRules), "test-shop-4f2c9b7a", host, 1); exit.CodeOf(err) != exit.Refused || !strings.Contains(err.Error(), "100 rules") {
		t.Errorf("a full balancer: %v", err)
	}
	full := []rule{{4, []string{"*.com"}}}
	for n := 1; n < 4; n++ {
		if n != 2 {
			full = append(full, rule{n, []string{"x.example.com"}})
		}
	}
	for turn := range 20 {
		if got, err := priority(full, "test-shop-4f2c9b7a", host, turn); err != nil || got != 2 {
			t.Errorf("the last place: %d, %v", got, err)
		}
	}
}
