package provision_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/boot/provision"
	"bitbucket.org/fearless/pipes/shared/contract"
)

// bucket is the other side of the presigned URLs.
type bucket struct {
	mu      sync.Mutex
	puts    map[string][]string // path: bodies in order
	answers []int               // status of the next puts, then 200
}

func (b *bucket) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	status := http.StatusOK
	if len(b.answers) > 0 {
		status, b.answers = b.answers[0], b.answers[1:]
	}
	if status == 0 {
		return nil, errors.New("connection reset by peer")
	}
	if status == http.StatusOK {
		b.puts[r.URL.Path] = append(b.puts[r.URL.Path], string(body))
	}
	answer := `<Error><Code>Code` + http.StatusText(status) + `</Code><StringToSign>secret</StringToSign></Error>`
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

func (b *bucket) all(path string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.puts[path])
}

func (b *bucket) last(path string) string {
	if all := b.all(path); len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// server is a build server whose disk is a temporary directory.
type server struct {
	provision.Machine
	cfg    contract.Provisioning
	bucket *bucket
	out    bytes.Buffer
	off    int
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{bucket: &bucket{puts: map[string][]string{}}}
	s.cfg = contract.Provisioning{
		Application: "shop", Commit: "0123abcd", Script: "deploy/provision.sh", Region: "eu-central-1",
		LogURL: "https://bucket/log?X-Amz-Signature=1", ResultURL: "https://bucket/result?X-Amz-Signature=2",
		Deadline: time.Now().Add(10 * time.Minute),
	}
	s.Machine = provision.Machine{
		Root: t.TempDir(), HTTP: s.bucket, Out: &s.out, Script: provision.Exec,
		Environ: []string{"PATH=" + os.Getenv("PATH"), "HOME=/home/someone", "GOFLAGS=-mod=mod", "EMPTY=",
			"AWS_SECRET_ACCESS_KEY=k", "AWS_ENDPOINT_URL=http://cloud", "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://meta"},
		PowerOff: func() { s.off++ },
	}
	s.write(t, "opt/app/Procfile", "web: bin/web\nrelease: bin/migrate\n", 0o644)
	s.write(t, "opt/app/deploy/provision.sh", "echo hello\n", 0o644)
	s.write(t, "opt/fearless/boot", "program", 0o755)
	return s
}

func (s *server) write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	file := filepath.Join(s.Root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// run provisions and checks what holds for every run: the server is switched
// off once, and what was reported is what was returned.
func (s *server) run(t *testing.T, ctx context.Context) contract.Provisioned {
	t.Helper()
	result := provision.Run(ctx, s.cfg, s.Machine)
	if s.off != 1 {
		t.Errorf("switched off %d times", s.off)
	}
	if reported, err := contract.ParseProvisioned([]byte(s.bucket.last("/result"))); err != nil {
		t.Errorf("the report cannot be read: %v", err)
	} else if diff := cmp.Diff(result, reported); diff != "" {
		t.Errorf("returned (-) is not reported (+):\n%s", diff)
	}
	return result
}

func TestGood(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.write(t, "opt/app/deploy/provision.sh", "env\npwd\necho to stderr >&2\necho 'clock: bin/clock' >> Procfile\n", 0o644)
	result := s.run(t, t.Context())
	if !result.OK() {
		t.Fatalf("%+v\n%s", result, s.out.String())
	}
	if diff := cmp.Diff([]string{"web", "release", "clock"}, result.Processes); diff != "" {
		t.Error(diff)
	}
	root := filepath.Join(s.Root, "opt/app")
	log := s.bucket.last("/log")
	for _, want := range []string{
		"APPLICATION=shop\n", "COMMIT=0123abcd\n", "APP_ROOT=" + root + "\n", "MACHINE_ROOT=" + s.Root + "\n", "AWS_REGION=eu-central-1\n",
		"DEBIAN_FRONTEND=noninteractive\n", "HOME=/home/someone\n", "GOFLAGS=-mod=mod\n", "LANG=C.UTF-8\n",
		"\n" + root + "\n", "to stderr\n", "ended with exit code 0",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in the log:\n%s", want, log)
		}
	}
	for _, not := range []string{"AWS_SECRET", "ENDPOINT", "METADATA", "EMPTY="} {
		if strings.Contains(log, not) {
			t.Errorf("%s reached the script", not)
		}
	}
	data, err := os.ReadFile(filepath.Join(s.Root, contract.ImageFile))
	if err != nil {
		t.Fatal(err)
	}
	image, err := contract.ParseImage(data)
	want := contract.Image{Contract: 1, Application: "shop", Commit: "0123abcd", Processes: []string{"web", "release", "clock"}}
	if diff := cmp.Diff(want, image); err != nil || diff != "" {
		t.Error(err, diff)
	}
	unit, err := os.ReadFile(filepath.Join(s.Root, contract.Wants)) // through the link
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ExecStart=/opt/fearless/boot run\n", "Restart=always\n", "KillMode=mixed\n", "TimeoutStopSec=300\n", "After=network-online.target\n"} {
		if !strings.Contains(string(unit), want) {
			t.Errorf("%q is not in the unit:\n%s", want, unit)
		}
	}
}

