package bake

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/clone"
	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// packed is the time on every file of a package. Runs of different commits with the
// same inputs must write the same bytes; and 1980 is the earliest that zip, and so
// Python's wheels, can write.
var packed = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Package is the file that a build server unpacks at the root of its disk.
type Package struct {
	File   string
	SHA256 string
	Size   int64 // bytes, compressed
}

// pack writes the material into a compressed tar file in dir.
func pack(m *Material, dir string) (p *Package, err error) {
	f, err := os.CreateTemp(dir, "package-*.tar.gz")
	if err != nil {
		return nil, exit.Unablef("the package cannot be written: %w", err)
	}
	defer func() {
		if closing := f.Close(); err == nil && closing != nil {
			err = exit.Unablef("the package cannot be written: %w", closing)
		}
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	sum := sha256.New()
	// Most of a package is source text or is compressed already: the fastest level
	// costs some percent of size and saves most of the time.
	zip, err := gzip.NewWriterLevel(io.MultiWriter(f, sum), gzip.BestSpeed)
	if err != nil {
		return nil, exit.Unablef("the package cannot be written: %w", err)
	}
	archive := tar.NewWriter(zip)
	if err := addAgent(archive, m.Boot); err != nil {
		return nil, err
	}
	for _, file := range m.Files {
		if err := addFile(archive, file); err != nil {
			return nil, err
		}
	}
	for _, closer := range []io.Closer{archive, zip} {
		if err := closer.Close(); err != nil {
			return nil, exit.Unablef("the package cannot be written: %w", err)
		}
	}
	info, err := f.Stat()
	if err != nil {
		return nil, exit.Unablef("the package cannot be written: %w", err)
	}
	return &Package{File: f.Name(), SHA256: hexSum(sum), Size: info.Size()}, nil
}

// addAgent writes the boot agent to where the images have it.
func addAgent(archive *tar.Writer, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return exit.Unablef("the boot agent cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return exit.Unablef("the boot agent cannot be read: %w", err)
	}
	return add(archive, header(contract.Agent, 0o755, info.Size()), f)
}

// addFile writes one of the user's files to its place under APP_ROOT.
func addFile(archive *tar.Writer, file clone.File) error {
	size, err := file.Size()
	if err != nil {
		return exit.Invalidf("%s cannot be read from the clone: %w", file.Path, err)
	}
	r, err := file.Open()
	if err != nil {
		return exit.Invalidf("%s cannot be read from the clone: %w", file.Path, err)
	}
	defer func() { _ = r.Close() }()
	h := header(path.Join(contract.AppRoot, file.Path), file.Mode, size)
	if file.Mode&fs.ModeSymlink == 0 {
		return add(archive, h, r)
	}
	target, err := io.ReadAll(r)
	if err != nil {
		return exit.Invalidf("%s cannot be read from the clone: %w", file.Path, err)
	}
	h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, string(target), 0
	return add(archive, h, strings.NewReader(""))
}

func header(name string, mode fs.FileMode, size int64) *tar.Header {
	return &tar.Header{
		Name: strings.TrimPrefix(name, "/"), Mode: int64(mode.Perm()), ModTime: packed,
		Size: size, Typeflag: tar.TypeReg, Format: tar.FormatPAX,
	}
}

func add(archive *tar.Writer, h *tar.Header, content io.Reader) error {
	if err := archive.WriteHeader(h); err != nil {
		return exit.Unablef("%s cannot be packed: %w", h.Name, err)
	}
	if _, err := io.Copy(archive, content); err != nil {
		return exit.Unablef("%s cannot be packed: %w", h.Name, err)
	}
	return nil
}

// checkSize holds the user's files to a limit and, when they are over it, names the
// largest ones.
func checkSize(files []clone.File, limit int64) error {
	type sized struct {
		path string
		size int64
	}
	var total int64
	all := make([]sized, 0, len(files))
	for _, f := range files {
		size, err := f.Size()
		if err != nil {
			return exit.Invalidf("%s cannot be read from the clone: %w", f.Path, err)
		}
		total += size
		all = append(all, sized{f.Path, size})
	}
	if total <= limit {
		return nil
	}
	slices.SortFunc(all, func(a, b sized) int { return cmp.Compare(b.size, a.size) })
	var largest []string
	for _, f := range all[:min(5, len(all))] {
		largest = append(largest, fmt.Sprintf("%s (%s)", f.path, console.Bytes(f.size)))
	}
	return exit.Invalidf("the files of the image have %s, more than PACKAGE_LIMIT allows (%s)",
		console.Bytes(total), console.Bytes(limit)).Hint(
		"the largest: "+strings.Join(largest, ", "),
		"leave files out with SOURCE or export-ignore in .gitattributes, or raise PACKAGE_LIMIT",
	)
}
