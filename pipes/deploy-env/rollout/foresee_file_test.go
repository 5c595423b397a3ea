package rollout_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
)

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
