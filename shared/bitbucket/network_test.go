package bitbucket_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/bitbucket/fake"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// TestMain is also the pipe of TestOverTheNetwork: a program of its own, since
// a process reads HTTPS_PROXY and its certificates once.
func TestMain(m *testing.M) {
	if os.Getenv("BE_A_PIPE") == "" {
		os.Exit(m.Run())
	}
	os.Exit(pipe())
}

// pipe reports with nothing but its environment.
func pipe() int {
	var s bitbucket.Settings
	if err := settings.Load(os.Environ(), &s); err != nil {
		return fail(err)
	}
	c, err := bitbucket.Open(s, bitbucket.Options{})
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.Report(ctx, lintReport(many(250)...)); err != nil {
		return fail(err)
	}
	if s.AccessToken == "" {
		return 0
	}
	if err := c.Comment(ctx, s.PullRequest, "lint-gate", "250 findings"); err != nil {
		return fail(err)
	}
	return 0
}

func fail(err error) int {
	_, _ = os.Stderr.WriteString(err.Error() + "\n")
	return 1
}

func TestOverTheNetwork(t *testing.T) {
	t.Parallel()
	for name, extra := range map[string][]string{
		"proxy alone":              nil,
		"proxy and token":          {"BITBUCKET_ACCESS_TOKEN=fake-token", "BITBUCKET_PR_ID=12"},
		"somebody's proxy as well": {"HTTP_PROXY=http://127.0.0.1:1", "NO_PROXY=api.bitbucket.org,.bitbucket.org", "BITBUCKET_PIPE_STORAGE_DIR=", "BITBUCKET_PIPE_SHARED_STORAGE_DIR=/x"},
		"token alone":              {"BITBUCKET_ACCESS_TOKEN=fake-token", "BITBUCKET_PR_ID=12", "BITBUCKET_PIPELINE_UUID="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.New(fake.Options{})
			network, err := server.Listen(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer network.Close()
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(append(network.Environ(), "BE_A_PIPE=1"), extra...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			satisfied(t, server)
			token := strings.Contains(strings.Join(extra, " "), "ACCESS_TOKEN")
			r, _ := server.Report("lint-gate")
			if r.Result != "FAILED" || len(r.Annotations) != 250 || (len(server.Comments()) == 1) != token {
				t.Errorf("%s with %d annotations, comments %+v: %q", r.Result, len(r.Annotations), server.Comments(), server.Calls())
			}
		})
	}
}

// TestProxyAddress looks at where a client goes without a network to go to.
func TestProxyAddress(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]bitbucket.Settings{
		"localhost:29418":            {DockerHost: "tcp://host.docker.internal:2375"}, // a build container knows the daemon, too
		"host.docker.internal:29418": {Storage: "/x", DockerHost: "unix:///var/run/docker.sock"},
		"10.1.2.3:29418":             {SharedStorage: "/x", DockerHost: "tcp://10.1.2.3:2375"},
		"[fe80::1]:29418":            {SharedStorage: "/x", DockerHost: "tcp://[fe80::1]:2375"},
	} {
		s.PipelineUUID, s.RepoFullName, s.Commit = "{1}", "acme/shop", commit
		var asked string
		transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { t.Error("somebody else's proxy was asked"); return nil, nil }}
		transport.DialContext = func(_ context.Context, _, address string) (net.Conn, error) { asked = address; return nil, unreachable }
		c, err := bitbucket.Open(s, bitbucket.Options{Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Status(t.Context(), bitbucket.Status{Key: "k"}); err == nil || asked != want {
			t.Errorf("%s was asked, not %s: %v", asked, want, err)
		}
	}
}
