package format

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// place brings a path as a tool wrote it to the form of findings: relative to
// the clone, with slashes. It fails for files outside the clone.
func (o Options) place(name string) (string, bool) {
	name = local(name)
	if drive.MatchString(name) {
		return "", false
	}
	if strings.Contains(name, `\`) && !exists(o.Dir, name) {
		name = strings.ReplaceAll(name, `\`, "/") // written on Windows
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(o.Dir, name)
	}
	for _, root := range []string{o.Root, resolved(o.Root)} {
		for _, candidate := range []string{filepath.Clean(name), resolved(name)} {
			if inside, ok := below(root, candidate); ok {
				return inside, true
			}
		}
	}
	return "", false
}

// drive begins an absolute path of Windows, which is not of this clone.
var drive = regexp.MustCompile(`^/?[A-Za-z]:[\\/]`)

// below is a path relative to a folder that it is in.
func below(folder, name string) (string, bool) {
	if folder == "" {
		return "", false
	}
	relative, err := filepath.Rel(folder, name)
	if err != nil || relative == "." || !filepath.IsLocal(relative) {
		return "", false
	}
	return path.Clean(filepath.ToSlash(relative)), true
}

// local takes a file URI for the path it means.
func local(name string) string {
	if !strings.HasPrefix(strings.ToLower(name), "file:") {
		return name
	}
	u, err := url.Parse(name)
	if err != nil || u.Path == "" {
		return name
	}
	return u.Path
}

// resolved follows symbolic links as far as the path exists.
func resolved(name string) string {
	if real, err := filepath.EvalSymlinks(name); err == nil {
		return real
	}
	folder, base := filepath.Split(filepath.Clean(name))
	if real, err := filepath.EvalSymlinks(folder); err == nil {
		return filepath.Join(real, base)
	}
	return filepath.Clean(name)
}

func exists(dir, name string) bool {
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	_, err := os.Lstat(name)
	return err == nil
}
