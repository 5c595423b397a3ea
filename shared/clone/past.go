package clone

import (
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Past is what the history of a commit says of another one.
type Past struct {
	// Contains: the other commit is the commit itself or one of its ancestors.
	Contains bool
	// Messages are those of the commits since, by hash.
	Messages map[string]string
	// Cut: the clone lacks some of the history, so neither is certain.
	Cut bool
}

// Past looks for a commit (full hash) in the history of another one, which must be there.
// Clones by Bitbucket are mostly cut off after 50 commits.
func (c *Clone) Past(of, base string) (Past, error) { return past(c.store, of, base) }

func past(store storer.EncodedObjectStorer, of, base string) (Past, error) {
	p := Past{Messages: map[string]string{}}
	next, seen := []plumbing.Hash{plumbing.NewHash(of)}, map[plumbing.Hash]bool{}
	for len(next) > 0 {
		hash := next[len(next)-1]
		next = next[:len(next)-1]
		if seen[hash] {
			continue
		}
		seen[hash] = true
		if hash == plumbing.NewHash(base) {
			p.Contains = true
			continue // what lies before it cannot speak of it
		}
		commit, err := object.GetCommit(store, hash)
		switch {
		case errors.Is(err, plumbing.ErrObjectNotFound):
			p.Cut = true
			continue
		case err != nil:
			return Past{}, exit.Unablef("commit %s cannot be read from the clone: %w", hash, err)
		}
		p.Messages[hash.String()] = commit.Message
		next = append(next, commit.ParentHashes...)
	}
	if len(p.Messages) == 0 && !p.Contains {
		return Past{}, fmt.Errorf("commit %s is not in the clone", of)
	}
	return p, nil
}
