package clone

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// deepest bounds the folders and submodules that are followed into each other.
const deepest = 256

// File is one file of a commit.
type File struct {
	// Path is relative to the top of the repository, with slashes.
	Path string
	// Mode is 0644, 0755, or 0777 with fs.ModeSymlink; git knows no others.
	Mode fs.FileMode
	// ID names the content: "git:" and the blob's hash, or "lfs:" and the SHA-256
	// of what the pointer stands for. Same ID, same bytes.
	ID string

	open func() (io.ReadCloser, error)
	size func() (int64, error)
}

// Open opens the file's content; for a symbolic link that is its target.
func (f File) Open() (io.ReadCloser, error) { return f.open() }

// Size is the number of bytes that Open gives. It is asked of git only when needed:
// a repository of many files is listed without looking into each.
func (f File) Size() (int64, error) { return f.size() }

// Files lists the files of a commit that stand at or below the given paths ("." is
// all of them), sorted by path, without what .gitattributes marks export-ignore.
//
// Content that git keeps elsewhere is resolved, never left out in silence: files in
// Git LFS come from the clone's LFS store and submodules from their checked-out
// clones. All that is missing, and each path that matches nothing, is reported in
// one error, a problem of the settings.
func (c *Clone) Files(commit Commit, paths []string) ([]File, error) {
	l := &listing{clone: c, paths: cleaned(paths)}
	if err := l.commit(commit); err != nil {
		return nil, err
	}
	for _, p := range l.paths {
		if !slices.ContainsFunc(l.files, func(f File) bool { return below(f.Path, p) }) {
			l.problemf("%s: no such file or folder in commit %s", p, commit.Short())
		}
	}
	if len(l.problems) > 0 {
		return nil, exit.Invalidf("the source of commit %s is not complete:\n  %s",
			commit.Short(), strings.Join(l.problems, "\n  ")).Hint(l.hints...)
	}
	sort.Slice(l.files, func(i, j int) bool { return l.files[i].Path < l.files[j].Path })
	return l.files, nil
}

// Find returns the file at a path.
func Find(files []File, name string) (File, bool) {
	i, found := slices.BinarySearchFunc(files, path.Clean(name), func(f File, name string) int {
		return strings.Compare(f.Path, name)
	})
	if !found {
		return File{}, false
	}
	return files[i], true
}

// cleaned brings paths to the form in which they are compared: "." for everything.
func cleaned(paths []string) []string {
	var clean []string
	for _, p := range paths {
		clean = append(clean, path.Clean(strings.TrimPrefix(p, "/")))
	}
	return clean
}

// below reports whether name is p or stands in the folder p.
func below(name, p string) bool {
	return p == "." || name == p || strings.HasPrefix(name, p+"/")
}

// listing collects the files of one commit and everything that is wrong with them.
type listing struct {
	clone *Clone
	paths []string
	depth int

	files    []File
	problems []string
	hints    []string
	attrs    attributes
}

