package clone

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Built lists files of the work tree, whether git tracks them or not: what earlier
// steps of the pipeline built. A pattern is a path with *, ? and [] as in the shell;
// a folder stands for all that is below it. Symbolic links are taken as links.
//
// Patterns that match nothing, or lead out of the clone, are reported in one error, a
// problem of the settings.
func (c *Clone) Built(patterns []string) ([]File, error) {
	found := map[string]File{}
	var problems []string
	for _, pattern := range patterns {
		if err := c.built(pattern, found); err != nil {
			var plain *exit.Error
			if !errors.As(err, &plain) {
				return nil, exit.Invalidf("%s cannot be read: %w", pattern, err)
			}
			problems = append(problems, err.Error())
		}
	}
	if len(problems) > 0 {
		return nil, exit.Invalidf("files to include are missing:\n  %s", strings.Join(problems, "\n  ")).
			Hint("build them in an earlier step and hand them on as its artifacts, or correct INCLUDE")
	}
	files := make([]File, 0, len(found))
	for _, f := range found {
		files = append(files, f)
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Path < files[j].Path })
	return files, nil
}

func (c *Clone) built(pattern string, found map[string]File) error {
	local := filepath.FromSlash(pattern)
	if !filepath.IsLocal(local) {
		return exit.Invalidf("%s: leads out of the clone", pattern)
	}
	matches, err := filepath.Glob(filepath.Join(escaped(c.Dir), local))
	if err != nil {
		return exit.Invalidf("%s: not a pattern: %w", pattern, err)
	}
	matched := false
	for _, match := range matches {
		if err := filepath.WalkDir(match, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() {
				if entry.Name() == ".git" {
					return filepath.SkipDir
				}
				return nil
			}
			matched = true
			return c.builtFile(name, entry, found)
		}); err != nil {
			return err
		}
	}
	if !matched {
		return exit.Invalidf("%s: matches no file", pattern)
	}
	return nil
}

// escaped protects the folder's own name from being read as a pattern.
func escaped(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func (c *Clone) builtFile(name string, entry fs.DirEntry, found map[string]File) error {
	real, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return err
	}
	top, err := filepath.EvalSymlinks(c.Dir)
	if err != nil {
		return err
	}
	relative, err := filepath.Rel(c.Dir, name)
	if err != nil {
		return err
	}
	if inner, err := filepath.Rel(top, real); err != nil || !filepath.IsLocal(inner) {
		return exit.Invalidf("%s: leads out of the clone", filepath.ToSlash(relative))
	}
	file := File{Path: filepath.ToSlash(relative), Mode: 0o644}
	switch mode := entry.Type(); {
	case mode&fs.ModeSymlink != 0:
		target, err := os.Readlink(name)
		if err != nil {
			return err
		}
		file.Mode = fs.ModeSymlink | 0o777
		file.open = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(target)), nil }
		file.size = func() (int64, error) { return int64(len(target)), nil }
	case mode.IsRegular():
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode()&0o100 != 0 {
			file.Mode = 0o755
		}
		file.open = func() (io.ReadCloser, error) { return os.Open(name) }
		file.size = func() (int64, error) { return info.Size(), nil }
	default:
		return exit.Invalidf("%s: neither a file nor a link", file.Path)
	}
	if file.ID, err = digest(file); err != nil {
		return err
	}
	found[file.Path] = file
	return nil
}

// digest names a file's content by its SHA-256.
func digest(f File) (string, error) {
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return "", fmt.Errorf("%s: %w", f.Path, err)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}
