package history

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Status is what happened to a file.
type Status string

// What can happen to a file.
const (
	Added    Status = "added"
	Modified Status = "modified"
	Renamed  Status = "renamed" // perhaps modified as well
	Deleted  Status = "deleted"
)

// Line is a line of a file without its end.
type Line struct {
	Number int // 1-based
	Text   string
}

// File is a file that a change touches.
type File struct {
	Path   string // as it is now; for a deleted file, as it was
	Old    string // as it was; blank for an added file
	Status Status
	Binary bool

	Added   []Line // by their place in the file as it is now
	Removed []Line // by their place in the file as it was
	Parts   []Part
}

// Part is one place of a file where lines were exchanged; either side may be empty.
type Part struct{ Before, Now Lines }

// Lines are neighbours: Count lines from First on, which is 1-based.
type Lines struct{ First, Count int }

// Has tells whether a line is one of them.
func (l Lines) Has(line int) bool { return l.First <= line && line < l.First+l.Count }

// Changes are the files that differ between two states of the repository.
type Changes struct {
	Files []File // deleted ones too, ordered by path

	byPath map[string]int // of the files that are there now
	byOld  map[string]int // of the files that were there
}

// Changes compares two commits; with a blank head, a commit and the work tree, as far as
// git tracks it. Renames are followed.
func (r *Repository) Changes(ctx context.Context, base, head string) (*Changes, error) {
	args := []string{
		"diff", "--unified=0", "--inter-hunk-context=0", "--find-renames=50%", "-l5000", "--no-color", "--no-ext-diff", "--no-textconv",
		"--no-relative", "--src-prefix=a/", "--dst-prefix=b/", "--full-index", "--submodule=short", "--ignore-submodules=none",
		"--diff-algorithm=histogram", "-O/dev/null", "--end-of-options", base,
	}
	if head != "" {
		args = append(args, head)
	}
	c := &Changes{byPath: map[string]int{}, byOld: map[string]int{}}
	if err := r.parse(ctx, c, append(args, "--")); err != nil {
		return nil, exit.Unablef("what changed since %s: %w", short(base), err)
	}
	return c, nil
}

// parse reads the diff while git writes it: the text of a large one is never held as a whole.
func (r *Repository) parse(ctx context.Context, c *Changes, args []string) error {
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := r.stream(ctx, write, args...)
		_ = write.CloseWithError(err)
		done <- err
	}()
	files, _, err := gitdiff.Parse(read)
	_ = read.CloseWithError(io.ErrClosedPipe)
	// A reader that gave up makes git fail too; the reader's reason is the better one.
	if ran := <-done; err == nil {
		err = ran
	}
	if err != nil {
		return err
	}
	for _, f := range files {
		c.add(convert(f))
	}
	return nil
}

func convert(f *gitdiff.File) File {
	file := File{Path: f.NewName, Old: f.OldName, Status: Modified, Binary: f.IsBinary}
	switch {
	case f.IsNew:
		file.Status, file.Old = Added, ""
	case f.IsDelete:
		file.Status, file.Path = Deleted, f.OldName
	case f.IsRename:
		file.Status = Renamed
	}
	for _, part := range f.TextFragments {
		before, now := int(part.OldPosition), int(part.NewPosition)
		file.Parts = append(file.Parts, Part{Lines{before, int(part.OldLines)}, Lines{now, int(part.NewLines)}})
		for _, line := range part.Lines {
			text := strings.TrimRight(line.Line, "\r\n")
			switch line.Op {
			case gitdiff.OpAdd:
				file.Added = append(file.Added, Line{now, text})
				now++
			case gitdiff.OpDelete:
				file.Removed = append(file.Removed, Line{before, text})
				before++
			case gitdiff.OpContext:
				before++
				now++
			}
		}
	}
	return file
}

func (c *Changes) add(f File) {
	if f.Status != Deleted {
		c.byPath[f.Path] = len(c.Files)
	}
	if f.Old != "" {
		c.byOld[f.Old] = len(c.Files)
	}
	c.Files = append(c.Files, f)
}

// Empty tells that nothing differs.
func (c *Changes) Empty() bool { return len(c.Files) == 0 }

// File is what happened to a file that is there now.
func (c *Changes) File(path string) (File, bool) {
	i, found := c.byPath[path]
	if !found {
		return File{}, false
	}
	return c.Files[i], true
}

// Before is the path that a file of now had at the base; blank when it was not there.
func (c *Changes) Before(path string) string {
	if f, found := c.File(path); found {
		return f.Old
	}
	return path
}

// Touches tells whether a line from first to last (1-based, inclusive) of a file is one
// that the change wrote. All of an added file is.
func (c *Changes) Touches(path string, first, last int) bool {
	f, found := c.File(path)
	if !found {
		return false
	}
	if f.Status == Added {
		return true
	}
	return slices.ContainsFunc(f.Parts, func(p Part) bool {
		return p.Now.Count > 0 && first < p.Now.First+p.Now.Count && p.Now.First <= last
	})
}

// TakesAway tells whether the change removed or rewrote a line of a file at the base.
func (c *Changes) TakesAway(old string, line int) bool {
	i, found := c.byOld[old]
	return found && slices.ContainsFunc(c.Files[i].Parts, func(p Part) bool { return p.Before.Has(line) })
}
