// Package clone reads a git clone without git: commits, and the files of a commit
// as they will stand on a server.
//
// The AWS pipes run from images that hold one static binary, so there is no git
// command to call; reading the objects ourselves also means that the clone's hooks,
// filters and configuration never run anything.
package clone

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"bitbucket.org/fearless/pipes/shared/exit"
)

const (
	// objectCache bounds the memory that decoded objects may take; the library's
	// default of 96 MiB would by itself exceed what a pipe is allowed to use.
	objectCache = 8 * cache.MiByte

	// streamAbove is the size from which objects are streamed instead of held.
	streamAbove = 1 << 20

	// shortestHash is the shortest abbreviation that is accepted. Git's own minimum
	// is 4; whoever types fewer than 7 characters does not mean one commit.
	shortestHash = 7
)

// Clone is a git clone on disk.
type Clone struct {
	// Dir is the folder of the work tree.
	Dir string

	git   string // the folder that holds the objects
	store *filesystem.Storage
}

// Commit is one commit of a clone.
type Commit struct {
	// Hash is the full hash, 40 hexadecimal digits.
	Hash string
	// Subject is the first line of the message.
	Subject string
	// Time is when it was committed.
	Time time.Time

	tree *object.Tree
}

// Short is the hash as people read it: its first 12 digits, the length Bitbucket uses.
func (c Commit) Short() string { return c.Hash[:12] }

// Open opens the clone whose work tree is dir. A folder that is not a clone is a
// problem of the settings.
func Open(dir string) (*Clone, error) {
	git, err := objectsDir(dir)
	if err != nil {
		return nil, exit.Invalidf("%s is not a git clone: %w", dir, err).
			Hint("run the pipe in a step that clones the repository (not `clone: {enabled: false}`), in the folder of the clone")
	}
	root := osfs.New("/")
	store := filesystem.NewStorageWithOptions(
		osfs.New(git),
		cache.NewObjectLRU(objectCache),
		filesystem.Options{LargeObjectThreshold: streamAbove, AlternatesFS: root},
	)
	return &Clone{Dir: dir, git: git, store: store}, nil
}

// objectsDir finds the folder that holds the objects of the work tree dir: its .git
// folder, or the one that a .git file names (submodules, linked work trees).
func objectsDir(dir string) (string, error) {
	git := filepath.Join(dir, ".git")
	info, err := os.Stat(git)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		if git, err = linked(git, "gitdir:"); err != nil {
			return "", err
		}
	}
	// A linked work tree keeps its objects in the repository it was made from.
	if common, err := linked(filepath.Join(git, "commondir"), ""); err == nil {
		git = common
	}
	if _, err := os.Stat(filepath.Join(git, "objects")); err != nil {
		return "", err
	}
	return git, nil
}

// linked reads a file that holds the path of a folder, relative to itself.
func linked(file, prefix string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	target, ok := strings.CutPrefix(strings.TrimSpace(string(content)), prefix)
	if !ok {
		return "", fmt.Errorf("%s does not name a folder", file)
	}
	target = strings.TrimSpace(target)
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(file), target)
	}
	return target, nil
}

// Commit finds a commit by its full hash or by an abbreviation of it. One that is
// not there, or not the only one, is a problem of the settings.
func (c *Clone) Commit(hash string) (Commit, error) {
	full, err := c.expand(strings.ToLower(strings.TrimSpace(hash)))
	if err != nil {
		return Commit{}, err
	}
	found, err := object.GetCommit(c.store, full)
	if err != nil {
		return Commit{}, missing(hash, err)
	}
	tree, err := found.Tree()
	if err != nil {
		return Commit{}, missing(hash, err)
	}
	subject, _, _ := strings.Cut(found.Message, "\n")
	return Commit{Hash: full.String(), Subject: subject, Time: found.Committer.When.UTC(), tree: tree}, nil
}

// expand turns an abbreviation into the one full hash of a commit that it stands for.
func (c *Clone) expand(hash string) (plumbing.Hash, error) {
	if len(hash) < shortestHash || len(hash) > 40 || strings.Trim(hash, "0123456789abcdef") != "" {
		return plumbing.ZeroHash, exit.Invalidf("%q is not a commit hash", hash).
			Hint(fmt.Sprintf("give the full hash of a commit, or at least its first %d characters", shortestHash))
	}
	if len(hash) == 40 {
		return plumbing.NewHash(hash), nil
	}
	// A hash of odd length ends in half a byte: search by the whole bytes, then compare.
	prefix, err := hex.DecodeString(hash[:len(hash)&^1])
	if err != nil {
		return plumbing.ZeroHash, exit.Invalidf("%q is not a commit hash: %w", hash, err)
	}
	candidates, err := c.store.HashesWithPrefix(prefix)
	if err != nil {
		return plumbing.ZeroHash, missing(hash, err)
	}
	var commits []plumbing.Hash
	for _, candidate := range candidates {
		if !strings.HasPrefix(candidate.String(), hash) {
			continue
		}
		if _, err := object.GetCommit(c.store, candidate); err == nil {
			commits = append(commits, candidate)
		}
	}
	switch len(commits) {
	case 0:
		return plumbing.ZeroHash, missing(hash, plumbing.ErrObjectNotFound)
	case 1:
		return commits[0], nil
	}
	return plumbing.ZeroHash, exit.Invalidf("commit %s is ambiguous: %d commits start with it", hash, len(commits)).
		Hint("give the full hash")
}

func missing(hash string, cause error) error {
	if !errors.Is(cause, plumbing.ErrObjectNotFound) {
		return exit.Invalidf("commit %s cannot be read from the clone: %w", hash, cause).
			Hint("clone again; the objects in .git are damaged or of a kind this program does not read")
	}
	return exit.Invalidf("commit %s is not in the clone", hash).Hint(
		"Bitbucket clones only the last 50 commits: set `clone: {depth: full}` on the step, or run the pipeline on that commit",
		"a commit of another branch needs `git fetch origin <branch>` earlier in the step",
	)
}
