package bake_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/boot/provision"
	"bitbucket.org/fearless/pipes/pipes/ami-bake/bake"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// quick has the phases of AWS in a fraction of its minutes: what happens is the same,
// and there are fewer polls to put a fault on.
var quick = localcloud.Timing{
	Pending: 6 * time.Second, ImagePending: 12 * time.Second, Stopping: 3 * time.Second,
	Terminating: 5 * time.Second, HiddenReads: 2,
}

// lab is an account in simulated time, a clone to bake, and the build servers' part of
// the play: the boot agent's own code around a script that is a Go function. Make it
// inside a synctest bubble.
type lab struct {
	t     *testing.T
	cloud *localcloud.Cloud
	clone string
	disks string

	// script plays the provision script; the default takes 8 s and succeeds.
	script func(ctx context.Context, call provision.ScriptCall) (int, error)
	// silent servers power off before they have done anything.
	silent bool
}

func newLab(t *testing.T, timing localcloud.Timing) *lab {
	t.Helper()
	l := &lab{t: t, disks: t.TempDir()}
	l.clone = l.copyClone()
	l.script = func(ctx context.Context, call provision.ScriptCall) (int, error) {
		for i := range 4 {
			fmt.Fprintf(call.Out, "step %d\n", i+1)
			if !sleep(ctx, 2*time.Second) {
				return -1, ctx.Err()
			}
		}
		return 0, nil
	}
	var err error
	if l.cloud, err = localcloud.New(localcloud.Options{Timing: timing, Machines: simulated.New(l.guest)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// copyClone gives a pipeline a clone of its own.
func (l *lab) copyClone() string {
	l.t.Helper()
	dir := l.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(sample(l.t).dir)); err != nil {
		l.t.Fatal(err)
	}
	return dir
}

// sleep waits in simulated time; false: the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// sampleRepo is a clone with two commits of the same tree and one that changes it,
// made once with the git command, outside of any bubble.
type sampleRepo struct {
	dir                   string
	first, again, changed string
	executable            string
}

var sample = func() func(*testing.T) sampleRepo {
	var once sync.Once
	var repo sampleRepo
	return func(t *testing.T) sampleRepo {
		once.Do(func() { repo = makeSample(t) })
		if repo.changed == "" {
			t.Fatal("the sample repository could not be made")
		}
		return repo
	}
}()

func makeSample(t *testing.T) sampleRepo {
	dir, err := os.MkdirTemp("", "sample-") //nolint:usetesting // outlives the test that happens to be first; TestMain removes it
	if err != nil {
		t.Fatal(err)
	}
	removeLater = append(removeLater, dir)
	clone := filepath.Join(dir, "clone")
	git := func(args ...string) string {
		cmd := exec.CommandContext(context.Background(), "git", append([]string{"-C", clone, "-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...) //nolint:usetesting // see above
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write := func(name, content string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("clone/Procfile", "web: ./web\nworker: ./worker\nrelease: ./migrate\n")
	write("clone/deploy/provision.sh", "#!/bin/sh\nexit 0\n")
	write("clone/main.go", "package main\n")
	write("bin/boot-linux-amd64", "the boot agent")
	git("init", "-q", "--template=") // no sample hooks: the clone is copied a thousand times
	git("add", "-A")
	git("commit", "-q", "-m", "First")
	repo := sampleRepo{dir: clone, first: git("rev-parse", "HEAD"), executable: filepath.Join(dir, "bin", "ami-bake")}
	git("commit", "-q", "--allow-empty", "-m", "Same tree")
	repo.again = git("rev-parse", "HEAD")
	write("clone/main.go", "package main // changed\n")
	git("commit", "-q", "-a", "-m", "Change")
	repo.changed = git("rev-parse", "HEAD")
	return repo
}

var (
	removeLater []string
	said        []string // figures to be seen without -v
)

func TestMain(m *testing.M) {
	code := m.Run()
	for _, line := range said {
		fmt.Println(line)
	}
	for _, dir := range removeLater {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// outcome is one run of the pipe.
type outcome struct {
	code  exit.Code
	log   string
	calls []fault.Call
}

// run runs the whole pipe, from its variables to its exit code.
func (l *lab) run(plan fault.Plan, variables ...string) outcome {
	return l.runUntil(nil, plan, variables...)
}

// runUntil is run with a channel that plays SIGTERM.
func (l *lab) runUntil(interrupt <-chan struct{}, plan fault.Plan, variables ...string) outcome {
	repo := sample(l.t)
	transport := &fault.Transport{Next: l.cloud.Transport(), Plan: plan}
	var log safeBuffer
	w := pipe.World{
		Environ: append([]string{
			"APPLICATION=shop", "COMMIT=" + repo.first, "BITBUCKET_PIPELINE_UUID={lab}",
			"AWS_ENDPOINT_URL=http://cloud.local", "AWS_DEFAULT_REGION=us-east-1",
			"AWS_ACCESS_KEY_ID=AKIALAB0000000000000", "AWS_SECRET_ACCESS_KEY=a-secret-of-the-lab",
		}, variables...),
		Dir: l.clone, Out: &log, Interrupt: interrupt, Transport: transport, Executable: repo.executable,
	}
	code := pipe.Pipe[bake.Settings]{Name: bake.Name, Run: bake.Run}.Main(w)
	return outcome{code: exit.Code(code), log: log.String(), calls: transport.Log()}
}

// safeBuffer takes lines from the pipe and its signal handler.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

var (
	instructionLine = regexp.MustCompile(`(?s)END-OF-INSTRUCTIONS'\n(.*?)\nEND-OF-INSTRUCTIONS`)
	packageLine     = regexp.MustCompile(`(?m)^fetch '([^']+)'`)
	digestLine      = regexp.MustCompile(`(?m)^echo "([0-9a-f]{64}) `)
)

// guest is a build server: what the shell script of the user data does, done in Go,
// and then the boot agent itself.
func (l *lab) guest(ctx context.Context, b machine.Boot) {
	if l.silent {
		fmt.Fprintln(b.Console, "kernel: the disk is on fire")
		return
	}
	disk, err := os.MkdirTemp(l.disks, "disk-")
	if err != nil {
		fmt.Fprintln(b.Console, err)
		return
	}
	data := string(b.UserData)
	cfg, err := contract.ParseProvisioning([]byte(match(instructionLine, data)))
	if err == nil {
		err = unpack(ctx, b.Transport, match(packageLine, data), match(digestLine, data), disk)
	}
	if err != nil {
		fmt.Fprintln(b.Console, "user data:", err)
		return
	}
	provision.Run(ctx, cfg, provision.Machine{
		Root: disk, HTTP: b.Transport, Out: b.Console, Script: l.script,
		Parameters: func(context.Context, string) (map[string]string, error) {
			return map[string]string{"REGISTRY_TOKEN": "s3cret-of-the-registry"}, nil
		},
		PowerOff: func() {}, // returning is
	})
}

func match(r *regexp.Regexp, text string) string {
	if m := r.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// unpack fetches, checks and unpacks a package as the user data's script does.
func unpack(ctx context.Context, transport http.RoundTripper, url, digest, disk string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(body)); response.StatusCode != http.StatusOK || got != digest {
		return fmt.Errorf("package: status %s, digest %s, want %s", response.Status, got, digest)
	}
	zip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return err
	}
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return err
		}
		file := filepath.Join(disk, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, fs.FileMode(h.Mode)); err != nil { //nolint:gosec // a tar header's mode
			return err
		}
	}
}

// available are the images that can be used.
func (l *lab) available() []string {
	var ids []string
	for _, img := range l.cloud.Images() {
		if img.State == "available" {
			ids = append(ids, img.ID)
		}
	}
	return ids
}

// checkOneImage holds the account against what a bake may leave: one image with its
// snapshot, answering for the commit and for its inputs, and nothing else.
func (l *lab) checkOneImage(what string) {
	l.t.Helper()
	if ids := l.available(); len(ids) != 1 || len(l.cloud.Images()) != 1 || len(l.cloud.Snapshots()) != 1 {
		l.t.Errorf("%s: images %v of %d, %d snapshots; want one of each", what, ids, len(l.cloud.Images()), len(l.cloud.Snapshots()))
	}
	l.checkNothingElse(what)
	index := l.cloud.Objects(l.cloud.Bucket())
	if _, ok := index["images/shop/"+sample(l.t).first+".json"]; !ok || len(index) != 2 {
		l.t.Errorf("%s: the index holds %d objects, and the commit's: %v", what, len(index), ok)
	}
}

// checkNothingElse makes sure that nothing temporary is left.
func (l *lab) checkNothingElse(what string) {
	l.t.Helper()
	if left := l.cloud.Leftovers("image ami-", "snapshot snap-", "/images/shop/"); len(left) > 0 {
		l.t.Errorf("%s: left behind:\n  %s", what, strings.Join(left, "\n  "))
	}
	for _, img := range l.cloud.Images() {
		if img.State != "available" {
			l.t.Errorf("%s: image %s is %s", what, img.ID, img.State)
		}
	}
	packages, err := filepath.Glob(filepath.Join(l.clone, ".fearless", "package-*"))
	if err != nil || len(packages) > 0 {
		l.t.Errorf("%s: packages left in the clone: %v %v", what, packages, err)
	}
}
