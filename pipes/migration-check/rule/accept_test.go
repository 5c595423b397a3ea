package rule

import (
	"strings"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/finding"
)

func TestAccept(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, text, id string
		line           int
		want           string // reason it was accepted for, or part of what A04 says; "" is no word about it
	}{
		{"above", "-- fearless:accept M101 nobody reads it\nalter table a drop b;", "M101", 2, "nobody reads it"},
		{"behind", "select 1;\nalter table a drop b; -- fearless:accept M101 until=2026-11-23 last day", "M101", 2, "last day"},
		{"in it", "alter table a\n/* fearless:accept M101 x */ drop b;", "M101", 1, "x"},
		{"file", "-- fearless:accept I07 there is no way back\nselect 1", "I07", 0, "there is no way back"},
		{"no statement", "-- fearless:accept I07 there is no way back", "I07", 0, "there is no way back"},
		{"no statement, no reason", "/* fearless:accept I07 */", "I07", 0, "gives no reason"},
		{"other rule", "-- fearless:accept M102 x\nalter table a drop b;", "M101", 2, "there is no finding M102 here"},
		{"other statement", "-- fearless:accept M101 x\nselect 1;\nalter table a drop b;", "M101", 3, "there is no finding M101 here"},
		{"no reason", "-- fearless:accept M101\nalter table a drop b;", "M101", 2, "gives no reason"},
		{"no reason but a date", "-- fearless:accept M101 until=2027-01-01\nalter table a drop b;", "M101", 2, "gives no reason"},
		{"over", "-- fearless:accept M101 until=2026-11-22 x\nalter table a drop b;", "M101", 2, "was valid until 2026-11-22"},
		{"no date", "-- fearless:accept M101 until=soon x\nalter table a drop b;", "M101", 2, "not a date"},
		{"typo", "-- fearless:accept M1O1 x\nalter table a drop b;", "M101", 2, "which is no rule"},
		{"empty", "-- fearless:accept\nalter table a drop b;", "M101", 2, "names no rule"},
		{"text", "insert into a values ('fearless:accept M101 x')", "M101", 1, ""},
	} {
		a := &Acceptances{}
		a.Read("1_a.up.sql", c.text, now)
		stand, accepted := a.Apply([]finding.Finding{Find(c.id).Finding("1_a.up.sql", c.line, "x")})
		got := ""
		for _, f := range stand {
			if f.Rule == "A04" {
				got = f.Message
			}
		}
		for _, one := range accepted {
			got = one.Reason
		}
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if len(accepted) == 0 && !strings.Contains(stand[0].Rule, c.id) {
			t.Errorf("%s: the finding is lost", c.name)
		}
	}
}
