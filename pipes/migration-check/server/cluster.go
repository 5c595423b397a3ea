package server

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"bitbucket.org/fearless/pipes/pipes/migration-check/scratch"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// Prepared is a cluster as initdb leaves it, in a tar file beside the folder of the
// binaries that made it: initdb takes half a second or more, unpacking a tenth of that.
// The pipe's image has one. Without it each run makes its own.
const Prepared = "cluster.tar"

// cluster makes the folder of the data.
func cluster(ctx context.Context, bin string, p *scratch.Process) error {
	file, err := os.Open(filepath.Join(filepath.Dir(bin), Prepared))
	if errors.Is(err, fs.ErrNotExist) {
		return initialize(ctx, bin, p)
	}
	if err != nil {
		return exit.Unablef("making the scratch PostgreSQL's cluster: %w", err)
	}
	defer file.Close()
	if err := unpack(ctx, file, data(p), p.User()); err != nil {
		return noSpace(exit.Unablef("making the scratch PostgreSQL's cluster from %s: %w", file.Name(), err), err.Error())
	}
	return nil
}

// initialize is initdb without what only a cluster that is kept needs.
func initialize(ctx context.Context, bin string, p *scratch.Process) error {
	out, err := p.Run(ctx, filepath.Join(bin, "initdb"), "-D", data(p), "-U", superuser,
		"-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions", "--wal-segsize=1")
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		failed := exit.Unablef("making the scratch PostgreSQL's cluster: initdb: %w: %s", err, scratch.LastLines(out))
		if bytes.Contains(out, []byte("could not look up effective user ID")) {
			failed = failed.Hint("The container runs under a user id without an entry in /etc/passwd, which PostgreSQL needs. Run it as root (it drops to an unprivileged user by itself), or set SCRATCH_DATABASE_URL.")
		}
		return noSpace(failed, string(out))
	}
	return nil
}

// Prepare makes a cluster with the binaries of a folder, and writes it as a tar file.
func Prepare(ctx context.Context, bin string, to io.Writer) (err error) {
	bin, err = Binaries(bin)
	if err != nil {
		return err
	}
	stack := &undo.Stack{}
	defer func() { err = errors.Join(err, stack.Run(ctx, err != nil, nil)) }()
	p, err := place("", stack)
	if err != nil {
		return err
	}
	if err := initialize(ctx, bin, p); err != nil {
		return err
	}
	packed := tar.NewWriter(to)
	if err := errors.Join(packed.AddFS(os.DirFS(data(p))), packed.Close()); err != nil {
		return exit.Unablef("preparing a cluster: %w", err)
	}
	return nil
}

// unpack writes the files of a prepared cluster into a new folder, which belongs to whom
// the server runs as: it refuses one that others may read.
func unpack(ctx context.Context, from io.Reader, to string, who *syscall.Credential) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer root.Close()
	own := func(name string) error {
		if who == nil {
			return nil
		}
		return root.Lchown(name, int(who.Uid), int(who.Gid))
	}
	if err := own("."); err != nil {
		return err
	}
	files, buffer := tar.NewReader(from), make([]byte, 64<<10)
	for ctx.Err() == nil {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch header.Typeflag {
		case tar.TypeDir:
			err = root.Mkdir(header.Name, 0o700)
		case tar.TypeReg:
			err = write(root, header.Name, files, buffer)
		default:
			err = fmt.Errorf("%s is neither a file nor a folder", header.Name)
		}
		if err == nil {
			err = own(header.Name)
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

func write(root *os.Root, name string, from io.Reader, buffer []byte) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{file}, from, buffer) // a file would use a buffer of its own
	return errors.Join(err, file.Close())
}

// noSpace adds what to do about a full disk.
func noSpace(failed *exit.Error, said string) error {
	if strings.Contains(strings.ToLower(said), "no space left on device") {
		return failed.Hint("The disk of the step is full: the check needs about 100 MB.")
	}
	return failed
}
