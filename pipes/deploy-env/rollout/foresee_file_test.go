package rollout_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/bitbucket/fake"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// beside leads calls to Bitbucket's API elsewhere than those to AWS.
type beside struct {
	aws       http.RoundTripper
	bitbucket *fake.Server
	git       http.Handler
}

// RoundTrip is one call.
func (b beside) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.bitbucket != nil && r.URL.Host == "api.bitbucket.org" {
		return b.bitbucket.RoundTripper().RoundTrip(r)
	}
	if b.git != nil && r.URL.Host == "git.local" {
		answer := httptest.NewRecorder()
		in := r.Clone(r.Context())
		in.RequestURI = r.URL.RequestURI()
		b.git.ServeHTTP(answer, in)
		return answer.Result(), nil
	}
	return b.aws.RoundTrip(r)
}

// A pull request has one comment for each environment, however often it is pushed to.
func TestPreviewCommentsOnThePullRequest(t *testing.T) {
	story(t, func(t *testing.T, l *lab) {
		l.bitbucket = fake.New(fake.Options{Commit: good1})
		preview := func(commit string, more ...string) outcome {
			return l.deploy(commit, nil, append(more, "ACTION=preview", "BITBUCKET_PR_ID=7", "BITBUCKET_WORKSPACE=acme", "BITBUCKET_REPO_SLUG=shop",
				"BITBUCKET_COMMIT="+commit, "BITBUCKET_PIPELINE_UUID={1}")...)
		}
		preview(good1).expect(t, exit.Passed, "no comment on pull request 7: that takes BITBUCKET_ACCESS_TOKEN")
		preview(good1, "BITBUCKET_ACCESS_TOKEN=fake-token").expect(t, exit.Passed)
		l.deploy(good1, nil).expect(t, exit.Passed)
		preview(good2, "BITBUCKET_ACCESS_TOKEN=fake-token").expect(t, exit.Passed)
		all := l.bitbucket.Comments()
		if len(all) != 1 || all[0].PullRequest != 7 || all[0].Edits != 1 || !strings.Contains(all[0].Raw, "of commit `222222222222` to staging of shop") {
			t.Errorf("%+v", all)
		}
		if complaints := l.bitbucket.Complaints(); len(complaints) > 0 {
			t.Error(complaints)
		}

		// Bitbucket's refusal is no reason to fail.
		preview(good2, "BITBUCKET_ACCESS_TOKEN=another").expect(t, exit.Passed, "WARNING")
	})
}

// The text for the pull request lies where others can pick it up.
func TestPreviewIsLeftForThePullRequest(t *testing.T) {
	story(t, func(t *testing.T, l *lab) {
		text := func() string {
			content, err := os.ReadFile(filepath.Join(l.clone, ".fearless", "staging.preview.md"))
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
		l.deploy(good1, nil, "ACTION=preview").expect(t, exit.Passed)
		check("of commit `111111111111` to staging", "+ Vpc (EC2::VPC)", "- The servers come after the base")
		l.deploy(good1, nil).expect(t, exit.Passed)
		l.deploy(good2, nil, "ACTION=preview").expect(t, exit.Passed)
		check("Base `shop-staging-base`: nothing", "± WebGroup (AutoScaling::AutoScalingGroup) may be replaced")
		l.deploy(good1, nil, "ACTION=preview").expect(t, exit.Passed)
		check("Servers `shop-staging`: nothing")
	})
}
