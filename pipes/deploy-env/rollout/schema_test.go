package rollout_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/outputs"
)

// What migration-check says in the same pipeline goes into the ledger. What another pipeline
// says, or of another commit, does not; and that the old release runs counts only for the
// one that is live.
func TestSchemaOfTheSamePipeline(t *testing.T) {
	yes, no := true, false
	story(t, func(t *testing.T, l *place) {
		l.file("release: {when: never}\n" + stagingFile)
		check := func(pipeline, base, head string, runs *bool) {
			t.Helper()
			place := outputs.Place{Dir: l.Clone, Pipeline: pipeline}
			if _, err := place.Write("migration-check", "pass", nil, map[string]any{
				"base": base, "head": head, "schema_before": "aaaa", "schema_after": "bbbb", "old_release_runs": runs,
			}); err != nil {
				t.Fatal(err)
			}
		}
		unknown := ledger.Schema{Fingerprint: "unknown", Compatible: "unknown"}
		commits := []string{good1, good2}
		for n, c := range []struct {
			name     string
			pipeline string
			base     string
			head     string
			runs     *bool
			want     ledger.Schema
		}{
			{"the first release", "{1}", "", good1, nil, ledger.Schema{Fingerprint: "bbbb", Compatible: "unknown"}},
			{"compatible", "{1}", good1, good2, &yes, ledger.Schema{Fingerprint: "bbbb", Compatible: "yes"}},
			{"not compatible", "{1}", good2, good1, &no, ledger.Schema{Fingerprint: "bbbb", Compatible: "no"}},
			{"compatible with another commit", "{1}", broken, good2, &yes, ledger.Schema{Fingerprint: "bbbb", Compatible: "unknown"}},
			{"another pipeline", "{2}", good2, good1, &yes, unknown},
			{"another commit", "{1}", good1, broken, &yes, unknown},
		} {
			check(c.pipeline, c.base, c.head, c.runs)
			l.deploy(commits[n%2], nil, "SOAK=0m", "BITBUCKET_PIPELINE_UUID={1}").Expect(t, exit.Passed)
			if diff := cmp.Diff(c.want, ledger.Releases(l.records())[0].End.Schema); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
		}
	})
}
