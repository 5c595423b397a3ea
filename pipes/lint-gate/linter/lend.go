package linter

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// installed are the folders with what a project depends on, which git does not
// track: a worktree of the base has none.
var installed = []string{"node_modules", ".venv", "venv"}

// lend makes the worktree of the base one that a linter can work in as it does
// in the clone: with what is installed there, and with the same configuration.
func (r *run) lend(ctx context.Context) error {
	if err := r.lendInstalled(); err != nil {
		return exit.Unablef("what is installed in the clone cannot be lent to the worktree of the base: %w", err)
	}
	mine, err := listed(ctx, r.Job, r.Clone)
	if err != nil {
		return err
	}
	patterns := r.linter.configuration()
	names := slices.Concat(mine, r.files.names)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !matches(path.Base(name), patterns) {
			continue
		}
		if err := r.lendFile(name); err != nil {
			return exit.Unablef("the configuration %s cannot be lent to the worktree of the base: %w", name, err)
		}
	}
	return nil
}

// lendInstalled links the folders with dependencies: at the top, and beside each
// package.json.
func (r *run) lendInstalled() error {
	folders := []string{"."}
	for _, name := range r.files.matching("package.json") {
		folders = append(folders, path.Dir(name))
	}
	for _, folder := range folders {
		for _, name := range installed {
			from, to := filepath.Join(r.Clone, folder, name), filepath.Join(r.Dir, folder, name)
			if _, err := os.Stat(from); err != nil {
				continue
			}
			if err := os.Symlink(from, to); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
	}
	return nil
}

// lendFile gives the base the clone's version of a file, or takes away what the
// clone does not have. Findings in such a file are of the change, not of the base.
func (r *run) lendFile(name string) error {
	from, to := filepath.Join(r.Clone, filepath.FromSlash(name)), filepath.Join(r.Dir, filepath.FromSlash(name))
	wanted, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		r.files.lent[name] = true
		if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err != nil {
		return err
	}
	if have, err := os.ReadFile(to); err == nil && bytes.Equal(have, wanted) {
		return nil
	}
	if _, err := os.Stat(filepath.Dir(to)); err != nil {
		return nil // a folder that the change has added: there is nothing to check by it
	}
	r.files.lent[name] = true
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) { // it may be a link
		return err
	}
	return os.WriteFile(to, wanted, 0o600)
}

// configuration are the patterns of the files in which a linter is configured.
// A command may be any of them.
func (l Linter) configuration() []string {
	switch {
	case l.Name == Golangci:
		return golangciConfiguration
	case l.preset != nil:
		return l.preset.configuration
	}
	all := []string{"biome.json", "biome.jsonc", ".oxlintrc.json", ".markdownlint*", ".rubocop.yml", ".squawk.toml", "phpstan.neon*", ".sqlfluff"}
	for _, p := range presets() {
		all = append(all, p.configuration...)
	}
	return append(all, golangciConfiguration...)
}
