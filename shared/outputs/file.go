package outputs

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// File writes a further file into .fearless, for example a report that other programs read,
// and returns its path from the top of the clone. The name may have folders, with slashes.
// Readers see the old file or the new one, whole.
func (p Place) File(name string, mode fs.FileMode, write func(io.Writer) error) (string, error) {
	dir, err := openFolder(p.Dir)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	full := path.Join(folder, name)
	if err := dir.file(name, mode, write); err != nil {
		return "", fmt.Errorf("writing %s: %w", full, err)
	}
	return full, nil
}

func (d *directory) file(name string, mode fs.FileMode, write func(io.Writer) error) error {
	if err := d.folders(path.Dir(name)); err != nil {
		return err
	}
	if err := d.plain(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A name of its own: another run may write the same file at this moment.
	temporary := name + "." + rand.Text() + ".new"
	file, err := d.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	err = errors.Join(write(file), file.Chmod(mode), file.Close())
	if err == nil {
		d.own(temporary)
		err = d.root.Rename(temporary, name)
	}
	if err != nil {
		_ = d.root.Remove(temporary)
	}
	return err
}

// folders makes the folders of a file; a link in the place of one is refused, since it
// could lead to any other folder.
func (d *directory) folders(name string) error {
	if name == "." {
		return nil
	}
	if err := d.folders(path.Dir(name)); err != nil {
		return err
	}
	if err := d.root.Mkdir(name, 0o755); err == nil {
		d.own(name)
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, err := d.root.Lstat(name); err != nil || !info.IsDir() {
		return fmt.Errorf("%s: %w", path.Join(folder, name), errors.Join(err, errSymlink))
	}
	return nil
}
