package rollout_test

import (
	"fmt"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

func (l *place) ledger() *ledger.Ledger {
	return &ledger.Ledger{API: l.Reach().S3, Bucket: l.Cloud.Bucket(), Application: application, Environment: "staging"}
}

func (l *place) records() []ledger.Record {
	l.T.Helper()
	records, err := l.ledger().All(l.T.Context(), time.Time{})
	if err != nil {
		l.T.Fatal(err)
	}
	return records
}

// tale is the ledger in short, the oldest first: "1111 live".
func (l *place) tale() []string {
	l.T.Helper()
	var lines []string
	for _, r := range ledger.Releases(l.records()) {
		what := string(r.Outcome())
		if r.Open() {
			what = "open"
		}
		lines = append(lines, fmt.Sprintf("%.4s %s", r.Start.Commit, what))
	}
	slices.Reverse(lines)
	return lines
}

func (l *place) checkTale(what string, want ...string) {
	l.T.Helper()
	if diff := cmp.Diff(want, l.tale()); diff != "" {
		l.T.Errorf("the ledger %s (-want +got):\n%s", what, diff)
	}
}

// checkLedger holds the ledger against the account: what it says to be live is what the
// servers' stack runs, and nothing is open.
func (l *place) checkLedger() {
	l.T.Helper()
	records := l.records()
	if open := ledger.Unsettled(records); len(open) > 0 {
		l.T.Errorf("%d releases are open: %v", len(open), l.tale())
	}
	says, runs := "", ""
	if now := ledger.Running(records); now != nil {
		says = now.Start.Image.ID
	}
	for _, s := range l.Cloud.Stacks() {
		if s.Name == serversStack && !strings.HasPrefix(s.Status, "ROLLBACK") && !strings.HasPrefix(s.Status, "DELETE") &&
			s.Status != "REVIEW_IN_PROGRESS" {
			runs = s.Parameters["ImageId"]
		}
	}
	if says != runs {
		l.T.Errorf("the ledger says that %q is live, and the stack runs %q: %v", says, runs, l.tale())
	}
}

func TestLedgerOfReleases(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil, "BITBUCKET_BUILD_NUMBER=41", "BITBUCKET_REPO_FULL_NAME=acme/shop", "BITBUCKET_STEP_TRIGGERER_UUID={ann}").Expect(t, exit.Passed)
		l.deploy(good1, nil).Expect(t, exit.Passed, "already")
		l.deploy(good2, nil).Expect(t, exit.Passed)
		l.deploy(broken, nil).Expect(t, exit.Refused)
		l.deploy(badMove, nil).Expect(t, exit.Refused)
		l.checkTale("after four releases", "1111 live", "2222 live", "bbbb rolled back", "cccc rolled back")
		l.checkLedger()

		all := ledger.Releases(l.records())
		slices.Reverse(all)
		first, second, third := all[0], all[1], all[2]
		want := ledger.Record{
			Version: 1, Kind: ledger.KindStart, Application: application, Environment: "staging", Commit: good1, Why: ledger.WhyDeploy,
			By: ledger.By{Who: "{ann}", Program: "deploy-env unknown", Pipeline: "https://bitbucket.org/acme/shop/pipelines/results/41", Build: 41},
			Image: ledger.Image{
				ID: first.Start.Image.ID, Name: "shop-111111111111", Owner: "111122223333", RootSnapshot: l.Image(first.Start.Image.ID).RootSnapshot,
				Inputs: "inputs-of-111111111111", BakedFrom: good1,
			},
			Settings: "none", Template: first.Start.Template, Schema: ledger.Schema{Fingerprint: "unknown", Compatible: "unknown"},
			Migrated: true, Roles: ledger.Servers{"web": 2, "worker": 1, "scheduler": 1}, Health: map[string]string{"web": "/health"},
		}
		if diff := cmp.Diff(want, first.Start, cmpopts.IgnoreFields(ledger.Record{}, "ID", "Time"), cmp.AllowUnexported(ledger.Seconds{})); diff != "" {
			t.Errorf("the first start (-want +got):\n%s", diff)
		}
		if len(first.Start.Template) != 16 || first.Start.Image.ID == "" {
			t.Errorf("template %q, image %q", first.Start.Template, first.Start.Image.ID)
		}
		if second.Start.Previous != first.Key() || third.Start.Previous != second.Key() {
			t.Errorf("what was replaced: %q, %q", second.Start.Previous, third.Start.Previous)
		}
		if !strings.Contains(third.End.Failure, "database is missing") {
			t.Errorf("the failure is %q", third.End.Failure)
		}
		took := second.End.Durations
		sum := time.Duration(0)
		for name, part := range map[string]ledger.Seconds{"boot": took.Boot, "health": took.Health, "soak": took.Soak, "cleanup": took.Cleanup} {
			span, known := part.Get()
			if !known || span <= 0 {
				t.Errorf("%s took %s (%v)", name, span, known)
			}
			sum += span
		}
		if soak, _ := took.Soak.Get(); soak < 2*time.Minute || soak > 3*time.Minute {
			t.Errorf("the soak took %s", soak)
		}
		if total, _ := took.Total.Get(); total < sum || total > sum+time.Minute {
			t.Errorf("the parts are %s, the whole %s", sum, total)
		}
		for _, img := range l.Cloud.Images() {
			if live := img.Tags["fearless:deployed:staging"] != ""; live != (img.ID == first.Start.Image.ID || img.ID == second.Start.Image.ID) {
				t.Errorf("image %s: %v", img.Name, img.Tags)
			}
		}
	})
}

