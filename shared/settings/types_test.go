package settings_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/settings"
)

func TestDurations(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for in, want := range map[string]time.Duration{
		"30m": 30 * time.Minute, "1h30m": 90 * time.Minute, "7d": 7 * day, "2w": 14 * day, "1w2d3h4m5s6ms": 9*day + 3*time.Hour + 4*time.Minute + 5*time.Second + 6*time.Millisecond,
		"0s": 0, "1.5h": 90 * time.Minute, "0.5d": 12 * time.Hour, "1h 30m": 90 * time.Minute, "30M": 30 * time.Minute, "90s": 90 * time.Second,
	} {
		var d settings.Duration
		if err := d.Decode(in); err != nil || d.Std() != want {
			t.Errorf("%q: %v, %v, want %v", in, d, err, want)
		}
	}
	for in, want := range map[string]string{
		"30": "has no unit (did you mean 30m?)", "0": "has no unit", "1.5": "has no unit (did you mean 1.5m?)", "-5m": "is negative", "m": "is not a duration",
		"30min": "is not a duration", "1h30": "is not a duration", "1y": "is not a duration", "1..5h": "is not a duration", "soon": "is not a duration",
		"h1": "is not a duration", "99999999w": "is too long", "1h-5m": "is not a duration", "1h,5m": "is not a duration", "٣m": "is not a duration",
		"1e3": "is not a duration", "inf": "is not a duration", "nan": "is not a duration", "infm": "is not a duration", "": "is empty",
	} {
		var d settings.Duration
		if err := d.Decode(in); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %q", in, d, err, want)
		}
	}
}

// TestDurationText: what is printed can be written into a pipeline again.
func TestDurationText(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		30 * time.Minute: "30m", 90 * time.Minute: "1h30m", time.Hour: "1h", 10 * time.Hour: "10h", 0: "0s", 20 * time.Second: "20s",
		time.Hour + 20*time.Second: "1h0m20s", 7 * 24 * time.Hour: "7d", 1500 * time.Millisecond: "1.5s",
	} {
		if got := settings.Duration(d).String(); got != want {
			t.Errorf("%d: %q, want %q", d, got, want)
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		d := settings.Duration(time.Duration(random.Int64N(1e9)) * time.Millisecond)
		var again settings.Duration
		if err := again.Decode(d.String()); err != nil || again != d {
			t.Fatalf("%v reads back as %v (%v)", d, again, err)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]settings.Size{
		"500MB": 500e6, "1GiB": 1 << 30, "0B": 0, "12b": 12, "1.5 GiB": 3 << 29, "1kb": 1000, "2KiB": 2048, "3 tb": 3e12, "1TiB": 1 << 40, "7MiB": 7 << 20, "1gb": 1e9,
	} {
		var s settings.Size
		if err := s.Decode(in); err != nil || s != want {
			t.Errorf("%q: %v, %v, want %v", in, s, err, want)
		}
	}
	for in, want := range map[string]string{
		"500": "has no unit (did you mean 500MB?)", "500M": "has half a unit (did you mean MB or MiB?)", "5k": "has half a unit (did you mean KB or KiB?)",
		"MB": "is not a size", "-5MB": "is not a size", "5PB": "is not a size", "1.2.3MB": "is not a size", "9999999999TB": "is too large", "big": "is not a size",
		"": "is empty",
	} {
		var s settings.Size
		if err := s.Decode(in); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %q", in, s, err, want)
		}
	}
	for s, want := range map[settings.Size]string{8 << 30: "8GiB", 500e6: "500MB", 0: "0B", 1025: "1025B", 1 << 10: "1KiB", math.MaxInt64: "9223372036854775807B", 1e12: "1TB"} {
		if got := s.String(); got != want {
			t.Errorf("%d: %q, want %q", int64(s), got, want)
		}
		var again settings.Size
		if err := again.Decode(want); s != math.MaxInt64 && (err != nil || again != s) {
			t.Errorf("%s reads back as %v (%v)", want, again, err)
		}
	}
}
