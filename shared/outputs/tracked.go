package outputs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/index"
)

// isTracked tells whether a file of the outputs, or the folder itself as a link or a
// submodule, is in git's index. A folder without git tracks nothing.
//
// The index is read, not git asked: an image need not have git, and git
// refuses a clone of another user. Letters' case is ignored, because some
// file systems do so.
func isTracked(clone, name string) (bool, error) {
	file, err := os.Open(indexPath(clone))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }()
	var idx index.Index
	if err := index.NewDecoder(file).Decode(&idx); err != nil {
		return false, err
	}
	for _, entry := range idx.Entries {
		if strings.EqualFold(entry.Name, folder) || strings.EqualFold(entry.Name, folder+"/"+name) {
			return true, nil
		}
	}
	return false, nil
}

// indexPath finds the index; in a work tree .git is a file that names the
// real folder.
func indexPath(clone string) string {
	git := filepath.Join(clone, ".git")
	if text, err := os.ReadFile(git); err == nil {
		if dir, found := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: "); found {
			if git = dir; !filepath.IsAbs(dir) {
				git = filepath.Join(clone, dir)
			}
		}
	}
	return filepath.Join(git, "index")
}
