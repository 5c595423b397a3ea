// Package history reads the past of a clone: which commit a change started from, what it
// changed, and the files as they were.
//
// It calls the git command line, because nothing else can deepen a shallow clone and find
// a merge base in it. Nothing that a user, a machine or a repository configured changes
// the answers: a single line, diff.noprefix, makes other tools see no change at all.
package history

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Repository is a clone with its work tree. It is safe for concurrent use, except that two
// calls of Base may fetch the same twice.
type Repository struct {
	// Dir is the top folder of the work tree.
	Dir string
	// Head is the full hash of the commit that is checked out.
	Head string

	git     string // path of the program
	environ []string
	origin  string // BITBUCKET_GIT_HTTP_ORIGIN
	options []string
	proxy   string // what adds credentials to requests for origin, blank outside of Bitbucket
}

// Open opens the clone that dir lies in. The environment, "NAME=value", is the caller's;
// of git's own variables only those that help to sign in have an effect.
//
// A folder without a clone, and a clone without a commit, are problems of the settings.
func Open(ctx context.Context, dir string, environ []string) (*Repository, error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, exit.Unablef("git is needed to compare with the base, and was not found: %w", err).
			Hint("install git in the image of the step (apt-get install git, apk add git)")
	}
	r := &Repository{Dir: dir, git: git, environ: clean(environ), origin: value(environ, "BITBUCKET_GIT_HTTP_ORIGIN"), proxy: proxy(environ)}
	top, err := r.line(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, exit.Invalidf("%s is not a git clone: %w", dir, err).
			Hint("run the pipe in a step that clones the repository (not `clone: {enabled: false}`), in the folder of the clone")
	}
	r.Dir = filepath.Clean(top)
	r.options = r.withoutFilters(ctx)
	if r.Head, err = r.Commit(ctx, "HEAD"); err != nil {
		return nil, exit.Invalidf("the clone in %s has no commit yet: %w", r.Dir, err)
	}
	return r, nil
}

// Commit is the full hash of the commit that a name stands for: a branch, a tag, a hash or
// the start of one. When there is none the error wraps fs.ErrNotExist.
func (r *Repository) Commit(ctx context.Context, name string) (string, error) {
	hash, err := r.line(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if err != nil {
		return "", missing(fmt.Errorf("commit %s: %w", name, err), err)
	}
	return hash, nil
}

// Reported is the commit that reports to the server are about: the one that the pipeline
// names; without one, the head; none when the clone does not have it, as the merge that a
// pull request's pipeline made does not exist on the server.
func (r *Repository) Reported(ctx context.Context, named string) string {
	if commit, err := r.Commit(ctx, named); err == nil {
		return commit
	}
	if named == "" {
		return r.Head
	}
	return ""
}

// Has tells whether a name stands for a commit of the clone.
func (r *Repository) Has(ctx context.Context, name string) bool {
	_, err := r.Commit(ctx, name)
	return err == nil
}

// Parents are the hashes of a commit's parents, as far as the clone knows them.
func (r *Repository) Parents(ctx context.Context, commit string) ([]string, error) {
	text, err := r.line(ctx, "rev-list", "--parents", "--max-count=1", "--end-of-options", commit, "--")
	if err != nil {
		return nil, exit.Unablef("the parents of commit %s: %w", short(commit), err)
	}
	return strings.Fields(text)[1:], nil
}

// File is the content of a file of a commit; path is slash-separated, from the top of the
// repository. When the commit has no such file the error wraps fs.ErrNotExist.
func (r *Repository) File(ctx context.Context, commit, path string) ([]byte, error) {
	listed, err := r.output(ctx, "ls-tree", "-z", "--full-tree", "--end-of-options", commit, path)
	if err != nil {
		return nil, exit.Unablef("%s in commit %s: %w", path, short(commit), err)
	}
	// "100644 blob <hash>\t<path>", ended by a zero byte.
	about, _, _ := strings.Cut(string(listed), "\t")
	fields := strings.Fields(about)
	if len(fields) != 3 || fields[1] != "blob" {
		return nil, fmt.Errorf("%s in commit %s: %w", path, short(commit), fs.ErrNotExist)
	}
	content, err := r.output(ctx, "cat-file", "blob", fields[2])
	if err != nil {
		return nil, exit.Unablef("%s in commit %s: %w", path, short(commit), err)
	}
	return content, nil
}

// missing tells a name that does not exist from a git that does not work: for the first
// rev-parse says nothing and ends with 1, or with 128 when the name is no name at all.
func missing(err, cause error) error {
	var failed *failure
	if errors.As(cause, &failed) && failed.code > 0 {
		return fmt.Errorf("%w: %w", err, fs.ErrNotExist)
	}
	return exit.Unablef("%w", err)
}

// short is a hash as people read it, with as many digits as Bitbucket shows.
func short(hash string) string { return hash[:min(len(hash), 12)] }

// Message is what was written about a commit.
func (r *Repository) Message(ctx context.Context, commit string) (string, error) {
	text, err := r.output(ctx, "log", "-1", "--format=%B", "--end-of-options", commit)
	if err != nil {
		return "", exit.Unablef("the message of commit %s: %w", short(commit), err)
	}
	return string(text), nil
}