// Whatever becomes of the run, the next one knows what became of its release.
func TestLedgerAfterACrash(t *testing.T) {
	for _, test := range []struct {
		name string
		plan func() fault.Plan
		end  string
	}{
		{"before the update", func() fault.Plan { return fault.On("cloudformation:ExecuteChangeSet", 1, fault.KilledBefore) }, "2222 failed"},
		{"while it runs, and nobody comes for long", func() fault.Plan { return fault.On("cloudformation:ExecuteChangeSet", 1, fault.KilledAfter) }, "2222 live, unproven"},
		{"while the old servers go", func() fault.Plan { return afterPuts(2, fault.KilledAfter) }, "2222 live"},
	} {
		t.Run(test.name, func(t *testing.T) {
			story(t, func(t *testing.T, l *place) {
				l.deploy(good1, nil).Expect(t, exit.Passed)
				l.deploy(good2, test.plan())
				time.Sleep(20 * time.Minute) //nolint:forbidigo // simulated
				l.deploy(broken, nil).Expect(t, exit.Refused)
				l.checkTale("after the next run", "1111 live", test.end, "bbbb rolled back")
				l.checkLedger()
			})
		})
	}
}

// afterPuts puts a fault on the n-th object that a run writes.
func afterPuts(n int, f fault.Fault) fault.Plan {
	return func(c fault.Call) fault.Fault {
		if !c.Is("s3:PutObject") {
			return fault.None
		}
		if n--; n == 0 {
			return f
		}
		return fault.None
	}
}

// No answer from the ledger: nothing is touched.
func TestLedgerThatCannotBeUsed(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		before := l.ids(good1)
		denied := fault.Error(403, "AccessDenied")
		l.deploy(good2, fault.On("s3:ListObjectsV2", 1, denied)).Expect(t, exit.Unable, "without it nothing is certain", "nothing was changed")
		l.deploy(good2, fault.On("s3:PutObject", 1, denied)).Expect(t, exit.Unable, "cannot be written", "nothing was changed")
		if diff := cmp.Diff(before, l.ids(good1)); diff != "" {
			t.Error(diff)
		}
		l.checkTale("that cannot be used", "1111 live")
		// It cannot be written any more once the release is live: that is said, and mended.
		n := 0
		l.deploy(good2, func(c fault.Call) fault.Fault {
			if c.Is("s3:PutObject") {
				if n++; n > 1 {
					return denied
				}
			}
			return fault.None
		}).Expect(t, exit.Unable, "is live, but the ledger", "run the pipe again")
		l.deploy(good2, nil).Expect(t, exit.Passed, "it is live, unproven now", "already")
		l.checkLedger()

		l.put("ledger/shop/staging/20991231T000000.000Z-00000000.json", `{"version": 2}`)
		l.deploy(good1, nil).Expect(t, exit.Unable, "it has version 2, and this program knows 1: use a newer version of the pipe")
		l.deploy(good1, nil, "ACTION=preview").Expect(t, exit.Unable, "use a newer version of the pipe")
	})
}

// repository makes the lab's clone a real one and returns its commits, by message, with an
// image of each.
func (l *place) repository(messages ...string) []string {
	l.T.Helper()
	var hashes []string
	for _, message := range messages {
		for n, hash := range hashes {
			message = strings.ReplaceAll(message, fmt.Sprintf("{%d}", n), hash)
		}
		if len(hashes) == 0 {
			l.git("init", "-q", "-b", "main")
		}
		l.git("commit", "-q", "--allow-empty", "-m", message)
		hashes = append(hashes, l.git("rev-parse", "HEAD"))
	}
	for _, hash := range hashes {
		l.Bake(hash)
	}
	return hashes
}

// put lays an object into the bucket as it is.
func (l *place) put(key, content string) {
	l.T.Helper()
	_, err := l.Reach().S3.PutObject(l.T.Context(), &s3.PutObjectInput{
		Bucket: aws.String(l.Cloud.Bucket()), Key: &key, Body: strings.NewReader(content),
	})
	if err != nil {
		l.T.Fatal(err)
	}
}

