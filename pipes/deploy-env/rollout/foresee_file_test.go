package rollout_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/bitbucket/fake"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
)

// A pull request has one comment for each environment, however often it is pushed to.
func TestPreviewCommentsOnThePullRequest(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.Bitbucket = fake.New(fake.Options{Commit: good1})
		preview := func(commit string, more ...string) lab.Outcome {
			return l.deploy(commit, nil, append(more, "ACTION=preview", "BITBUCKET_PR_ID=7", "BITBUCKET_WORKSPACE=acme", "BITBUCKET_REPO_SLUG=shop",
				"BITBUCKET_COMMIT="+commit, "BITBUCKET_PIPELINE_UUID={1}")...)
		}
		preview(good1).Expect(t, exit.Passed, "no comment on pull request 7: that takes BITBUCKET_ACCESS_TOKEN")
		preview(good1, "BITBUCKET_ACCESS_TOKEN=fake-token").Expect(t, exit.Passed)
		l.deploy(good1, nil).Expect(t, exit.Passed)
		preview(good2, "BITBUCKET_ACCESS_TOKEN=fake-token").Expect(t, exit.Passed)
		all := l.Bitbucket.Comments()
		if len(all) != 1 || all[0].PullRequest != 7 || all[0].Edits != 1 || !strings.Contains(all[0].Raw, "of commit `222222222222` to staging of shop") {
			t.Errorf("%+v", all)
		}
		if complaints := l.Bitbucket.Complaints(); len(complaints) > 0 {
			t.Error(complaints)
		}

		// Bitbucket's refusal is no reason to fail.
		preview(good2, "BITBUCKET_ACCESS_TOKEN=another").Expect(t, exit.Passed, "WARNING")
	})
}

// The text for the pull request lies where others can pick it up.
func TestPreviewIsLeftForThePullRequest(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		text := func() string {
			content, err := os.ReadFile(filepath.Join(l.Clone, ".fearless", "staging.preview.md"))
			if err != nil {
				t.Fatal(err)
			}
			return string(content)
		}
		check := func(parts ...string) {
			t.Helper()
			for _, part := range parts {
				if !strings.Contains(text(), part) {
					t.Errorf("%q is not in:\n%s", part, text())
				}
			}
		}
		l.deploy(good1, nil, "ACTION=preview").Expect(t, exit.Passed)
		check("of commit `111111111111` to staging", "+ Vpc (EC2::VPC)", "- The servers come after the base")
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.deploy(good2, nil, "ACTION=preview").Expect(t, exit.Passed)
		check("Base `shop-staging-base`: nothing", "± WebGroup (AutoScaling::AutoScalingGroup) may be replaced")
		l.deploy(good1, nil, "ACTION=preview").Expect(t, exit.Passed)
		check("Servers `shop-staging`: nothing")
	})
}
