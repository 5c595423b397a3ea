package gate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"bitbucket.org/fearless/pipes/pipes/lint-gate/linter"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// onBase runs a linter on the base, in a work tree of its own. When that is not possible
// nobody can tell old findings from new ones, so it is an error.
func (g *gate) onBase(ctx context.Context, l linter.Linter) ([]finding.Finding, error) {
	dir, err := g.worktree(ctx)
	if err != nil {
		return nil, err
	}
	g.rt.Console.Info("%s has found something: looking at the base for what is old", l.Name)
	outcome, err := g.ran(ctx, l, dir)
	if err != nil {
		return outcome.Findings, exit.Unablef("old findings of %s cannot be told from new ones, because the base cannot be checked: %w", l.Name, err).
			Hint("when the base itself is broken, run this change with SCOPE: changed-lines")
	}
	return outcome.Findings, nil
}

// worktree checks the base out, once.
func (g *gate) worktree(ctx context.Context) (string, error) {
	if g.tree != "" {
		return g.tree, nil
	}
	parent, err := g.workFolder()
	if err != nil {
		return "", exit.Unablef("a folder for the base: %w", err)
	}
	dir := filepath.Join(parent, "base")
	if err := os.RemoveAll(dir); err != nil { // of a run that was killed
		return "", exit.Unablef("a folder for the base: %w", err)
	}
	remove, err := g.repo.Worktree(ctx, g.base.Commit, dir)
	if err != nil {
		return "", err
	}
	g.rt.Undo.Defer("removing the work tree of the base", remove)
	g.tree = dir
	return dir, nil
}

// workFolder is a folder outside of the clone, so that no linter takes the base for a part
// of it. It is the same one in each run, because caches of linters hold paths; a second run
// at the same time gets another one.
func (g *gate) workFolder() (string, error) {
	sum := sha256.Sum256([]byte(g.repo.Dir))
	name := filepath.Join(os.TempDir(), fmt.Sprintf("%s-%d-%s", Name, os.Geteuid(), hex.EncodeToString(sum[:6])))
	if err := os.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	if info, err := os.Lstat(name); err == nil && info.IsDir() && ours(info) {
		lock, err := os.OpenFile(filepath.Join(name, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
		if err == nil && locked(lock) {
			g.rt.Undo.Defer("removing the folder of the base", func(context.Context) error {
				return errors.Join(os.RemoveAll(name), lock.Close())
			})
			return name, nil
		}
	}
	other, err := os.MkdirTemp("", Name+"-")
	if err == nil {
		g.rt.Undo.Defer("removing the folder of the base", func(context.Context) error { return os.RemoveAll(other) })
	}
	return other, err
}

// locked takes a lock that ends with the process, and makes sure that the file it is on is
// still the one that others would find: its last owner may just have removed it.
func locked(file *os.File) bool {
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return false
	}
	mine, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(file.Name())
	return err == nil && os.SameFile(mine, there)
}

// ours tells whether we made a folder, or somebody who shares the machine.
func ours(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