func (l *place) hold(commit string) {
	l.T.Helper()
	if _, err := l.ledger().Hold(l.T.Context(), ledger.Record{Commit: commit, Reason: "orders were lost", By: ledger.By{Who: "{bob}"}}); err != nil {
		l.T.Fatal(err)
	}
}

func TestHeldCommits(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		c := l.repository("good", "bad", "after", "Revert \"bad\"\n\nThis reverts commit {1}.", "again\n\nThis reverts commit {3}.",
			"mend\n\nFixes-Release: {1}", "Fixes-Release: something else")
		l.deploy(c[0], nil).Expect(t, exit.Passed)
		l.hold(c[1])
		l.deploy(c[1], nil).Expect(t, exit.Refused, "is commit "+c[1][:12]+", which is held in staging", "by {bob}: orders were lost",
			"git revert "+c[1], "Fixes-Release: "+c[1], "ACTION: lift-hold")
		l.deploy(c[2], nil).Expect(t, exit.Refused, "contains commit "+c[1][:12])
		l.deploy(c[2], nil, "ACTION=preview").Expect(t, exit.Refused, "contains commit "+c[1][:12])
		l.deploy(c[4], nil).Expect(t, exit.Refused, "contains commit "+c[1][:12]) // the revert was reverted
		l.checkTale("after refusals", c[0][:4]+" live")
		l.deploy(c[3], nil).Expect(t, exit.Passed)
		l.deploy(c[6], nil).Expect(t, exit.Passed)
		l.deploy(c[0], nil).Expect(t, exit.Passed)
		if _, err := l.ledger().Lift(t.Context(), ledger.Record{Commit: c[1], Reason: "it was the network"}); err != nil {
			t.Fatal(err)
		}
		l.deploy(c[2], nil).Expect(t, exit.Passed)
		l.checkLedger()
	})
}

// A clone that is cut off is completed from the server, or else nothing is deployed.
func TestHeldInAShallowClone(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		c := l.repository("good", "bad", "after", "later", "latest")
		l.git("config", "uploadpack.allowFilter", "true")
		l.git("config", "uploadpack.allowAnySHA1InWant", "true")
		origin := l.Clone
		l.Clone = filepath.Join(t.TempDir(), "clone")
		if out, err := exec.Command("git", "clone", "-q", "--depth=2", "file://"+origin, l.Clone).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		l.file(stagingFile)
		l.deploy(c[4], nil).Expect(t, exit.Passed) // nothing is held, so nobody needs the history
		l.hold(c[1])
		l.deploy(c[4], nil).Expect(t, exit.Refused, "cannot be found out", "clone: {depth: full}")
		git, err := exec.LookPath("git")
		if err != nil {
			t.Fatal(err)
		}
		l.Git = &cgi.Handler{Path: git, Args: []string{"http-backend"}, Env: []string{
			"GIT_PROJECT_ROOT=" + origin, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		}}
		l.deploy(c[4], nil, "BITBUCKET_GIT_HTTP_ORIGIN=http://git.local/.git").Expect(t, exit.Refused, "Fetching the history", "contains commit "+c[1][:12])
		l.deploy(c[0], nil, "BITBUCKET_GIT_HTTP_ORIGIN=http://git.local/.git").Expect(t, exit.Passed, "Fetching the history")
		l.deploy(c[0], nil, "BITBUCKET_GIT_HTTP_ORIGIN=http://git.local/gone").Expect(t, exit.Refused, "404", "clone: {depth: full}")
	})
}

func TestHistory(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil, "ACTION=history").Expect(t, exit.Passed, "of 0 since", "nothing to restore")
		l.deploy(good1, nil, "BITBUCKET_BUILD_NUMBER=41").Expect(t, exit.Passed)
		l.deploy(broken, nil).Expect(t, exit.Refused)
		l.hold(good2)
		before := len(l.Cloud.Objects(l.Cloud.Bucket()))
		o := l.deploy(good1, nil, "ACTION=history", "PERIOD=7d").Expect(t, exit.Passed, "of 2 since", "bbbbbbbbbbbb  deploy    rolled back",
			"pipeline 41", "held since", "orders were lost", "50.0 % (1 of 2 deploys)", ".fearless/staging.history.html")
		if after := len(l.Cloud.Objects(l.Cloud.Bucket())); after != before {
			t.Errorf("it wrote %d objects", after-before)
		}
		for _, call := range o.Calls {
			if call.Service == "cloudformation" {
				t.Errorf("it calls %s", call.Action)
			}
		}
		page, err := os.ReadFile(filepath.Join(l.Clone, ".fearless", "staging.history.html"))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"<svg", "database is missing", "Change failure rate", "orders were lost"} {
			if !strings.Contains(string(page), part) {
				t.Errorf("%q is not on the page", part)
			}
		}
		l.deploy(good1, fault.On("s3:ListObjectsV2", 1, fault.Error(403, "AccessDenied")), "ACTION=history").Expect(t, exit.Unable, "nothing is certain")
	})
}
