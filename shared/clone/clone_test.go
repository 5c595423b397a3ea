package clone_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/clone"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// repo is a real repository, made with the git command.
type repo struct {
	t   *testing.T
	dir string
}

func newRepo(t *testing.T) repo {
	t.Helper()
	r := repo{t: t, dir: t.TempDir()}
	r.git("init", "-q", "-b", "main")
	return r
}

func (r repo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
		"GIT_ALLOW_PROTOCOL=file")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r repo) write(name, content string, mode fs.FileMode) {
	r.t.Helper()
	file := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), mode); err != nil {
		r.t.Fatal(err)
	}
}

func (r repo) commit(message string) string {
	r.t.Helper()
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", message)
	return r.git("rev-parse", "HEAD")
}

func (r repo) open() *clone.Clone {
	r.t.Helper()
	c, err := clone.Open(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// listed renders files one a line: mode, path, content.
func listed(t *testing.T, c *clone.Clone, hash string, paths ...string) string {
	t.Helper()
	commit, err := c.Commit(hash)
	if err != nil {
		t.Fatal(err)
	}
	files, err := c.Files(commit, paths)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range files {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		if size, err := f.Size(); err != nil || size != int64(len(content)) {
			t.Errorf("%s: size %d, %v; it has %d bytes", f.Path, size, err, len(content))
		}
		fmt.Fprintf(&b, "%s %s %s\n", f.Mode, f.Path, strings.TrimSpace(string(content)))
	}
	return b.String()
}

// refused is the message and the hints of an error of the settings.
func refused(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if code := exit.CodeOf(err); code != exit.Invalid {
		t.Errorf("exit code %d, want %d: %v", code, exit.Invalid, err)
	}
	return err.Error() + "\n" + strings.Join(exit.HintsOf(err), "\n")
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

func TestFilesOfACommitNotOfTheWorkTree(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write("b/run.sh", "#!/bin/sh", 0o755)
	r.write("a.txt", "one", 0o644)
	r.write("b-file", "x", 0o644) // sorts between "b" and "b/…" in git, not in ours
	if err := os.Symlink("a.txt", filepath.Join(r.dir, "link")); err != nil {
		t.Fatal(err)
	}
	first := r.commit("first")
	r.write("a.txt", "two", 0o644)
	r.commit("second")
	r.write("a.txt", "uncommitted", 0o644)

	want := "-rw-r--r-- a.txt one\n-rw-r--r-- b-file x\n-rwxr-xr-x b/run.sh #!/bin/sh\nLrwxrwxrwx link a.txt\n"
	if diff := cmp.Diff(want, listed(t, r.open(), first, ".")); diff != "" {
		t.Error(diff)
	}
	r.git("gc", "-q") // the same out of a pack
	if diff := cmp.Diff(want, listed(t, r.open(), first, ".")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("-rwxr-xr-x b/run.sh #!/bin/sh\n", listed(t, r.open(), first, "b")); diff != "" {
		t.Error(diff)
	}
}

func TestSameTreeAsGitArchive(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write("src/main.py", "print()", 0o644)
	r.write("src/tests/test_main.py", "assert", 0o644)
	r.write("docs/guide.md", "read", 0o644)
	r.write("sub/keep.log", "k", 0o644)
	r.write("sub/drop.log", "d", 0o644)
	r.write(".gitattributes", "*.py text\ndocs export-ignore\ntests export-ignore\n*.log export-ignore diff\n", 0o644)
	r.write("sub/.gitattributes", "keep.log -export-ignore\n", 0o644)
	head := r.commit("attributes")

	tarball := filepath.Join(t.TempDir(), "b.tar")
	r.git("archive", "--format=tar", "-o", tarball, head)
	out, err := exec.CommandContext(t.Context(), "tar", "-tf", tarball).Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); !strings.HasSuffix(line, "/") {
			want = append(want, line)
		}
	}
	c := r.open()
	commit, err := c.Commit(head)
	if err != nil {
		t.Fatal(err)
	}
	files, err := c.Files(commit, []string{"."})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Path)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCommit(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write("a", "1", 0o644)
	head := r.commit("Add a\n\nBody.")
	c := r.open()
	for _, hash := range []string{head, head[:12], head[:7], strings.ToUpper(head[:13])} {
		got, err := c.Commit(hash)
		if err != nil {
			t.Errorf("%s: %v", hash, err)
		} else if got.Hash != head || got.Subject != "Add a" || got.Short() != head[:12] {
			t.Errorf("%s: %+v", hash, got)
		}
	}
	_, err := c.Commit("0123456789abcdef0123456789abcdef01234567")
	contains(t, refused(t, err), "is not in the clone", "depth: full")
	_, err = c.Commit("0123456789ab")
	contains(t, refused(t, err), "is not in the clone")
	for _, hash := range []string{"", "main", head[:6], head + "0"} {
		_, err := c.Commit(hash)
		contains(t, refused(t, err), "is not a commit hash")
	}
	tree := r.git("rev-parse", "HEAD^{tree}")
	_, err = c.Commit(tree)
	contains(t, refused(t, err), "commit "+tree)
}

func TestNotAClone(t *testing.T) {
	t.Parallel()
	_, err := clone.Open(t.TempDir())
	contains(t, refused(t, err), "is not a git clone")
}

func TestShallowClone(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write("a", "1", 0o644)
	old := r.commit("old")
	r.write("a", "2", 0o644)
	head := r.commit("new")
	shallow := repo{t: t, dir: filepath.Join(t.TempDir(), "clone")}
	r.git("clone", "-q", "--depth=1", "file://"+r.dir, shallow.dir)
	if diff := cmp.Diff("-rw-r--r-- a 2\n", listed(t, shallow.open(), head, ".")); diff != "" {
		t.Error(diff)
	}
	_, err := shallow.open().Commit(old)
	contains(t, refused(t, err), "is not in the clone", "depth: full")
}

func TestLinkedWorkTree(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write("a", "1", 0o644)
	head := r.commit("one")
	linked := repo{t: t, dir: filepath.Join(t.TempDir(), "linked")}
	r.git("worktree", "add", "-q", "--detach", linked.dir)
	if diff := cmp.Diff("-rw-r--r-- a 1\n", listed(t, linked.open(), head, ".")); diff != "" {
		t.Error(diff)
	}
}

func TestLFS(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	const content = "a large picture"
	sum := sha256.Sum256([]byte(content))
	oid := hex.EncodeToString(sum[:])
	r.write(".gitattributes", "*.png filter=lfs diff=lfs merge=lfs -text\n", 0o644)
	r.write("img/a.png", fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", oid, len(content)), 0o644)
	r.write("img/old.png", "committed before LFS", 0o644)
	head := r.commit("pictures")
	c := r.open()
	commit, err := c.Commit(head)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Files(commit, []string{"."})
	contains(t, refused(t, err), "img/a.png: a Git LFS pointer without its content (15 bytes)", "clone: {lfs: true}")

	r.write(filepath.Join(".git/lfs/objects", oid[:2], oid[2:4], oid), content, 0o644)
	want := "-rw-r--r-- img/a.png a large picture\n-rw-r--r-- img/old.png committed before LFS\n"
	if diff := cmp.Diff(want, listed(t, c, head, "img")); diff != "" {
		t.Error(diff)
	}
}

func TestSubmodules(t *testing.T) {
	t.Parallel()
	library := newRepo(t)
	library.write("lib/code.c", "int x;", 0o644)
	library.commit("library")
	r := newRepo(t)
	r.write("main.c", "main", 0o644)
	r.git("submodule", "--quiet", "add", library.dir, "vendor/library")
	head := r.commit("with library")

	want := "-rw-r--r-- main.c main\n-rw-r--r-- vendor/library/lib/code.c int x;\n"
	if diff := cmp.Diff(want, listed(t, r.open(), head, "main.c", "vendor")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("-rw-r--r-- vendor/library/lib/code.c int x;\n", listed(t, r.open(), head, "vendor/library/lib")); diff != "" {
		t.Error(diff)
	}

	bare := repo{t: t, dir: filepath.Join(t.TempDir(), "clone")}
	r.git("clone", "-q", r.dir, bare.dir)
	c := bare.open()
	commit, err := c.Commit(head)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Files(commit, []string{"."})
	contains(t, refused(t, err), "vendor/library: the submodule is not checked out", "submodule update")
	if diff := cmp.Diff("-rw-r--r-- main.c main\n", listed(t, c, head, "main.c")); diff != "" {
		t.Error(diff)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write("a", "1", 0o644)
	head := r.commit("one")
	c := r.open()
	commit, err := c.Commit(head)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Files(commit, []string{"a", "srv", "lib/x"})
	contains(t, refused(t, err), "srv: no such file or folder", "lib/x: no such file or folder")
}
