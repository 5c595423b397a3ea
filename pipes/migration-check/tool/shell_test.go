package tool_test

import (
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
)

// TestRunLine are commands as people write them.
func TestRunLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, out, err string }{
		{"echo a; echo b >&2; exit 3", "a", ""},
		{"read answer; echo got $answer", "got", ""},   // a question finds nobody
		{"sleep 1000 & echo started", "started", ""},   // a server beside it is ended
		{"yes", "y", "`yes` printed more than 64 MiB"}, // without end
		{"nothing-of-this-name", "", ""},               // its code tells
		{"kill -9 $$", "", "`kill -9 $$`: signal: killed"},
	} {
		answer, err := tool.RunLine(t.Context(), t.TempDir(), c.line, []string{"PATH=/usr/bin:/bin"})
		first := func(text string) string {
			if len(text) > 1<<20 {
				text = text[:1]
			}
			return strings.Join(strings.Fields(text), " ")
		}
		said := ""
		if err != nil {
			said = err.Error()
		}
		if first(answer.Out) != c.out || said != c.err {
			t.Errorf("%s: %q, %v", c.line, first(answer.Out), err)
		}
	}
}
