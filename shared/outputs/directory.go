package outputs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// largest is the most that is read of a file; 100 KB is Bitbucket's own limit
// for output variables.
const largest = 1 << 20

// errSymlink refuses a link where we write: a commit could make us write to
// any file of the container.
var errSymlink = errors.New("is a symbolic link or no plain file")

// directory is .fearless, open, so that it cannot be exchanged under us.
type directory struct {
	root     *os.Root
	uid, gid int
}

// openFolder makes .fearless if need be, with a .gitignore that keeps it out
// of commits, and opens it.
func openFolder(clone string) (*directory, error) {
	info, err := os.Stat(clone)
	if err != nil {
		return nil, fmt.Errorf("the clone: %w", err)
	}
	d := &directory{uid: -1, gid: -1}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		d.uid, d.gid = int(owner.Uid), int(owner.Gid)
	}
	name := filepath.Join(clone, folder)
	if err := os.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making the folder for outputs: %w", err)
	}
	if info, err := os.Lstat(name); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s: %w", folder, errors.Join(err, errSymlink))
	}
	if d.root, err = os.OpenRoot(name); err != nil {
		return nil, fmt.Errorf("opening the folder for outputs: %w", err)
	}
	d.own(".")
	if _, err := d.root.Lstat(".gitignore"); errors.Is(err, fs.ErrNotExist) {
		if err := d.write(".gitignore", []byte("*\n")); err != nil {
			d.Close()
			return nil, err
		}
	}
	return d, nil
}

// Close closes the folder.
func (d *directory) Close() { _ = d.root.Close() }

// own gives a file to the owner of the clone. Pipes run as root, and a later
// step that does not could not clean up after them. Only root may do so; for
// others the file is theirs anyway.
func (d *directory) own(name string) {
	if d.uid >= 0 && os.Geteuid() == 0 {
		_ = d.root.Lchown(name, d.uid, d.gid)
	}
}

// read reads a plain file of bounded size.
func (d *directory) read(name string) ([]byte, error) {
	if err := d.plain(name); err != nil {
		return nil, err
	}
	file, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, largest+1))
	if err == nil && len(text) > largest {
		err = fmt.Errorf("%s is larger than %d bytes", name, largest)
	}
	return text, err
}

// write replaces a file at once: readers see the old one or the new one.
func (d *directory) write(name string, text []byte) error {
	err := d.file(name, 0o644, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return fmt.Errorf("writing %s: %w", path.Join(folder, name), err)
	}
	return nil
}

// plain refuses everything that is not a file with contents of its own.
func (d *directory) plain(name string) error {
	info, err := d.root.Lstat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s %w", path.Join(folder, name), errSymlink)
	}
	return nil
}
