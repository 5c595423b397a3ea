package check

import (
	"errors"
	"testing"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/shared/finding"
)

func TestVerdict(t *testing.T) {
	t.Parallel()
	all := []string{"missing", "broken", "unsafe"}
	for _, c := range []struct {
		rules   []string
		failOn  []string
		trouble error
		want    Verdict
		fails   bool
	}{
		{nil, all, nil, Pass, false},
		{[]string{"M209", "I06", "A02"}, all, nil, Pass, false},
		{[]string{"M209"}, append(all, "warning"), nil, Pass, true},
		{[]string{"M113"}, append(all, "warning"), nil, Pass, false},
		{[]string{"A01"}, all, nil, Missing, true},
		{[]string{"M101"}, all, nil, Unsafe, true},
		{[]string{"M205"}, []string{"broken"}, nil, Unsafe, false},
		{[]string{"M205", "A01"}, []string{"unsafe"}, nil, Missing, true},
		{[]string{"M101", "D04", "A01"}, all, nil, Broken, true},
		{[]string{"I03"}, all, nil, Broken, true},
		{nil, nil, errors.New("gone"), Error, true},
		{[]string{"D01"}, all, errors.New("gone"), Error, true},
	} {
		var findings []finding.Finding
		for _, id := range c.rules {
			findings = append(findings, rule.Find(id).Finding("a.sql", 1, "x"))
		}
		var trouble []error
		if c.trouble != nil {
			trouble = append(trouble, c.trouble)
		}
		if got, fails := judge(findings, c.failOn, trouble); got != c.want || fails != c.fails {
			t.Errorf("%v, FAIL_ON %v: %s %t, want %s %t", c.rules, c.failOn, got, fails, c.want, c.fails)
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"app/models/user.rb": true, "models/a.py": true, "shop/models.py": true, "src/user.entity.ts": true, "a/ent/schema/user.go": true,
		"db/schema.rb": true, "x/db/schema.rb": false, "app/model/user.rb": false, "queries/a.sql": true, "queries/sub/a.sql": false, "README.md": false,
	} {
		if got := matchesAny(models, name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