func (l *listing) problemf(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

func (l *listing) hint(text string) {
	if !slices.Contains(l.hints, text) {
		l.hints = append(l.hints, text)
	}
}

func (l *listing) commit(commit Commit) error {
	if err := l.tree(commit.tree, ""); err != nil {
		return exit.Invalidf("the files of commit %s cannot be read: %w", commit.Short(), err).
			Hint("clone the repository completely: without --filter, and again if .git is damaged")
	}
	return nil
}

// tree walks one folder. Attributes of a folder hold for what is below it, so they
// are read before the entries.
func (l *listing) tree(tree *object.Tree, dir string) error {
	if strings.Count(dir, "/") > deepest {
		return fmt.Errorf("%s: more than %d folders in each other", dir, deepest)
	}
	if err := l.attrs.read(tree, dir); err != nil {
		return err
	}
	for _, entry := range tree.Entries {
		name := path.Join(dir, entry.Name)
		if !safe(entry.Name) {
			return fmt.Errorf("%q is a file name that does not belong into a tree", name)
		}
		if l.attrs.ignored(name) || !l.wanted(name, entry.Mode) {
			continue
		}
		if err := l.entry(tree, entry, name); err != nil {
			return err
		}
	}
	return nil
}

// safe refuses names with which an archive could write outside its folder.
func safe(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00") &&
		!strings.EqualFold(name, ".git")
}

// wanted reports whether an entry is, contains, or is contained in one of the paths.
func (l *listing) wanted(name string, mode filemode.FileMode) bool {
	folder := mode == filemode.Dir || mode == filemode.Submodule
	return slices.ContainsFunc(l.paths, func(p string) bool {
		return below(name, p) || folder && below(p, name)
	})
}

func (l *listing) entry(tree *object.Tree, entry object.TreeEntry, name string) error {
	switch entry.Mode {
	case filemode.Dir:
		sub, err := object.GetTree(l.clone.store, entry.Hash)
		if err != nil {
			return fmt.Errorf("folder %s: %w", name, err)
		}
		return l.tree(sub, name)
	case filemode.Submodule:
		return l.submodule(entry.Hash, name)
	}
	file := File{
		Path: name, Mode: fileMode(entry.Mode), ID: "git:" + entry.Hash.String(),
		open: func() (io.ReadCloser, error) { return l.clone.blob(entry.Hash) },
		size: func() (int64, error) { return l.clone.store.EncodedObjectSize(entry.Hash) },
	}
	if l.attrs.lfs(name) {
		return l.lfs(file)
	}
	l.files = append(l.files, file)
	return nil
}

func fileMode(mode filemode.FileMode) fs.FileMode {
	switch mode {
	case filemode.Executable:
		return 0o755
	case filemode.Symlink:
		return fs.ModeSymlink | 0o777
	}
	return 0o644
}

func (c *Clone) blob(hash plumbing.Hash) (io.ReadCloser, error) {
	blob, err := object.GetBlob(c.store, hash)
	if err != nil {
		return nil, err
	}
	return blob.Reader()
}

// submodule lists the files of a submodule at the commit that the tree names. The
// commit counts, not what happens to be checked out.
func (l *listing) submodule(hash plumbing.Hash, name string) error {
	const hint = "check submodules out before this pipe runs: `git submodule update --init --recursive` in the step"
	sub, err := Open(filepath.Join(l.clone.Dir, filepath.FromSlash(name)))
	if err != nil {
		l.problemf("%s: the submodule is not checked out", name)
		l.hint(hint)
		return nil
	}
	commit, err := sub.Commit(hash.String())
	if err != nil {
		l.problemf("%s: the submodule's clone lacks commit %s", name, hash.String()[:12])
		l.hint(hint)
		return nil
	}
	if l.depth >= deepest {
		return fmt.Errorf("%s: more than %d submodules in each other", name, deepest)
	}
	inner := &listing{clone: sub, depth: l.depth + 1, paths: inside(l.paths, name)}
	if err := inner.commit(commit); err != nil {
		return err
	}
	for _, f := range inner.files {
		f.Path = path.Join(name, f.Path)
		l.files = append(l.files, f)
	}
	for _, p := range inner.problems {
		l.problems = append(l.problems, name+"/"+p)
	}
	for _, h := range inner.hints {
		l.hint(h)
	}
	return nil
}

// inside turns paths of the outer repository into those of the submodule at name.
func inside(paths []string, name string) []string {
	var inner []string
	for _, p := range paths {
		if below(name, p) {
			return []string{"."}
		}
		if rest, ok := strings.CutPrefix(p, name+"/"); ok {
			inner = append(inner, rest)
		}
	}
	return inner
}

// lfs replaces a pointer by the content it stands for.
func (l *listing) lfs(pointer File) error {
	p, ok, err := readPointer(pointer)
	if err != nil {
		return fmt.Errorf("%s: %w", pointer.Path, err)
	}
	if !ok { // committed before the file was tracked by LFS: an ordinary file
		l.files = append(l.files, pointer)
		return nil
	}
	content := filepath.Join(l.clone.git, "lfs", "objects", p.oid[:2], p.oid[2:4], p.oid)
	info, err := os.Stat(content)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() != p.size {
		l.problemf("%s: a Git LFS pointer without its content (%d bytes)", pointer.Path, p.size)
		l.hint("fetch LFS content: `clone: {lfs: true}` on the step, or `git lfs pull` before the pipe")
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", pointer.Path, err)
	}
	l.files = append(l.files, File{
		Path: pointer.Path, Mode: pointer.Mode, ID: "lfs:" + p.oid,
		open: func() (io.ReadCloser, error) { return os.Open(content) },
		size: func() (int64, error) { return p.size, nil },
	})
	return nil
}
