package history

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Want is what is known about the change whose base is looked for. All of it may be blank.
type Want struct {
	// Base is a branch, commit or tag that somebody named; it goes before everything else.
	Base string

	PullRequest       bool
	DestinationBranch string // BITBUCKET_PR_DESTINATION_BRANCH
	// DestinationCommit is BITBUCKET_PR_DESTINATION_COMMIT: the tip of the destination,
	// not the merge base, and often only its first 12 digits.
	DestinationCommit string
	Branch            string // BITBUCKET_BRANCH: the branch of the change
	Commit            string // BITBUCKET_COMMIT: its tip, often only its first 12 digits
}

// Base is the commit that a change started from.
type Base struct {
	Commit string // full hash; equal to the head's when nothing has changed
	Why    string // how it was found, to be read behind "compared with"
	First  bool   // the change is the first commit: Commit is a tree without files
}

// Base finds the commit that the checked-out change is to be compared with. Where the clone
// does not reach far enough it is deepened, as little as is needed.
//
// That is the destination's side of the merge that a pull request's pipeline made; else
// the merge base with the destination, the named base or the main branch; and on the main
// branch itself the commit before.
func (r *Repository) Base(ctx context.Context, want Want) (Base, error) {
	if want.Base != "" {
		return r.named(ctx, want)
	}
	if want.PullRequest || want.DestinationBranch != "" || want.DestinationCommit != "" {
		return r.ofPullRequest(ctx, want)
	}
	return r.ofBranch(ctx, want)
}

// named compares with what somebody asked for: a commit of the clone, a branch, or else whatever git takes for a commit
// there, such as a tag or HEAD~2.
func (r *Repository) named(ctx context.Context, want Want) (Base, error) {
	if looksLikeHash(want.Base) && r.Has(ctx, want.Base) {
		return r.merged(ctx, want, tip{name: "commit " + short(want.Base), ref: want.Base})
	}
	branch := branchTip(strings.TrimPrefix(want.Base, "origin/"))
	isBranch := !strings.ContainsAny(want.Base, "~^:") && (r.Has(ctx, branch.ref) || r.Has(ctx, "refs/heads/"+branch.branch))
	if !isBranch && r.Has(ctx, want.Base) {
		return r.merged(ctx, want, tip{name: want.Base, ref: want.Base})
	}
	return r.merged(ctx, want, branch)
}

// ofPullRequest understands the three shapes of HEAD in a pull request's pipeline: the
// source itself, the destination itself, or a merge of the two, of which nobody promises
// the order of the parents.
func (r *Repository) ofPullRequest(ctx context.Context, want Want) (Base, error) {
	parents, err := r.Parents(ctx, r.Head)
	if err != nil {
		return Base{}, err
	}
	// A source that is a merge of its own is not the merge we look for.
	if len(parents) == 2 && !same(r.Head, want.Commit) {
		for i, parent := range parents {
			if same(parent, want.DestinationCommit) || same(parents[1-i], want.Commit) {
				return Base{Commit: parent, Why: fmt.Sprintf("%s at %s, which the pipeline merged the change with", destination(want), short(parent))}, nil
			}
		}
	}
	if want.DestinationBranch == "" {
		if !r.Has(ctx, want.DestinationCommit) {
			return Base{}, r.unknown(want, fmt.Errorf("commit %s: %w", want.DestinationCommit, fs.ErrNotExist))
		}
		return r.merged(ctx, want, tip{name: destination(want), ref: want.DestinationCommit})
	}
	t := branchTip(want.DestinationBranch)
	if want.DestinationCommit != "" && r.Has(ctx, want.DestinationCommit) {
		// What the pull request was tested against; the branch may have moved on, or
		// somebody may have rewritten it.
		t.ref = want.DestinationCommit
	}
	return r.merged(ctx, want, t)
}

// destination is the pull request's destination for people.
func destination(want Want) string {
	if want.DestinationBranch != "" {
		return want.DestinationBranch
	}
	return "the destination"
}

// ofBranch compares a branch with the main branch, and the main branch with its past.
func (r *Repository) ofBranch(ctx context.Context, want Want) (Base, error) {
	main, err := r.mainBranch(ctx)
	if err != nil {
		return Base{}, err
	}
	if want.Branch == main {
		return r.before(ctx, want, main)
	}
	base, err := r.merged(ctx, want, branchTip(main))
	if err == nil && base.Commit == r.Head && want.Branch == "" {
		// A tag, a commit checked out by hand: it lies on the main branch.
		return r.before(ctx, want, main)
	}
	return base, err
}

// before is the state of the main branch before its newest commit: with a merge, that is
// all that the merge brought.
func (r *Repository) before(ctx context.Context, want Want, main string) (Base, error) {
	parents, err := r.Parents(ctx, r.Head)
	if err == nil && len(parents) == 0 && r.shallow(ctx) {
		if err = r.more(ctx, want, branchTip(main), 1); err == nil {
			parents, err = r.Parents(ctx, r.Head)
		}
		if err == nil && len(parents) == 0 {
			err = errors.New("the clone ends there")
		}
		if err != nil {
			return Base{}, depth(exit.Unablef("the commit before %s: %w", short(r.Head), err))
		}
	}
	if err != nil {
		return Base{}, err
	}
	if len(parents) == 0 {
		empty, err := r.emptyTree(ctx)
		return Base{Commit: empty, Why: "nothing: this is the first commit", First: true}, err
	}
	return Base{Commit: parents[0], Why: fmt.Sprintf("%s, the commit before on %s", short(parents[0]), main)}, nil
}

// emptyTree is the hash of a tree without files, written so that it can be named.
func (r *Repository) emptyTree(ctx context.Context) (string, error) {
	hash, err := r.line(ctx, "hash-object", "-t", "tree", "-w", "/dev/null")
	if err != nil {
		return "", exit.Unablef("comparing the first commit: %w", err)
	}
	return hash, nil
}

// mainBranch asks the clone, then the server, for the name of the main branch.
func (r *Repository) mainBranch(ctx context.Context) (string, error) {
	if ref, err := r.line(ctx, "symbolic-ref", "--quiet", "refs/remotes/origin/HEAD"); err == nil {
		return strings.TrimPrefix(ref, "refs/remotes/origin/"), nil
	}
	out, asked := r.remote(ctx, "ls-remote", "--symref", "--end-of-options", r.remoteName(ctx), "HEAD")
	if ref, found := strings.CutPrefix(string(out), "ref: refs/heads/"); asked == nil && found {
		name, _, _ := strings.Cut(ref, "\t")
		return name, nil
	}
	for _, name := range []string{"main", "master"} {
		if r.Has(ctx, "refs/remotes/origin/"+name) || r.Has(ctx, "refs/heads/"+name) {
			return name, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return "", context.Cause(ctx)
	}
	return "", exit.Unablef("which branch this change is for is not known: the server did not say which one is the main branch: %w", errors.Join(asked)).
		Hint("set BASE to the name of the branch, for example `BASE: main`")
}

// same compares a full hash with one that may be shortened or missing.
func same(full, other string) bool {
	return len(other) >= 7 && strings.HasPrefix(full, strings.ToLower(other))
}

// looksLikeHash tells the start of a hash from the name of a branch.
func looksLikeHash(name string) bool {
	return len(name) >= 7 && len(name) <= 40 && strings.Trim(name, "0123456789abcdefABCDEF") == ""
}
