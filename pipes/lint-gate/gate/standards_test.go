package gate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoosened(t *testing.T) {
	t.Parallel()
	const v2 = "version: \"2\"\n"
	for name, c := range map[string]struct {
		before, now string
		want        []string
	}{
		"nothing": {"linters: {enable: [revive]}", "# a comment\nlinters:\n  enable: [revive]\n", nil},
		"stricter": {
			"linters: {default: none, enable: [errcheck], settings: {funlen: {lines: 80}, errcheck: {exclude-functions: [a, b]}}, exclusions: {presets: [comments]}}",
			"linters: {default: all, settings: {funlen: {lines: 60}, errcheck: {exclude-functions: [a]}}}", nil,
		},
		"linter removed":            {"linters: {enable: [revive, gosec]}", "linters: {enable: [revive]}", []string{"the linter gosec does not run any more"}},
		"linter disabled":           {"", "linters: {disable: [errcheck]}", []string{"the linter errcheck does not run any more"}},
		"all, then standard":        {"linters: {default: all}", "linters: {enable: [govet]}", []string{"linters.default went from all to standard"}},
		"standard, then none":       {"", "linters: {default: none, enable: [govet, errcheck, staticcheck, unused]}", []string{"the linter ineffassign does not run any more"}},
		"configuration deleted":     {"linters: {enable: [revive]}", "", []string{"the linter revive does not run any more"}},
		"exclusions":                {"linters: {exclusions: {paths: [a]}}", "linters: {exclusions: {generated: lax, presets: [comments], paths: [a, b], rules: [{path: x, linters: [errcheck]}]}}", []string{"linters.exclusions.generated is lax", "linters.exclusions.presets has comments now", `linters.exclusions.rules has {"linters":["errcheck"],"path":"x"} now`, "linters.exclusions.paths has b now"}},
		"a rule in another place":   {"linters: {exclusions: {rules: [{path: a}, {path: b}]}}", "linters: {exclusions: {rules: [{path: b}, {path: a}]}}", nil},
		"formatter removed":         {"formatters: {enable: [gofmt]}", "", []string{"formatters.enable has gofmt no more"}},
		"tests not checked":         {"run: {tests: true}", "run: {tests: false}", []string{"run.tests is off: test files are not checked any more"}},
		"only new":                  {"", "issues: {new-from-rev: HEAD}", []string{`issues.new-from-rev is "HEAD"`}},
		"severity":                  {"", "severity: {default: warning, rules: [{severity: info, linters: [revive]}]}", []string{"severity.default is warning", `severity.rules has {"linters":["revive"],"severity":"info"} now`}},
		"limit raised":              {"linters: {settings: {funlen: {lines: 60}, lll: {line-length: 100}}}", "linters: {settings: {funlen: {lines: 90}, lll: {line-length: 100}}}", []string{"linters.settings.funlen.lines went from 60 to 90"}},
		"limit off":                 {"linters: {settings: {funlen: {lines: 60}}}", "linters: {settings: {funlen: {lines: -1}}}", []string{"linters.settings.funlen.lines went from 60 to -1"}},
		"limit of the other kind":   {"linters: {settings: {maintidx: {under: 20}}}", "linters: {settings: {maintidx: {under: 10}}}", []string{"linters.settings.maintidx.under went from 20 to 10"}},
		"excluded functions":        {"linters: {settings: {errcheck: {exclude-functions: [a]}}}", "linters: {settings: {errcheck: {exclude-functions: [a, b]}}}", []string{`linters.settings.errcheck.exclude-functions has "b" now`}},
		"forbidden no more":         {"linters: {settings: {forbidigo: {forbid: [{pattern: a}, {pattern: b}]}}}", "linters: {settings: {forbidigo: {forbid: [{pattern: a}]}}}", []string{`linters.settings.forbidigo.forbid has {"pattern":"b"} no more`}},
		"check taken out":           {"linters: {settings: {staticcheck: {checks: [all]}}}", "linters: {settings: {staticcheck: {checks: [all, -SA1019]}}}", []string{`linters.settings.staticcheck.checks has "-SA1019" now`}},
		"settings of a linter gone": {"linters: {settings: {revive: {rules: [{name: exported}]}}}", "", []string{`linters.settings.revive.rules has {"name":"exported"} no more`}},
		"flag":                      {"linters: {settings: {errcheck: {check-blank: true}}}", "linters: {settings: {errcheck: {check-blank: false}}}", []string{"linters.settings.errcheck.check-blank is false"}},
	} {
		var got []string
		for _, l := range loosened(".golangci.yml", []byte(v2+c.before), []byte(v2+c.now)) {
			got = append(got, l.What)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
	if got := loosened(".golangci.toml", nil, nil); len(got) != 1 {
		t.Errorf("TOML: %v", got)
	}
	if got := loosened(".golangci.yml", []byte(v2), []byte("a: [")); len(got) != 1 {
		t.Errorf("unreadable: %v", got)
	}
	if got := loosened(".golangci.json", []byte(`{"linters": {"enable": ["gosec"]}}`), []byte(`{}`)); len(got) != 1 {
		t.Errorf("JSON: %v", got)
	}
}
