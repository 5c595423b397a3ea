package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"bitbucket.org/fearless/pipes/shared/localcloud"
)

func TestFlags(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args   string
		says   string // "" when the arguments are good
		timing localcloud.Timing
	}{
		{"", "", localcloud.RealTime()},
		{"-quick -listen 127.0.0.1:0", "", localcloud.RealTime()},
		{"-cloudlike -listen [::1]:80", "", localcloud.CloudLike()},
		{"-listen localhost:4599", "", localcloud.RealTime()},
		{"-quick -cloudlike", "exclude each other", localcloud.Timing{}},
		{"-listen 0.0.0.0:4599", "only loopback addresses", localcloud.Timing{}},
		{"-listen :4599", "only loopback addresses", localcloud.Timing{}},
		{"-listen example.com:80", "only loopback addresses", localcloud.Timing{}},
		{"-listen 4599", "missing port", localcloud.Timing{}},
		{"extra", `unknown argument "extra"`, localcloud.Timing{}},
		{"-port 1", "not defined", localcloud.Timing{}},
	}
	for _, test := range tests {
		s, err := parse(strings.Fields(test.args), io.Discard)
		switch {
		case test.says == "" && (err != nil || s.timing != test.timing):
			t.Errorf("%q: %+v, %v", test.args, s, err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%q: %v, want %q", test.args, err, test.says)
		}
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if code := run(t.Context(), []string{"-nonsense"}, &out, ""); code != invalid {
		t.Errorf("bad flag: %d", code)
	}
	if code := run(t.Context(), []string{"-listen", "127.0.0.1:0", "-dir", "/nowhere/at/all"}, &out, ""); code != unable {
		t.Errorf("bad folder: %d", code)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if code := run(ended, []string{"-listen", "127.0.0.1:0", "-dir", "/nowhere"}, &out, ""); code != unable {
		t.Errorf("ended before it began: %d", code)
	}
}

// A signal ends it cleanly, and a port that is taken is an error.
func TestSignals(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := start(t)
		var out bytes.Buffer
		if code := run(t.Context(), []string{"-listen", strings.TrimPrefix(p.env["AWS_ENDPOINT_URL"], "http://")}, &out, ""); code != unable {
			t.Errorf("a port that is taken: %d\n%s", code, &out)
		}
		if rest := p.interrupt(signal); !strings.Contains(rest, "closing") {
			t.Errorf("%v: it said %q", signal, rest)
		}
		if left, err := os.ReadDir(p.dir); err != nil || len(left) != 0 {
			t.Errorf("%v: left behind %v, %v", signal, left, err)
		}
	}
}

// A web page must not be able to start servers.
func TestBrowsersAreTurnedAway(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, header := range []string{"Origin", "Sec-Fetch-Site"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.env["AWS_ENDPOINT_URL"],
			strings.NewReader("Action=RunInstances&Version=2016-11-15"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set(header, "https://example.com")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: status %d", header, response.StatusCode)
		}
	}
	if rest := p.interrupt(syscall.SIGTERM); strings.Contains(rest, "RunInstances") {
		t.Errorf("the cloud saw the call:\n%s", rest)
	}
}
