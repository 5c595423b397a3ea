package outputs_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	p := place(t)
	for _, content := range []string{"a much longer text", "short"} {
		name, err := p.File("bin/deep/tool", 0o755, text(content))
		if err != nil || name != ".fearless/bin/deep/tool" {
			t.Fatalf("%q, %v", name, err)
		}
		if got := contents(t, p.Dir, name); got != content {
			t.Errorf("%q, want %q", got, content)
		}
	}
	info, err := os.Stat(filepath.Join(p.Dir, ".fearless", "bin", "deep", "tool"))
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info, err)
	}
	broken := errors.New("full")
	if _, err := p.File("bin/deep/tool", 0o644, func(io.Writer) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if got := contents(t, p.Dir, ".fearless/bin/deep/tool"); got != "short" {
		t.Errorf("a writer that failed left %q", got)
	}
	left, err := os.ReadDir(filepath.Join(p.Dir, ".fearless", "bin", "deep"))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestFileFollowsNoLink: a commit can hold links, and a pipe runs as root.
func TestFileFollowsNoLink(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	for _, link := range []string{".fearless", ".fearless/bin", ".fearless/bin/tool"} {
		p := place(t)
		path := filepath.Join(p.Dir, filepath.FromSlash(link))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		target := outside
		if strings.HasSuffix(link, "tool") {
			target = filepath.Join(outside, "tool")
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		if _, err := p.File("bin/tool", 0o755, text("x")); err == nil {
			t.Errorf("%s: written", link)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("written outside: %v, %v", left, err)
	}
	p := place(t)
	if _, err := p.File("../../escaped", 0o644, text("x")); err == nil {
		t.Error("written outside")
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(p.Dir), "escaped")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
