package history

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// steps are by how many commits a shallow clone is deepened, one after the other: most
// branches are short, and each step is one trip to the server. After them all of the
// history is fetched.
var steps = []int{100, 200, 400, 800, 1600}

// tip is one end of the search for a merge base; the other one is HEAD.
type tip struct {
	name   string // for people
	ref    string // where the clone may have it
	branch string // its branch on the server, blank when only the clone can know it
}

func branchTip(branch string) tip {
	return tip{name: branch, ref: "refs/remotes/origin/" + branch, branch: branch}
}

// merged finds the merge base of HEAD and a tip, fetching what the clone lacks.
func (r *Repository) merged(ctx context.Context, want Want, t tip) (Base, error) {
	if local := "refs/heads/" + t.branch; t.branch != "" && !r.Has(ctx, t.ref) && r.Has(ctx, local) {
		t.ref = local // outside of a pipeline, or of a clone without a server
	}
	hash, err := r.mergeBase(ctx, t.ref)
	if err == nil && hash == "" {
		hash, err = r.deepen(ctx, want, t)
	}
	if err != nil {
		return Base{}, r.unknown(want, err)
	}
	return Base{Commit: hash, Why: fmt.Sprintf("%s, where the change left %s", short(hash), t.name)}, nil
}

// mergeBase is the newest common ancestor in what the clone holds, blank when that does
// not reach far enough.
func (r *Repository) mergeBase(ctx context.Context, ref string) (string, error) {
	if !r.Has(ctx, ref) {
		return "", context.Cause(ctx)
	}
	hash, err := r.line(ctx, "merge-base", "--end-of-options", r.Head, ref)
	var failed *failure
	if errors.As(err, &failed) && failed.code == 1 {
		return "", nil
	}
	return hash, err
}

// eitherBase is the merge base with the tip, or with its branch as the server has it now:
// when that was rewritten, the commit that the pipeline was started with leads nowhere.
func (r *Repository) eitherBase(ctx context.Context, t tip) (string, error) {
	hash, err := r.mergeBase(ctx, t.ref)
	if now := branchTip(t.branch).ref; hash == "" && err == nil && t.branch != "" && now != t.ref {
		return r.mergeBase(ctx, now)
	}
	return hash, err
}

// deepen fetches the tip, then ever more of both histories.
func (r *Repository) deepen(ctx context.Context, want Want, t tip) (string, error) {
	if t.branch == "" && !r.shallow(ctx) {
		return "", fmt.Errorf("the change and %s have no commit in common", t.name)
	}
	if t.branch != "" {
		// To a clone with all of its history --depth would be an order to cut it off.
		depth := "--deepen=0"
		if r.shallow(ctx) {
			depth = "--depth=50"
		}
		if _, err := r.fetch(ctx, depth, t.spec()); err != nil {
			return "", fmt.Errorf("fetching %s: %w", t.name, err)
		}
		if hash, err := r.eitherBase(ctx, t); hash != "" || err != nil {
			return hash, err
		}
	}
	for _, n := range append(append([]int{}, steps...), 0) {
		if !r.shallow(ctx) {
			break
		}
		if err := r.more(ctx, want, t, n); err != nil {
			return "", err
		}
		if hash, err := r.eitherBase(ctx, t); hash != "" || err != nil {
			return hash, err
		}
	}
	return "", fmt.Errorf("the change and %s have no commit in common", t.name)
}

// more fetches n more commits of both sides, or with 0 everything. Only what is named
// becomes deeper, so both sides are. The change's branch may be gone from the server;
// then its commit may still be fetched, and else the destination's side alone.
func (r *Repository) more(ctx context.Context, want Want, t tip, n int) error {
	depth := fmt.Sprintf("--deepen=%d", n)
	if n == 0 {
		depth = "--unshallow"
	}
	var theirs []string
	if t.branch != "" {
		theirs = []string{t.spec()}
	}
	var ours []string
	if want.Branch != "" && want.Branch != t.branch {
		ours = append(ours, "refs/heads/"+want.Branch)
	}
	ours = append(ours, r.pushed(ctx, want))
	var last error
	for _, own := range ours {
		if _, last = r.fetch(ctx, depth, append(theirs[:len(theirs):len(theirs)], own)...); last == nil || ctx.Err() != nil {
			return last
		}
	}
	if len(theirs) > 0 {
		if _, err := r.fetch(ctx, depth, theirs[0]); err == nil {
			return nil
		}
	}
	return fmt.Errorf("fetching more of the history: %w", last)
}

// pushed is the newest commit of the change that the server can know: the merge that a
// pull request's pipeline makes was never pushed.
func (r *Repository) pushed(ctx context.Context, want Want) string {
	if want.Commit != "" {
		if hash, err := r.Commit(ctx, want.Commit); err == nil {
			return hash
		}
	}
	return r.Head
}

// spec brings a branch of the server to its usual place in the clone, whatever its
// history was rewritten to.
func (t tip) spec() string {
	return "+refs/heads/" + t.branch + ":refs/remotes/origin/" + t.branch
}

// fetch gets commits and nothing else: no tags, no submodules.
func (r *Repository) fetch(ctx context.Context, depth string, what ...string) ([]byte, error) {
	args := []string{"fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-gc", "--no-prune"}
	if depth != "--deepen=0" {
		args = append(args, depth)
	}
	args = append(args, "--end-of-options", r.remoteName(ctx))
	return r.remote(ctx, append(args, what...)...)
}

// remoteName is the clone's origin, or Bitbucket's address of the repository where a
// clone has none.
func (r *Repository) remoteName(ctx context.Context) string {
	if _, err := r.line(ctx, "config", "--get", "remote.origin.url"); err != nil && r.origin != "" {
		return r.origin
	}
	return "origin"
}

// shallow tells whether the clone's history is cut off somewhere.
func (r *Repository) shallow(ctx context.Context) bool {
	answer, err := r.line(ctx, "rev-parse", "--is-shallow-repository")
	return err == nil && answer == "true"
}

// unknown is the error of a base that cannot be found, with the line that helps.
func (r *Repository) unknown(want Want, cause error) error {
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	with := strings.TrimSpace(want.Base)
	if with == "" {
		with = "its destination"
		if want.DestinationBranch != "" {
			with = want.DestinationBranch
		}
	}
	err := exit.Unablef("the commit where this change left %s cannot be found: %w", with, cause)
	var failed *failure
	if errors.As(cause, &failed) && strings.Contains(failed.said, "couldn't find remote ref") {
		return err.Hint("there is no such branch on the server: correct BASE, or push the branch")
	}
	return depth(err)
}

// depth adds what to write into bitbucket-pipelines.yml.
func depth(err *exit.Error) error {
	return err.Hint("add this line to the step in bitbucket-pipelines.yml, so that it clones all of the history:  clone: {depth: full}")
}
