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
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// quick has the phases of AWS in a fraction of its minutes: what happens is the same,
// and there are fewer polls to put a fault on.
var quick = localcloud.Timing{
	Pending: 6 * time.Second, ImagePending: 12 * time.Second, Stopping: 3 * time.Second,
	Terminating: 5 * time.Second, HiddenReads: 2,
}

// place is an account in simulated time, a clone to bake, and the build servers' part of
// the play: the boot agent's own code around a script that is a Go function. Make it
// inside a synctest bubble.
type place struct {
	*lab.Lab
	disks string

	// script plays the provision script; the default takes 8 s and succeeds.
	script func(ctx context.Context, call provision.ScriptCall) (int, error)
	// silent servers power off before they have done anything.
	silent bool
}

func newPlace(t *testing.T, timing localcloud.Timing) *place {
	t.Helper()
	l := &place{Lab: lab.Bare(t, lab.Tempo{Timing: timing}), disks: t.TempDir()}
	l.Clone, l.Builds = l.copyClone(), l.guest
	l.script = func(ctx context.Context, call provision.ScriptCall) (int, error) {
		for i := range 4 {
			fmt.Fprintf(call.Out, "step %d\n", i+1)
			if !lab.Sleep(ctx, 2*time.Second) {
				return -1, ctx.Err()
			}
		}
		return 0, nil
	}
	return l
}

// copyClone gives a pipeline a clone of its own.
func (l *place) copyClone() string {
	l.T.Helper()
	dir := l.T.TempDir()
	if err := os.CopyFS(dir, os.DirFS(sample(l.T).dir)); err != nil {
		l.T.Fatal(err)
	}
	return dir
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

var removeLater []string

func TestMain(m *testing.M) {
	code := lab.Main(m)
	for _, dir := range removeLater {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// role is that of account.yml for the pipe.
const role = "fearless-" + lab.Application + "-ami-bake"

// run runs the whole pipe, from its variables to its exit code.
func (l *place) run(plan fault.Plan, variables ...string) lab.Outcome {
	return l.runUntil(nil, plan, variables...)
}

// runUntil is run with a channel that plays SIGTERM.
func (l *place) runUntil(interrupt <-chan struct{}, plan fault.Plan, variables ...string) lab.Outcome {
	repo := sample(l.T)
	main := func(w pipe.World) int {
		w.Executable = repo.executable
		return pipe.Pipe[bake.Settings]{Name: bake.Name, Run: bake.Run}.Main(w)
	}
	usual := []string{"COMMIT=" + repo.first, "BITBUCKET_PIPELINE_UUID={lab}", "TIMEOUT="}
	return l.Run(main, interrupt, plan, append(usual, variables...)...).Within(l.T, role)
}

var (
	instructionLine = regexp.MustCompile(`(?s)END-OF-INSTRUCTIONS'\n(.*?)\nEND-OF-INSTRUCTIONS`)
	packageLine     = regexp.MustCompile(`(?m)^fetch '([^']+)'`)
	digestLine      = regexp.MustCompile(`(?m)^echo "([0-9a-f]{64}) `)
)

// guest is a build server: what the shell script of the user data does, done in Go,
// and then the boot agent itself.
func (l *place) guest(ctx context.Context, b machine.Boot) {
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
func (l *place) available() []string {
	var ids []string
	for _, img := range l.Cloud.Images() {
		if img.State == "available" {
			ids = append(ids, img.ID)
		}
	}
	return ids
}

// checkOneImage holds the account against what a bake may leave: one image with its
// snapshot, answering for the commit and for its inputs, and nothing else.
func (l *place) checkOneImage(what string) {
	l.T.Helper()
	if ids := l.available(); len(ids) != 1 || len(l.Cloud.Images()) != 1 || len(l.Cloud.Snapshots()) != 1 {
		l.T.Errorf("%s: images %v of %d, %d snapshots; want one of each", what, ids, len(l.Cloud.Images()), len(l.Cloud.Snapshots()))
	}
	l.checkNothingElse(what)
	index := l.Cloud.Objects(l.Cloud.Bucket())
	if _, ok := index["images/shop/"+sample(l.T).first+".json"]; !ok || len(index) != 2 {
		l.T.Errorf("%s: the index holds %d objects, and the commit's: %v", what, len(index), ok)
	}
}

// checkNothingElse makes sure that nothing temporary is left.
func (l *place) checkNothingElse(what string) {
	l.T.Helper()
	if left := l.Cloud.Leftovers("image ami-", "snapshot snap-", "/images/shop/"); len(left) > 0 {
		l.T.Errorf("%s: left behind:\n  %s", what, strings.Join(left, "\n  "))
	}
	for _, img := range l.Cloud.Images() {
		if img.State != "available" {
			l.T.Errorf("%s: image %s is %s", what, img.ID, img.State)
		}
	}
	packages, err := filepath.Glob(filepath.Join(l.Clone, ".fearless", "package-*"))
	if err != nil || len(packages) > 0 {
		l.T.Errorf("%s: packages left in the clone: %v %v", what, packages, err)
	}
}
