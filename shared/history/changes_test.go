package history_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/history"
)

const ten = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n"

func TestChanges(t *testing.T) {
	t.Parallel()
	r := repositoryAt(t)
	names := []string{"plain", "with space", "tab\tin", "ümlaut/straße", `quote"back\slash`, "*.go", "-dash"}
	for _, name := range names {
		r.write(name, ten)
	}
	r.write("old name", ten)
	r.write("crlf", strings.ReplaceAll(ten, "\n", "\r\n"))
	r.write("latin", "caf\xe9\n")
	r.write("binary", "\x00\x01")
	base := r.commit("gone", "nothing like the others\n")
	for _, name := range names {
		r.write(name, strings.Replace(ten, "three\n", "three\nnew\n", 1))
	}
	r.git("mv", "old name", "new name")
	r.write("new name", strings.Replace(ten, "ten\n", "TEN\n", 1))
	r.write("crlf", strings.ReplaceAll(ten, "\n", "\r\n")+"eleven\r\n")
	r.write("latin", "caf\xe9\nth\xe9\n")
	r.write("binary", "\x00\x02")
	r.git("rm", "--quiet", "gone")
	head := r.commit("empty", "")

	changes, err := r.open().Changes(t.Context(), base, head)
	if err != nil {
		t.Fatal(err)
	}
	want := []history.File{
		{Path: "new name", Old: "old name", Status: history.Renamed, Added: []history.Line{{10, "TEN"}}, Removed: []history.Line{{10, "ten"}}},
		{Path: "crlf", Old: "crlf", Status: history.Modified, Added: []history.Line{{11, "eleven"}}},
		{Path: "latin", Old: "latin", Status: history.Modified, Added: []history.Line{{2, "th\xe9"}}},
		{Path: "binary", Old: "binary", Status: history.Modified, Binary: true},
		{Path: "gone", Old: "gone", Status: history.Deleted},
		{Path: "empty", Status: history.Added},
	}
	for _, name := range names {
		want = append(want, history.File{Path: name, Old: name, Status: history.Modified, Added: []history.Line{{4, "new"}}})
	}
	for i := range changes.Files {
		if changes.Files[i].Status == history.Deleted {
			changes.Files[i].Removed = nil
		}
	}
	parts := cmpopts.IgnoreFields(history.File{}, "Parts")
	byPath := cmpopts.SortSlices(func(a, b history.File) bool { return a.Path < b.Path })
	if diff := cmp.Diff(want, changes.Files, byPath, parts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !changes.Touches("with space", 3, 4) || changes.Touches("with space", 1, 3) || changes.Touches("gone", 1, 10) || !changes.Touches("empty", 7, 7) {
		t.Error("touched lines")
	}
	for now, before := range map[string]string{"new name": "old name", "empty": "", "untouched": "untouched"} {
		if got := changes.Before(now); got != before {
			t.Errorf("%s was %q", now, got)
		}
	}
	if nothing, err := r.open().Changes(t.Context(), head, ""); err != nil || !nothing.Empty() {
		t.Errorf("%+v, %v", nothing, err)
	}
}

// TestHostileConfiguration: nothing that somebody configured changes the answers.
func TestHostileConfiguration(t *testing.T) {
	t.Parallel()
	r := repositoryAt(t)
	r.write(".gitattributes", "* filter=x\n")
	base := r.commit("dir/file ä", ten)
	r.commit("dir/file ä", ten+"eleven\n")
	trap := filepath.Join(t.TempDir(), "trap")
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntouch "+trap+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	hooks := filepath.Join(r.dir, ".git", "hooks", "post-checkout")
	if err := os.Symlink(script, hooks); err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"diff.noprefix": "true", "diff.mnemonicPrefix": "true", "diff.external": script, "diff.renames": "false", "diff.context": "9",
		"diff.interHunkContext": "20", "diff.relative": "true", "diff.orderFile": "none", "color.ui": "always", "core.quotePath": "true",
		"core.fsmonitor": script, "filter.x.smudge": script, "filter.x.clean": script, "filter.x.required": "true", "diff.x.textconv": script, "diff.x.command": script, "diff.submodule": "log", "core.pager": script,
		"diff.algorithm": "patience", "diff.wsErrorHighlight": "all", "diff.colorMoved": "zebra", "diff.suppressBlankEmpty": "true",
	} {
		r.git("config", key, value)
	}
	r.write(".git/info/attributes", "* diff=x\n")
	global := filepath.Join(t.TempDir(), "gitconfig")
	if err := os.WriteFile(global, []byte("[diff]\n\tnoprefix = true\n[core]\n\tautocrlf = true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	opened := r.open("GIT_CONFIG_GLOBAL="+global, "GIT_DIR=/nowhere", "GIT_WORK_TREE=/nowhere", "GIT_INDEX_FILE=/nowhere/index",
		"GIT_EXTERNAL_DIFF="+script, "GIT_DIFF_OPTS=-u9", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=diff.noprefix", "GIT_CONFIG_VALUE_0=true",
		"GIT_PAGER="+script, "LC_ALL=de_DE.UTF-8", "GIT_GLOB_PATHSPECS=1", "GIT_CEILING_DIRECTORIES="+r.dir)
	changes, err := opened.Changes(t.Context(), base, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []history.File{{Path: "dir/file ä", Old: "dir/file ä", Status: history.Modified, Added: []history.Line{{11, "eleven"}}}}
	if diff := cmp.Diff(want, changes.Files, cmpopts.IgnoreFields(history.File{}, "Parts")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	tree := filepath.Join(t.TempDir(), "base")
	remove, err := opened.Worktree(t.Context(), base, tree)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(tree, "dir", "file ä")); err != nil || string(text) != ten {
		t.Errorf("%q, %v", text, err)
	}
	if err := remove(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(trap); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a program that somebody configured was run")
	}
}

func TestWorktree(t *testing.T) {
	t.Parallel()
	r := repositoryAt(t)
	base := r.commit("a", "1")
	r.commit("a", "2")
	opened := r.open()
	dir := filepath.Join(t.TempDir(), "base")
	for range 2 { // a second run, after one that was killed
		if _, err := opened.Worktree(t.Context(), base, dir); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	remove, err := opened.Worktree(t.Context(), base, dir)
	if err != nil {
		t.Fatal(err)
	}
	// What linters leave there, and what they may not even list.
	if err := os.MkdirAll(filepath.Join(dir, "cache", "locked"), 0o500); err != nil {
		t.Fatal(err)
	}
	if err := remove(t.Context()); err != nil {
		t.Error(err)
	}
	if got := r.git("worktree", "list", "--porcelain"); strings.Count(got, "worktree ") != 1 {
		t.Errorf("left behind: %s", got)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
	if _, err := opened.Worktree(t.Context(), "nothing", dir); exit.CodeOf(err) != exit.Unable {
		t.Errorf("a commit that is not there: %v", err)
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	r := repositoryAt(t)
	first := r.commit("dir/*.go", "1")
	r.commit("dir/a.go", "2")
	opened := r.open()
	if text, err := opened.File(t.Context(), first, "dir/*.go"); err != nil || string(text) != "1" {
		t.Errorf("%q, %v", text, err)
	}
	for _, path := range []string{"dir/a.go", "dir", "none", "dir/*.g?"} {
		if _, err := opened.File(t.Context(), first, path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := opened.File(t.Context(), "0123456789abcdef0123456789abcdef01234567", "a"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no commit: %v", err)
	}
}

// TestWorkTree: what nobody has committed yet belongs to the change, but only in files that
// git knows; what a build left behind does not.
func TestWorkTree(t *testing.T) {
	t.Parallel()
	r := repositoryAt(t)
	head := r.commit("a.go", "package a\n")
	r.write("a.go", "package a\n\nvar x int\n")
	r.write("b.go", "package a\n")
	r.write("left.go", "package a\n")
	r.git("add", "b.go")
	changes, err := r.open().Changes(t.Context(), head, "")
	if err != nil || !changes.Touches("a.go", 3, 3) || !changes.Touches("b.go", 1, 1) || len(changes.Files) != 2 {
		t.Errorf("%+v, %v", changes, err)
	}
}

// TestOpen from a folder below the top, of another user's clone, and where there is none.
func TestOpen(t *testing.T) {
	t.Parallel()
	r := repositoryAt(t)
	if _, err := history.Open(t.Context(), r.dir, os.Environ()); exit.CodeOf(err) != exit.Invalid {
		t.Errorf("without a commit: %v", err)
	}
	head := r.commit("sub/a", "1")
	opened, err := history.Open(t.Context(), filepath.Join(r.dir, "sub"), os.Environ())
	if err != nil || opened.Dir != r.dir || opened.Head != head {
		t.Errorf("%+v, %v", opened, err)
	}
	_, err = history.Open(t.Context(), t.TempDir(), os.Environ())
	if exit.CodeOf(err) != exit.Invalid || !strings.Contains(err.Error(), "is not a git clone") {
		t.Errorf("no clone: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Log("only root can give the clone to somebody else: not tried")
		return
	}
	for _, path := range []string{r.dir, filepath.Join(r.dir, ".git")} {
		if err := os.Chown(path, 4711, 4711); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := history.Open(t.Context(), r.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}); err != nil {
		t.Errorf("another user's: %v", err)
	}
}