func TestBad(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(t *testing.T, s *server)
		code   int
		reason string // part of it; "" for none at all
		log    string
	}{
		"exit code": {func(t *testing.T, s *server) {
			s.write(t, "opt/app/deploy/provision.sh", "echo no such package\nexit 7\n", 0o644)
		}, 7, "", "no such package\n"},
		"no script": {func(t *testing.T, s *server) { s.cfg.Script = "provision.sh" },
			-1, "provision.sh is not in the source tree", "not an image: provision.sh is not"},
		"script elsewhere": {func(t *testing.T, s *server) { s.cfg.Script = "../../etc/rc" },
			-1, "outside the source tree", ""},
		"Windows lines": {func(t *testing.T, s *server) {
			s.write(t, "opt/app/deploy/provision.sh", "#!/bin/sh\r\necho\r\n", 0o755)
		}, -1, "CRLF", ""},
		"killed": {func(t *testing.T, s *server) {
			s.write(t, "opt/app/deploy/provision.sh", "kill -9 $$\n", 0o755)
		}, -1, "it was killed, most likely because the memory ran out", ""},
		"no Procfile": {func(t *testing.T, s *server) {
			s.write(t, "opt/app/deploy/provision.sh", "rm Procfile\n", 0o644)
		}, 0, "the source tree has no Procfile", ""},
		"bad Procfile": {func(t *testing.T, s *server) { s.write(t, "opt/app/Procfile", "Web: x\n", 0o644) },
			0, "Procfile:1:", ""},
		"no boot": {func(t *testing.T, s *server) {
			s.write(t, "opt/app/deploy/provision.sh", "rm $MACHINE_ROOT/opt/fearless/boot\n", 0o644)
		}, 0, "boot is not in its place", ""},
		"parameters": {func(t *testing.T, s *server) {
			s.cfg.ParametersPath = "/shop/bake"
			s.Parameters = func(context.Context, string) (map[string]string, error) { return nil, errors.New("AccessDenied") }
		}, -1, "AccessDenied", ""},
		"no user": {func(t *testing.T, s *server) {
			s.AddUser = func(context.Context, io.Writer) error { return errors.New("useradd: not permitted") }
		}, -1, "useradd: not permitted", ""},
		"panic": {func(t *testing.T, s *server) {
			s.Script = func(context.Context, provision.ScriptCall) (int, error) { panic("index out of range") }
		}, -1, "boot failed: index out of range", "boot failed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			test.change(t, s)
			result := s.run(t, t.Context())
			if result.OK() || result.ExitCode != test.code || !strings.Contains(result.Reason, test.reason) ||
				(test.reason == "") != (result.Reason == "") {
				t.Errorf("got %+v", result)
			}
			if log := s.bucket.last("/log"); !strings.Contains(log, test.log) {
				t.Errorf("%q is not in the log:\n%s", test.log, log)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.cfg.ParametersPath = "/shop/bake"
	s.Parameters = func(_ context.Context, path string) (map[string]string, error) {
		if path != "/shop/bake" {
			t.Errorf("asked for %s", path)
		}
		return map[string]string{"TOKEN": "s3cr+t/value", "PATH": "/nowhere", "COMMIT": "other"}, nil
	}
	s.write(t, "opt/app/deploy/provision.sh", `echo "raw $TOKEN"
printf %s "$TOKEN" | base64
echo s3cr%2Bt%2Fvalue
printf 's3cr+t'; printf '/value\n'
[ "$TOKEN" = s3cr+t/value ] && [ "$COMMIT" = 0123abcd ]
`, 0o644)
	if result := s.run(t, t.Context()); !result.OK() {
		t.Errorf("%+v", result)
	}
	log := s.bucket.last("/log")
	if strings.Count(log, "***\n") != 4 || strings.Contains(log, "s3cr") || strings.Contains(s.out.String(), "s3cr") {
		t.Errorf("not masked:\n%s", log)
	}
	if !strings.Contains(log, "3 parameters below /shop/bake: COMMIT, PATH, TOKEN\n") ||
		!strings.Contains(log, "the parameter for PATH is ignored") {
		t.Errorf("not said:\n%s", log)
	}
}

func TestInterpreters(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text, want string
		mode       os.FileMode
	}{
		"no first line":                 {"echo plain $0", "plain", 0o644},
		"executable without first line": {"echo plain", "plain", 0o755},
		"first line, not executable":    {"#!/bin/sh -x\necho x\n", "+ echo x", 0o644},
		"first line, executable":        {"#!/bin/sh -x\necho x\n", "+ echo x", 0o755},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.write(t, "opt/app/deploy/provision.sh", test.text, test.mode)
			if result := s.run(t, t.Context()); !result.OK() || !strings.Contains(s.bucket.last("/log"), test.want) {
				t.Errorf("%+v\n%s", result, s.bucket.last("/log"))
			}
		})
	}
}

