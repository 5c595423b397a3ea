package format_test

import (
	"strings"
	"testing"
)

// Large reports are read in no time, whatever they repeat: nothing here may grow with the
// square of their size. At 2 MB that would be minutes already.
func TestLargeReports(t *testing.T) {
	t.Parallel()
	fill := func(line string) string { return strings.Repeat(line, (2<<20)/len(line)) }
	const issue = `{"FromLinter":"errcheck","Text":"not checked","SourceLines":["\tos.Remove(x)"],"Pos":{"Filename":"/clone/m/a.go","Line":6,"Column":11}}`
	const note = `{"file":"a.py","line":6,"column":1,"message":"because","hint":null,"code":null,"severity":"note"}` + "\n"
	for name, c := range map[string]struct {
		format, in string
		want       int
	}{
		"issues":            {"golangci", `{"Issues":[` + fill(issue+",\n") + issue + "]}", (2<<20)/(len(issue)+2) + 1},
		"notes of one line": {"mypy", strings.Replace(note, "note", "error", 1) + fill(note), 1},
		"one explanation":   {"tsc", "a.ts(1,7): error TS1: x\n" + fill("  and so on\n"), 1},
		"lines for people":  {"errorformat:mypy", fill("12:13:14 : nothing : has : happened\n"), 0},
		"one change":        {"diff", "--- a\n+++ a\n@@ -1 +1,2097152 @@\n-x\n" + fill("+y\n"), 1},
	} {
		report, err := read(t, c.format, c.in)
		if err != nil || len(report.Findings) != c.want {
			t.Errorf("%s: %d findings, %v; want %d", name, len(report.Findings), err, c.want)
		}
		for _, f := range report.Findings {
			if len(f.Detail) > 4<<10 {
				t.Errorf("%s: a detail of %d bytes", name, len(f.Detail))
				break
			}
		}
	}
}
