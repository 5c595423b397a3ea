package main

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module writes a module of one test file.
func module(t *testing.T, tests string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":       "module example.test/m\n\ngo 1.26\n",
		"code_test.go": "package m\n\nimport \"testing\"\n\n" + tests,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTally(t *testing.T) {
	t.Parallel()
	const pass = "func TestPass(t *testing.T) { t.Log(\"quiet when all is well\") }\n"
	for name, c := range map[string]struct {
		tests  string
		limit  string
		code   int
		shown  []string
		hidden []string
	}{
		"passed": {tests: pass, code: 0,
			shown: []string{"ok  \texample.test/m", "\n1 passed, 0 failed, 0 skipped\n"}, hidden: []string{"quiet", "PASS"}},
		"failed in a subtest": {tests: pass + "func TestFail(t *testing.T) { t.Run(\"sub\", func(t *testing.T) { t.Error(\"broken leg\") }) }\n", code: 1,
			shown: []string{"broken leg", "--- FAIL: TestFail/sub", "FAIL\texample.test/m", "\n1 passed, 2 failed, 0 skipped\n"}, hidden: []string{"quiet", "=== RUN"}},
		"skipped": {tests: pass + "func TestSkip(t *testing.T) { t.Skip(\"no database here\") }\n", code: 0,
			shown: []string{"skip\texample.test/m\tTestSkip: code_test.go:6: no database here\n", "\n1 passed, 0 failed, 1 skipped\n"}},
		"panic": {tests: pass + "func TestPanic(t *testing.T) { panic(\"out of cheese\") }\n", code: 1,
			shown: []string{"out of cheese", "\n1 passed, 1 failed, 0 skipped\n"}},
		"does not compile": {tests: "func TestExit(t *testing.T) { os.Exit(3) }\n", code: 1,
			shown: []string{"undefined: os", "FAIL\texample.test/m [build failed]", "\n0 passed, 0 failed, 0 skipped\n"}},
		"timeout": {tests: pass + "func TestHang(t *testing.T) { select {} }\n", limit: "2s", code: 1,
			shown: []string{"\n1 passed, 1 failed, 0 skipped\n"}},
		"nothing to run": {tests: "var _ testing.TB\n", code: 1, shown: []string{"\n0 passed, 0 failed, 0 skipped\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, problems strings.Builder
			code := run(t.Context(), []string{module(t, c.tests), "--", "-timeout", cmp.Or(c.limit, "1m"), "./..."}, &out, &problems)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.shown {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing", want)
				}
			}
			for _, unwanted := range c.hidden {
				if strings.Contains(out.String(), unwanted) {
					t.Errorf("%q is printed", unwanted)
				}
			}
			if t.Failed() {
				t.Logf("output:\n%s%s", &out, &problems)
			}
		})
	}
}

func TestTallyAddsModulesUp(t *testing.T) {
	t.Parallel()
	one := module(t, "func TestOne(t *testing.T) {}\n")
	two := module(t, "func TestOne(t *testing.T) {}\n\nfunc TestTwo(t *testing.T) {}\n")
	var out, problems strings.Builder
	if code := run(t.Context(), []string{one, two}, &out, &problems); code != 0 || !strings.HasSuffix(out.String(), "\n3 passed, 0 failed, 0 skipped\n") {
		t.Errorf("exit code %d, output:\n%s%s", code, &out, &problems)
	}
	if code := run(t.Context(), nil, &out, &problems); code != 2 {
		t.Errorf("without a module: exit code %d, want 2", code)
	}
}