// The script ends, its child does not, and holds the output open.
func TestBackgroundProcessIsEnded(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.write(t, "opt/app/deploy/provision.sh", "sleep 1000 &\necho $! > pid\n", 0o644)
	if result := s.run(t, t.Context()); !result.OK() {
		t.Errorf("%+v", result)
	}
	if log := s.bucket.last("/log"); !strings.Contains(log, "background processes of the script were ended") {
		t.Errorf("not said:\n%s", log)
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.cfg.Deadline = time.Now().Add(500 * time.Millisecond)
	s.write(t, "opt/app/deploy/provision.sh", "trap 'echo told to end; exit 1' TERM\necho started\nwhile :; do sleep 0.05; done\n", 0o644)
	result := s.run(t, t.Context())
	if result.ExitCode != -1 || !strings.Contains(result.Reason, "deploy/provision.sh was ended after") || !strings.Contains(result.Reason, "the deadline was reached") {
		t.Errorf("%+v", result)
	}
	if log := s.bucket.last("/log"); !strings.Contains(log, "started\n") || !strings.Contains(log, "told to end\n") {
		t.Errorf("log:\n%s", log)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.Script = func(ctx context.Context, call provision.ScriptCall) (int, error) {
		cancel()
		<-ctx.Done()
		return -1, ctx.Err()
	}
	if result := s.run(t, ctx); !strings.Contains(result.Reason, "told to stop") {
		t.Errorf("%+v", result)
	}
}

// The log as a pipe sees it while the script runs, in simulated time.
func TestLogGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.Script = func(_ context.Context, call provision.ScriptCall) (int, error) {
			for _, part := range []string{"one\n", "tw", "o\n", "three"} {
				_, _ = io.WriteString(call.Out, part)
				<-time.After(10250 * time.Millisecond)
			}
			return 0, nil
		}
		started := time.Now()
		if result := s.run(t, t.Context()); !result.OK() || result.Seconds != 41 || time.Since(started) != 41*time.Second {
			t.Errorf("%+v after %s", result, time.Since(started))
		}
		puts := s.bucket.all("/log")
		if len(puts) != 3 { // after one, after two, at the end: not every 2 s
			t.Fatalf("%d uploads: %q", len(puts), puts)
		}
		for i := range puts[1:] {
			if !strings.HasPrefix(puts[i+1], puts[i]) {
				t.Errorf("upload %d does not continue %d", i+1, i)
			}
		}
		if !strings.HasSuffix(puts[0], "one\n") || !strings.HasSuffix(puts[1], "one\ntwo\n") || !strings.Contains(puts[2], "three\nboot: deploy/provision.sh ended") {
			t.Errorf("uploads: %q", puts)
		}
	})
}

func TestHugeLogIsCut(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	line := strings.Repeat("x", 1023) + "\n"
	s.Script = func(_ context.Context, call provision.ScriptCall) (int, error) {
		_, _ = io.WriteString(call.Out, "the beginning\n")
		for range 12 << 10 { // 12 MiB
			_, _ = io.WriteString(call.Out, line)
		}
		_, _ = io.WriteString(call.Out, "the end\n")
		return 1, nil
	}
	s.run(t, t.Context())
	log := s.bucket.last("/log")
	if len(log) > 8<<20 || len(log) < 7<<20 {
		t.Errorf("%d bytes", len(log))
	}
	for _, want := range []string{"the beginning\n", "the end\n", "boot: the log is cut here", "bytes are left out\n", "exit code 1"} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

func TestReportIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.Script = func(context.Context, provision.ScriptCall) (int, error) { return 0, nil }
		s.bucket.answers = []int{200, 503, 0, 500} // the log, then three bad answers for the result
		if result := s.run(t, t.Context()); !result.OK() {
			t.Errorf("%+v", result)
		}
	})
}

func TestReportIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.bucket.answers = slices.Repeat([]int{403}, 2)
	provision.Run(t.Context(), s.cfg, s.Machine)
	if s.off != 1 || !strings.Contains(s.out.String(), "cannot report the result: Forbidden CodeForbidden") {
		t.Errorf("off %d\n%s", s.off, s.out.String())
	}
	if strings.Contains(s.out.String(), "X-Amz-Signature") || strings.Contains(s.out.String(), "StringToSign") {
		t.Error("the presigned URL or its signature is on the console")
	}
}
