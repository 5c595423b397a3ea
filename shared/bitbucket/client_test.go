package bitbucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/bitbucket/fake"
	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
	"bitbucket.org/fearless/pipes/shared/settings"
)

var commit = strings.Repeat("c", 40)

// inPipe are the variables of a pipe, withToken those of a laptop.
func inPipe() bitbucket.Settings {
	return bitbucket.Settings{
		PipelineUUID: "{1}", BuildNumber: 7, Workspace: "acme", RepoSlug: "shop", RepoFullName: "acme/shop", Commit: commit,
		Storage: "/storage", DockerHost: "tcp://host.docker.internal:2375",
	}
}

func withToken() bitbucket.Settings {
	return bitbucket.Settings{AccessToken: "fake-token\n", RepoFullName: "acme/shop", Commit: commit}
}

// open connects a client to the server without a network.
func open(t *testing.T, s bitbucket.Settings, server *fake.Server) *bitbucket.Client {
	t.Helper()
	c, err := bitbucket.Open(s, bitbucket.Options{Transport: server.RoundTripper()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// satisfied fails the test when the client did what Bitbucket does not accept.
func satisfied(t *testing.T, server *fake.Server) {
	t.Helper()
	for _, complaint := range server.Complaints() {
		t.Errorf("the server complains: %s", complaint)
	}
}

// many are findings of all severities in many files.
func many(n int) []finding.Finding {
	var all []finding.Finding
	for i := range n {
		all = append(all, finding.Finding{
			Tool: "golangci-lint", Rule: "errcheck", Severity: finding.Severity(i % 3),
			File: fmt.Sprintf("pkg%d/file.go", i%7), Line: i % 11, Message: fmt.Sprintf("finding %d", i/2),
		})
	}
	return all
}

func lintReport(findings ...finding.Finding) bitbucket.Report {
	return bitbucket.Report{
		ID: "lint-gate", Title: "Lint gate", Details: "2 modules checked", Reporter: "lint-gate", Passed: len(findings) == 0, Findings: findings,
		FailOn: finding.Error, Data: []bitbucket.Datum{bitbucket.Number("New findings", len(findings)), bitbucket.Duration("Duration", 1830*time.Millisecond), bitbucket.Text("Scope", "new")},
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]bitbucket.Settings{"proxy": inPipe(), "token": withToken()} {
		server := fake.New(fake.Options{})
		c := open(t, s, server)
		f := finding.Finding{
			Tool: "golangci-lint", Rule: "errcheck", Severity: finding.Error, File: "shop/cart.go", Line: 12, Column: 3,
			Message: "Error return value is not checked\nsecond line", Detail: "Check it.", URL: "https://golangci-lint.run/",
		}
		if err := c.Begin(t.Context(), lintReport(f)); err != nil {
			t.Fatal(err)
		}
		if r, ok := server.Report("lint-gate"); !ok || r.Result != "PENDING" || len(r.Data) != 0 {
			t.Errorf("%s: begun as %+v", name, r)
		}
		if err := c.Report(t.Context(), lintReport(f)); err != nil {
			t.Fatal(err)
		}
		satisfied(t, server)
		r, _ := server.Report("lint-gate")
		if r.Result != "FAILED" || r.Title != "Lint gate" || r.Details != "2 modules checked" || r.Type != "BUG" || len(r.Data) != 3 {
			t.Errorf("%s: %+v", name, r)
		}
		if want := map[string]string{"proxy": "https://bitbucket.org/acme/shop/pipelines/results/7"}[name]; r.Link != want {
			t.Errorf("%s: link %s", name, r.Link)
		}
		for _, a := range r.Annotations {
			if a.Path != "shop/cart.go" || *a.Line != 12 || a.Severity != "HIGH" || a.Type != "BUG" || a.Result != "FAILED" ||
				a.Summary != "Error return value is not checked (golangci-lint/errcheck)" || a.Details != "second line\nCheck it." || a.Link != f.URL {
				t.Errorf("%s: %+v", name, a)
			}
		}
		want := []string{"DELETE", "PUT", "POST", "PUT"}
		for i, call := range server.Calls() {
			if !strings.HasPrefix(call, want[i]+" commit/"+commit+"/reports/lint-gate") || !strings.HasSuffix(call, " by "+name) {
				t.Errorf("%s: call %d is %s", name, i, call)
			}
		}
	}
}

// TestManyFindings: whatever the number, batches and the limit are kept, the
// worst are shown, and what is not is said.
func TestManyFindings(t *testing.T) {
	t.Parallel()
	for n, batches := range map[int]int{0: 0, 1: 1, 100: 1, 101: 2, 1000: 10, 1001: 10, 3000: 10} {
		server := fake.New(fake.Options{})
		if err := open(t, inPipe(), server).Report(t.Context(), lintReport(many(n)...)); err != nil {
			t.Errorf("%d: %v", n, err)
			continue
		}
		satisfied(t, server)
		r, _ := server.Report("lint-gate")
		if len(r.Annotations) != min(n, 1000) || len(r.Batches) != batches {
			t.Errorf("%d: %d annotations in %v", n, len(r.Annotations), r.Batches)
		}
		high := 0
		for _, a := range r.Annotations {
			if a.Severity == "HIGH" {
				high++
			}
		}
		if high != n/3 {
			t.Errorf("%d: %d errors are shown of %d", n, high, n/3)
		}
		if said := strings.Contains(r.Details, fmt.Sprintf("%d of %d are in the log only", n-1000, n)); said != (n > 1000) || bitbucket.CutOff(n) != max(0, n-1000) {
			t.Errorf("%d: %s", n, r.Details)
		}
	}
}

// TestAgain: a second attempt at the same commit leaves nothing of the first,
// and what is still there has the same id.
func TestAgain(t *testing.T) {
	t.Parallel()
	server := fake.New(fake.Options{})
	first := many(150)
	if err := open(t, inPipe(), server).Report(t.Context(), lintReport(first...)); err != nil {
		t.Fatal(err)
	}
	before, _ := server.Report("lint-gate")
	c := open(t, inPipe(), server)
	if err := c.Begin(t.Context(), lintReport()); err != nil {
		t.Fatal(err)
	}
	if r, _ := server.Report("lint-gate"); len(r.Annotations) != 0 {
		t.Errorf("%d annotations of the first attempt are still there", len(r.Annotations))
	}
	if err := c.Report(t.Context(), lintReport(first[:20]...)); err != nil {
		t.Fatal(err)
	}
	after, _ := server.Report("lint-gate")
	for id, a := range after.Annotations {
		if diff := cmp.Diff(before.Annotations[id], a); diff != "" {
			t.Errorf("%s is another (-before +after):\n%s", id, diff)
		}
	}
	if len(after.Annotations) != 20 {
		t.Errorf("%d annotations", len(after.Annotations))
	}
	// The same client once more, without another Begin.
	if err := c.Report(t.Context(), lintReport()); err != nil {
		t.Fatal(err)
	}
	if r, _ := server.Report("lint-gate"); r.Result != "PASSED" || len(r.Annotations) != 0 {
		t.Errorf("%+v", r)
	}
	// And one that says next to nothing.
	if err := c.Report(t.Context(), bitbucket.Report{ID: "bare", Passed: true}); err != nil {
		t.Error(err)
	}
	if r, _ := server.Report("bare"); r.Title != "bare" || r.Details != "bare" {
		t.Errorf("%+v", r)
	}
	satisfied(t, server)
}

// TestAwkwardFindings: fields that Bitbucket would refuse are cut, cleaned or
// left out, and nothing of what people need is lost.
func TestAwkwardFindings(t *testing.T) {
	t.Parallel()
	server := fake.New(fake.Options{})
	long := strings.Repeat("ä€", 2000)
	r := lintReport(
		finding.Finding{Severity: finding.Warning, File: "../up.go", Line: 3, Message: "outside"},
		finding.Finding{Severity: finding.Warning, File: "/abs.go", Message: "absolute"},
		finding.Finding{Severity: finding.Warning, File: "a/../b.go", Message: "crooked"},
		finding.Finding{Severity: finding.Warning, Line: 3, Message: "of the change"},
		finding.Finding{Severity: finding.Warning, File: "neg.go", Line: -2, Message: ""},
		finding.Finding{Severity: finding.Warning, File: "caf\xe9.go", Line: 1, Message: "caf\xe9\x00\x1b[31m", URL: "javascript:alert(1)"},
		finding.Finding{Severity: finding.Warning, File: "dup.go", Line: 1, Message: "the secret hunter22"},
		finding.Finding{Severity: finding.Warning, File: "dup.go", Line: 1, Message: "the secret hunter22"},
		finding.Finding{Severity: finding.Info, File: "long.go", Line: 1, Message: long, Detail: long},
	)
	r.ID, r.Title, r.Details, r.Reporter, r.Link = "lint gate/ä", long, long+"hunter22", long, "nowhere"
	for range 20 {
		r.Data = append(r.Data, bitbucket.Text(long, long))
	}
	r.Security = true
	log := console.New(&bytes.Buffer{}, false)
	log.Mask("hunter22")
	c, err := bitbucket.Open(inPipe(), bitbucket.Options{Transport: server.RoundTripper(), Mask: log.Masker()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Report(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	satisfied(t, server)
	got, ok := server.Report("lint-gate--")
	if !ok || len(got.Annotations) != 9 || got.Type != "SECURITY" {
		t.Fatalf("%v, %+v", ok, got)
	}
	places := map[string]string{}
	for _, a := range got.Annotations {
		places[a.Summary] = a.Path
		if len(a.Summary) > 440 && (!strings.HasSuffix(a.Summary, "…") || len(a.Details) < 1990) {
			t.Errorf("cut to %q, details %d", a.Summary, len(a.Details))
		}
		if a.Type != "VULNERABILITY" || a.Result != "" {
			t.Errorf("%+v", a)
		}
	}
	for summary, path := range map[string]string{
		"../up.go:3: outside": "", "/abs.go: absolute": "", "a/../b.go: crooked": "", "of the change": "", "no message": "neg.go",
		"caf\ufffd[31m": "caf\ufffd.go", "the secret ***": "dup.go",
	} {
		if got, ok := places[summary]; !ok || got != path {
			t.Errorf("%q: %q, %v in %q", summary, got, ok, places)
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	server := fake.New(fake.Options{StatusByProxy: true})
	s := inPipe()
	s.PullRequest, s.Branch = 12, "feature/x"
	c := open(t, s, server)
	long := strings.Repeat("environment-ä-", 10)
	for _, status := range []bitbucket.Status{
		{Key: "test-env", State: bitbucket.Successful, Name: "shop", Description: "runs", URL: "https://shop-cccccccc.example.com/"},
		{Key: long, State: bitbucket.InProgress}, {Key: long + "2", State: bitbucket.Failed}, {Key: long, State: bitbucket.Stopped},
	} {
		if err := c.Status(t.Context(), status); err != nil {
			t.Fatal(err)
		}
	}
	satisfied(t, server)
	all := server.Statuses()
	if len(all) != 3 {
		t.Errorf("%+v", all)
	}
	want := fake.Status{Key: "test-env", State: "SUCCESSFUL", Name: "shop", Description: "runs", URL: "https://shop-cccccccc.example.com/", Branch: "feature/x"}
	if diff := cmp.Diff(want, all["test-env"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// Without a page of a pipeline it leads to the commit.
	server = fake.New(fake.Options{})
	if err := open(t, withToken(), server).Status(t.Context(), bitbucket.Status{Key: "k", State: bitbucket.Successful}); err != nil {
		t.Fatal(err)
	}
	if got := server.Statuses()["k"]; got.URL != "https://bitbucket.org/acme/shop/commits/"+commit || got.Branch != "" {
		t.Errorf("%+v", got)
	}
	satisfied(t, server)
}

// TestRoutes: the proxy first, the token where the proxy does not help, and
// never a token in plain text.
func TestRoutes(t *testing.T) {
	t.Parallel()
	both := inPipe()
	both.AccessToken = "fake-token"
	server := fake.New(fake.Options{})
	c := open(t, both, server)
	if err := c.Report(t.Context(), lintReport()); err != nil {
		t.Error(err)
	}
	if err := c.Status(t.Context(), bitbucket.Status{Key: "k", State: bitbucket.Successful}); err != nil {
		t.Error(err)
	}
	calls := server.Calls()
	want := []string{"by proxy", "by proxy", "by proxy", "by proxy", "by token"}
	for i, call := range calls {
		if len(calls) != len(want) || !strings.HasSuffix(call, want[i]) {
			t.Errorf("%q", calls)
			break
		}
	}
	satisfied(t, server)

	basic := bitbucket.Settings{Email: "ci@example.com", APIToken: "fake-token", RepoFullName: "acme/shop", Commit: commit[:12]}
	server = fake.New(fake.Options{Email: "ci@example.com"})
	c, err := bitbucket.Open(basic, bitbucket.Options{Commit: commit, Transport: server.RoundTripper()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Report(t.Context(), lintReport()); err != nil {
		t.Error(err)
	}
	satisfied(t, server)
}

func TestNoClient(t *testing.T) {
	t.Parallel()
	for missing, s := range map[string]bitbucket.Settings{
		"BITBUCKET_PIPELINE_UUID is not set": {RepoFullName: "acme/shop", Commit: commit},
		"BITBUCKET_REPO_SLUG":                {PipelineUUID: "{1}", Commit: commit, Workspace: "acme"},
		"BITBUCKET_COMMIT":                   {PipelineUUID: "{1}", RepoFullName: "acme/shop"},
	} {
		if c, err := bitbucket.Open(s, bitbucket.Options{}); c != nil || err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("%s: %v, %v", missing, c, err)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]string{
		"ATLASSIAN_API_TOKEN=x":                                                   "ATLASSIAN_ACCOUNT_EMAIL",
		"ATLASSIAN_ACCOUNT_EMAIL=x":                                               "ATLASSIAN_API_TOKEN",
		"ATLASSIAN_ACCOUNT_EMAIL=x BITBUCKET_ACCESS_TOKEN=y":                      "",
		"ATLASSIAN_ACCOUNT_EMAIL=x ATLASSIAN_API_TOKEN=x":                         "",
		"BITBUCKET_PR_ID=x":                                                       "BITBUCKET_PR_ID",
		"BITBUCKET_PR_ID=3 BITBUCKET_COMMIT=c DOCKER_HOST=tcp://1.2.3.4:2375 CI=": "",
	} {
		var s bitbucket.Settings
		err := settings.Load(strings.Fields(environ), &s)
		if (want == "" && err != nil) || (want != "" && (err == nil || !strings.Contains(err.Error(), want))) {
			t.Errorf("%s: %v", environ, err)
		}
	}
}

// TestEveryCallFails: each call of a report fails in each way, and then the
// pipe runs again. What is on Bitbucket in between is never a lie.
func TestEveryCallFails(t *testing.T) {
	t.Parallel()
	faults := map[string]fake.Fault{
		"400":         {Status: 400, Body: `{"type": "error", "error": {"message": "Bad request", "detail": "why", "fields": {"data": ["too many"]}}}`},
		"403":         {Status: 403, Body: "<html>\n Forbidden  here</html>"},
		"broken":      {},
		"lost answer": {Done: true},
		"503":         {Status: 503}, "hangs": {Hang: true},
		"429 for an hour": {Status: 429, RetryAfter: "3600"},
	}
	const calls = 5 // delete, pending, two batches, result
	for name, fault := range faults {
		for at := 1; at <= calls; at++ {
			for _, for_ever := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					broken := true
					server := fake.New(fake.Options{Fault: func(c fake.Call) *fake.Fault {
						if broken && (c.Number == at || (for_ever && c.Number > at)) {
							return &fault
						}
						return nil
					}})
					c := open(t, inPipe(), server)
					started := time.Now()
					err := c.Report(t.Context(), lintReport(many(150)...))
					heals := !for_ever && name != "400" && name != "403" && name != "429 for an hour"
					r, there := server.Report("lint-gate")
					switch {
					case heals != (err == nil):
						t.Errorf("%s at call %d, for ever %v: %v", name, at, for_ever, err)
					case err != nil && exit.CodeOf(err) != exit.Unable:
						t.Errorf("%s at call %d: exit code %v", name, at, exit.CodeOf(err))
					case heals && (r.Result != "FAILED" || len(r.Annotations) != 150):
						t.Errorf("%s at call %d: %s with %d", name, at, r.Result, len(r.Annotations))
					case there && r.Result == "FAILED" && len(r.Annotations) < 150 && !strings.Contains(r.Details, "Not all of the 150 findings"):
						t.Errorf("%s at call %d: %d annotations, but %q", name, at, len(r.Annotations), r.Details)
					case time.Since(started) > 4*time.Minute:
						t.Errorf("%s at call %d: took %v", name, at, time.Since(started))
					}
					broken = false
					if err := open(t, inPipe(), server).Report(t.Context(), lintReport(many(150)...)); err != nil {
						t.Errorf("%s at call %d, once more: %v", name, at, err)
					}
					if r, _ := server.Report("lint-gate"); r.Result != "FAILED" || len(r.Annotations) != 150 || strings.Contains(r.Details, "Not all") {
						t.Errorf("%s at call %d, once more: %s with %d, %q", name, at, r.Result, len(r.Annotations), r.Details)
					}
					satisfied(t, server)
				})
			}
		}
	}
}

// TestPatience looks at the times between calls.
func TestPatience(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   fake.Fault
		times   int
		least   time.Duration
		most    time.Duration
		succeed bool
	}{
		"two glitches":       {fake.Fault{Status: 502}, 2, 3 * time.Second, 5 * time.Second, true},
		"asked to wait":      {fake.Fault{Status: 429, RetryAfter: "20"}, 1, 20 * time.Second, 20 * time.Second, true},
		"asked by a date":    {fake.Fault{Status: 503, RetryAfter: "Sat, 01 Jan 2000 00:00:25 GMT"}, 1, 24 * time.Second, 26 * time.Second, true},
		"asked too much":     {fake.Fault{Status: 429, RetryAfter: "31"}, 1, 0, 0, false},
		"nonsense":           {fake.Fault{Status: 429, RetryAfter: "soon"}, 1, time.Second, 2 * time.Second, true},
		"always":             {fake.Fault{Status: 500}, 9, 7 * time.Second, 11 * time.Second, false},
		"hangs once":         {fake.Fault{Hang: true}, 1, 21 * time.Second, 22 * time.Second, true},
		"refused for good":   {fake.Fault{Status: 404}, 1, 0, 0, false},
		"redirected":         {fake.Fault{Status: 302}, 1, 0, 0, false},
		"nonsense in Status": {fake.Fault{Status: 418}, 1, 0, 0, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			server := fake.New(fake.Options{Fault: func(call fake.Call) *fake.Fault {
				if call.Number <= c.times {
					return &c.fault
				}
				return nil
			}})
			started := time.Now()
			err := open(t, withToken(), server).Status(t.Context(), bitbucket.Status{Key: "k", State: bitbucket.Successful})
			if took := time.Since(started); (err == nil) != c.succeed || took < c.least || took > c.most {
				t.Errorf("%s: %v after %v", name, err, took)
			}
			if name == "always" && len(server.Calls()) != 4 {
				t.Errorf("%d attempts", len(server.Calls()))
			}
			satisfied(t, server)
		})
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := fake.New(fake.Options{Fault: func(fake.Call) *fake.Fault { return &fake.Fault{Status: 503} }})
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("stopped")
		time.AfterFunc(2*time.Second, func() { cancel(stopped) })
		started := time.Now()
		err := open(t, withToken(), server).Status(ctx, bitbucket.Status{Key: "k", State: bitbucket.Successful})
		if time.Since(started) != 2*time.Second || !errors.Is(err, stopped) || !strings.Contains(err.Error(), "503") {
			t.Errorf("%v after %v", err, time.Since(started))
		}
	})
}

// TestExplanations: every refusal says which permission is missing, or what
// else is to be done.
func TestExplanations(t *testing.T) {
	t.Parallel()
	both := inPipe()
	both.AccessToken = "fake-token"
	wrong := withToken()
	wrong.AccessToken = "old-token"
	other := withToken()
	other.Commit = strings.Repeat("d", 40)
	elsewhere := withToken()
	elsewhere.RepoFullName = "acme/other"
	for name, c := range map[string]struct {
		settings bitbucket.Settings
		options  fake.Options
		err      string
		hint     string
	}{
		"proxy alone":     {inPipe(), fake.Options{}, "could not set the build status by the pipeline's proxy at host.docker.internal:29418: 403 Forbidden", "set BITBUCKET_ACCESS_TOKEN, with the permission repositories: write"},
		"token too":       {both, fake.Options{NoWrite: true}, "and by BITBUCKET_ACCESS_TOKEN: 403 Forbidden: Your credentials lack one or more", "BITBUCKET_ACCESS_TOKEN lacks the permission repositories: write"},
		"wrong token":     {wrong, fake.Options{}, "401 Unauthorized", "has expired, was revoked"},
		"unknown commit":  {other, fake.Options{}, "404 Not Found: Commit not found", "was commit dddddddd"},
		"unknown project": {elsewhere, fake.Options{}, "You may not have access", "is acme/other the repository"},
		"limit":           {withToken(), fake.Options{Fault: func(fake.Call) *fake.Fault { return &fake.Fault{Status: 429, RetryAfter: "600", Body: "Rate limit"} }}, "429 Too Many Requests: Rate limit (asks to wait 10m0s", "requests of this hour"},
	} {
		server := fake.New(c.options)
		err := open(t, c.settings, server).Status(t.Context(), bitbucket.Status{Key: "k", State: bitbucket.Successful})
		if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(strings.Join(exit.HintsOf(err), "\n"), c.hint) {
			t.Errorf("%s: %v, %q", name, err, exit.HintsOf(err))
		}
		if err != nil && strings.Contains(err.Error()+strings.Join(exit.HintsOf(err), ""), "-token") {
			t.Errorf("%s: the error shows the token: %v", name, err)
		}
	}
}

// refusing is a network on which nobody answers, like a laptop that has a
// pipeline's variables but no proxy.
type refusing struct {
	to    http.RoundTripper
	plain int
}

func (r *refusing) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme == "http" {
		r.plain++
		return nil, unreachable
	}
	return r.to.RoundTrip(request)
}

func TestNoProxy(t *testing.T) {
	t.Parallel()
	both := inPipe()
	both.AccessToken = "fake-token"
	server := fake.New(fake.Options{})
	network := &refusing{to: server.RoundTripper()}
	c, err := bitbucket.Open(both, bitbucket.Options{Transport: network})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Report(t.Context(), lintReport(many(150)...)); err != nil {
		t.Error(err)
	}
	if network.plain != 1 {
		t.Errorf("the proxy that is not there was asked %d times", network.plain)
	}
	satisfied(t, server)

	c, err = bitbucket.Open(inPipe(), bitbucket.Options{Transport: network})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Report(t.Context(), lintReport())
	if err == nil || !strings.Contains(err.Error(), "connection refused") || !strings.Contains(strings.Join(exit.HintsOf(err), ""), "only steps of Bitbucket Pipelines have that proxy") {
		t.Errorf("%v, %q", err, exit.HintsOf(err))
	}
}
