package process

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// digestPath stands for the disk's path in what is digested, so that equal
// disks of different servers and clouds have equal names.
const digestPath = "/MACHINE_ROOT"

// copying copies a tree; times and permissions are kept, set-user-id bits are
// not. Sockets are left out: they are dead without their process.
type copying struct {
	from, to string
	old, new string    // a path inside of files and links, and what to write for it
	owner    *user     // whom the copy belongs to
	digest   hash.Hash // nil: not wanted
}

func (c *copying) run() error { return c.entry("") }

// entry copies one file, or a folder with all in it in the order of names.
func (c *copying) entry(name string) error {
	from, to := filepath.Join(c.from, name), filepath.Join(c.to, name)
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	var sum []byte
	switch mode := info.Mode(); mode.Type() {
	case fs.ModeDir:
		return c.folder(name, from, to, info)
	case fs.ModeSymlink:
		return c.link(name, from, to)
	case fs.ModeSocket:
		return nil
	case fs.ModeNamedPipe:
		err = unix.Mkfifo(to, 0o600)
	case 0:
		sum, err = c.file(from, to)
	default:
		err = fmt.Errorf("%s: a %v cannot be copied", name, mode.Type())
	}
	if err != nil {
		return err
	}
	c.note(info.Mode(), name, sum)
	return c.finish(to, info)
}

func (c *copying) folder(name, from, to string, info fs.FileInfo) error {
	// Writable while it is filled; finish gives it its own mode.
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	c.note(info.Mode(), name, nil)
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := c.entry(filepath.Join(name, entry.Name())); err != nil {
			return err
		}
	}
	return c.finish(to, info)
}

func (c *copying) link(name, from, to string) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(strings.ReplaceAll(target, c.old, digestPath)))
	c.note(fs.ModeSymlink, name, sum[:])
	if err := os.Symlink(strings.ReplaceAll(target, c.old, c.new), to); err != nil {
		return err
	}
	return c.owner.own(to)
}

// file copies bytes, exchanging the disk's path, and digests them on the way.
func (c *copying) file(from, to string) (sum []byte, err error) {
	source, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	defer func() { _ = source.Close() }()
	digest := sha256.New()
	digested := newReplacer(digest, c.old, digestPath)
	err = writing(to, 0o600, func(target *os.File) error {
		moved := newReplacer(target, c.old, c.new)
		writers := []io.Writer{moved}
		if c.digest != nil {
			writers = append(writers, digested)
		}
		_, err := io.Copy(io.MultiWriter(writers...), source)
		return errors.Join(err, moved.flush(), digested.flush())
	})
	return digest.Sum(nil), err
}

// note adds an entry to the digest. Names are quoted, so no name can look like
// the rest of a line.
func (c *copying) note(mode fs.FileMode, name string, sum []byte) {
	if c.digest == nil {
		return
	}
	perm := mode.Perm()
	if mode.Type() == fs.ModeSymlink {
		perm = 0 // differs between systems, and means nothing
	}
	fmt.Fprintf(c.digest, "%v %04o %q %x\n", mode.Type(), perm, filepath.ToSlash(name), sum)
}

func (c *copying) finish(to string, info fs.FileInfo) error {
	return errors.Join(
		c.owner.own(to),
		os.Chmod(to, info.Mode().Perm()),
		os.Chtimes(to, info.ModTime(), info.ModTime()),
	)
}

// removeTree removes a tree even when guests made folders read-only, as the Go
// module cache does.
func removeTree(path string) error {
	if err := os.RemoveAll(path); err == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(name, 0o700) // what stays locked is reported below
		}
		return nil
	})
	return os.RemoveAll(path)
}
