package history

import (
	"context"
	"errors"
	"fmt"
	"os"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Worktree checks a commit out into a folder of its own, which must not exist yet, and
// returns what removes it again; that must be called on every path, with a context that
// has not ended. Submodules are not checked out.
func (r *Repository) Worktree(ctx context.Context, commit, dir string) (remove func(context.Context) error, err error) {
	remove = func(ctx context.Context) error { return r.removeWorktree(ctx, dir) }
	// What a killed run left registered under the same folder would stop us.
	_, err = r.output(ctx, "worktree", "prune", "--expire=now")
	if err == nil {
		_, err = r.output(ctx, "worktree", "add", "--quiet", "--force", "--detach", "--no-guess-remote", dir, commit)
	}
	if err != nil {
		// git takes back what it began, but not when it is killed.
		cleaned := r.removeWorktree(context.WithoutCancel(ctx), dir)
		return nil, exit.Unablef("checking out commit %s beside the clone: %w", short(commit), errors.Join(err, cleaned)).
			Hint("the pipe must be able to write into the clone's .git folder and needs room for a second copy of the work tree")
	}
	return remove, nil
}

// removeWorktree removes the folder and git's record of it, in whatever state they are.
func (r *Repository) removeWorktree(ctx context.Context, dir string) error {
	// Ours to remove, whatever linters left in it; git would look at each file first.
	err := os.RemoveAll(dir)
	if _, pruned := r.output(ctx, "worktree", "prune", "--expire=now"); pruned != nil {
		err = errors.Join(err, fmt.Errorf("forgetting the work tree: %w", pruned))
	}
	return err
}
