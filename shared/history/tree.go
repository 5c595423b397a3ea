package history

import (
	"bytes"
	"context"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Entry is a file of a commit's tree.
type Entry struct {
	Path string // from the top of the repository, with slashes
	Hash string // of its content, as git counts it
}

// Tree lists the files of a commit below a folder, links and submodules left out. A folder
// that the commit does not have is empty.
func (r *Repository) Tree(ctx context.Context, commit, dir string) ([]Entry, error) {
	listed, err := r.output(ctx, "ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit, strings.TrimSuffix(dir, "/")+"/")
	if err != nil {
		return nil, exit.Unablef("listing %s in commit %s: %w", dir, short(commit), err)
	}
	var all []Entry
	for line := range bytes.SplitSeq(listed, []byte{0}) {
		about, path, ok := strings.Cut(string(line), "\t")
		fields := strings.Fields(about)
		if ok && len(fields) == 3 && fields[1] == "blob" && fields[0] != "120000" {
			all = append(all, Entry{Path: path, Hash: fields[2]})
		}
	}
	return all, nil
}
