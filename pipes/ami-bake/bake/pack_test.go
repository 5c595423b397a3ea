package bake

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/clone"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// commitFiles makes a repository with the given files and returns its clone and head.
func commitFiles(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	git("add", "-A")
	git("commit", "-q", "--allow-empty", "-m", "change")
	return git("rev-parse", "HEAD")
}

func material(t *testing.T, dir, commit string, change func(*Settings)) (*Material, error) {
	t.Helper()
	agent := filepath.Join(t.TempDir(), "boot-linux-amd64")
	if err := os.WriteFile(agent, []byte("the agent"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := &Settings{Application: "shop", Commit: commit, Architecture: "x86_64", Source: []string{"."}, Provision: "deploy/provision.sh"}
	if change != nil {
		change(s)
	}
	return gather(dir, filepath.Join(filepath.Dir(agent), "ami-bake"), s)
}

var app = map[string]string{"Procfile": "web: ./web\n", "deploy/provision.sh": "#!/bin/sh\n", "a/b.txt": "b"}

func TestPackage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m, err := material(t, dir, commitFiles(t, dir, app), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pack(m, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(p.File)
	if err != nil {
		t.Fatal(err)
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(content)); sum != p.SHA256 || p.Size != int64(len(content)) {
		t.Errorf("the package says %s and %d bytes of itself; it has %s and %d", p.SHA256, p.Size, sum, len(content))
	}
	want := []string{
		"opt/fearless/boot 755 the agent",
		"opt/app/Procfile 755 web: ./web\n",
		"opt/app/a/b.txt 755 b",
		"opt/app/deploy/provision.sh 755 #!/bin/sh\n",
	}
	if diff := cmp.Diff(want, unpacked(t, p.File)); diff != "" {
		t.Error(diff)
	}
}

func unpacked(t *testing.T, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s %o %s", h.Name, h.Mode, content))
	}
}

// Two runs of the same inputs put the same bytes under the same key, whatever commit
// they work for; else one would pull the package from under the other's server.
func TestSameInputsSameBytes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := commitFiles(t, dir, app)
	second := commitFiles(t, dir, nil) // an empty commit: same tree, other time and hash
	if first == second {
		t.Fatal("the two commits are one")
	}
	var digests, packages []string
	for _, commit := range []string{first, second} {
		m, err := material(t, dir, commit, nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := pack(m, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, m.inputs(&Settings{Application: "shop"}, "ami-1", nil).Digest())
		packages = append(packages, p.SHA256)
	}
	if digests[0] != digests[1] || packages[0] != packages[1] {
		t.Errorf("digests %v, packages %v", digests, packages)
	}
}

func TestEveryInputCounts(t *testing.T) {
	t.Parallel()
	in := func() Inputs {
		return Inputs{Application: "a", Contract: 1, Architecture: "x", BaseImage: "ami-1", Boot: "b", Provision: "p", VolumeSize: 8,
			Parameters: []Parameter{{"/a/bake/t", 1}}, Files: []Content{{"f", 0o644, "git:1"}}}
	}
	same := in().Digest()
	if again := in().Digest(); again != same || len(same) != 64 {
		t.Fatalf("digests %s and %s", same, again)
	}
	for name, change := range map[string]func(*Inputs){
		"application": func(i *Inputs) { i.Application = "b" }, "contract": func(i *Inputs) { i.Contract = 2 },
		"architecture": func(i *Inputs) { i.Architecture = "y" }, "base image": func(i *Inputs) { i.BaseImage = "ami-2" },
		"boot agent": func(i *Inputs) { i.Boot = "c" }, "script": func(i *Inputs) { i.Provision = "q" },
		"volume": func(i *Inputs) { i.VolumeSize = 9 }, "parameter version": func(i *Inputs) { i.Parameters[0].Version++ },
		"new parameter": func(i *Inputs) { i.Parameters = append(i.Parameters, Parameter{"/a/bake/u", 1}) },
		"file content":  func(i *Inputs) { i.Files[0].ID = "git:2" }, "file mode": func(i *Inputs) { i.Files[0].Mode = 0o755 },
		"file name": func(i *Inputs) { i.Files[0].Path = "g" }, "file removed": func(i *Inputs) { i.Files = nil },
	} {
		changed := in()
		change(&changed)
		if changed.Digest() == same {
			t.Errorf("%s: does not change the digest", name)
		}
	}
}

func TestPackageLimit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m, err := material(t, dir, commitFiles(t, dir, map[string]string{
		"Procfile": "web: x\n", "deploy/provision.sh": "#!/bin/sh\n", "big.bin": strings.Repeat("x", 5000), "small": "s",
	}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkSize(m.Files, 10_000); err != nil {
		t.Error(err)
	}
	err = checkSize(m.Files, 4000)
	if exit.CodeOf(err) != exit.Invalid || !strings.Contains(strings.Join(exit.HintsOf(err), " "), "the largest: big.bin") {
		t.Errorf("%v %v", err, exit.HintsOf(err))
	}
}

func TestMaterialProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files  map[string]string
		change func(*Settings)
		want   string
		code   exit.Code
	}{
		"no Procfile":          {map[string]string{"deploy/provision.sh": ""}, nil, "Procfile: not in commit", exit.Invalid},
		"bad Procfile":         {map[string]string{"Procfile": "web: x\nWeb Server: y\n"}, nil, "Procfile:2:", exit.Invalid},
		"no script":            {map[string]string{"Procfile": "web: x\n"}, nil, "deploy/provision.sh: the provision script is not in commit", exit.Invalid},
		"script elsewhere":     {app, func(s *Settings) { s.Provision = "a/setup.sh" }, "a/setup.sh: the provision script", exit.Invalid},
		"script not in SOURCE": {app, func(s *Settings) { s.Source = []string{"Procfile", "a"} }, "not among the paths of SOURCE", exit.Invalid},
		"source missing":       {app, func(s *Settings) { s.Source = []string{".", "srv"} }, "srv: no such file", exit.Invalid},
		"include missing":      {app, func(s *Settings) { s.Include = []string{"dist/*.whl"} }, "dist/*.whl: matches no file", exit.Invalid},
		"commit missing":       {app, func(s *Settings) { s.Commit = strings.Repeat("0", 40) }, "is not in the clone", exit.Invalid},
		"no agent":             {app, func(s *Settings) { s.Architecture = "arm64" }, "the boot agent is missing", exit.Unable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			_, err := material(t, dir, commitFiles(t, dir, test.files), test.change)
			if err == nil || !strings.Contains(err.Error(), test.want) || exit.CodeOf(err) != test.code {
				t.Errorf("exit code %d, want %d: %v", exit.CodeOf(err), test.code, err)
			}
		})
	}
}

// A built file takes the place of the commit's own at the same path.
func TestIncludedFilesWin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	commit := commitFiles(t, dir, app)
	if err := os.WriteFile(filepath.Join(dir, "a/b.txt"), []byte("built"), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := material(t, dir, commit, func(s *Settings) { s.Include = []string{"a"} })
	if err != nil {
		t.Fatal(err)
	}
	f, ok := clone.Find(m.Files, "a/b.txt")
	if !ok || !strings.HasPrefix(f.ID, "sha256:") || len(m.Files) != 3 {
		t.Errorf("%+v in %d files", f, len(m.Files))
	}
}
