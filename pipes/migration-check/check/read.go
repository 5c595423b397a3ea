package check

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's own digest of a file, not a signature
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// largestFile is more than any migration has; what is larger is not read.
const largestFile = 64 << 20

// headFiles reads the folder of the work tree. Links are left out, since they may lead
// anywhere.
func (c *check) headFiles() ([]folder.File, error) {
	root, err := os.OpenRoot(c.repo.Dir)
	if err != nil {
		return nil, exit.Unablef("%w", err)
	}
	defer root.Close()
	top := path.Clean(c.s.Folder)
	info, err := root.Stat(filepath.FromSlash(top))
	if err != nil || !info.IsDir() {
		return nil, exit.Invalidf("MIGRATIONS_PATH: there is no folder %s in the clone", top).
			Hint("Set MIGRATIONS_PATH to the folder with the migrations, from the top of the clone.")
	}
	var files []folder.File
	err = fs.WalkDir(root.FS(), top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Size() > largestFile {
			return errors.Join(err, fmt.Errorf("%s is larger than %d MB", name, largestFile>>20))
		}
		text, err := root.ReadFile(filepath.FromSlash(name))
		files = append(files, folder.File{Name: strings.TrimPrefix(name, top+"/"), Text: string(text)})
		return err
	})
	if err != nil {
		return nil, exit.Invalidf("MIGRATIONS_PATH: %w", err)
	}
	return files, nil
}

// filesOf reads the folder of a commit. Files that are the same as in the work tree are
// not asked of git, which takes 2 ms each.
func (c *check) filesOf(ctx context.Context, commit string, head []folder.File) ([]folder.File, error) {
	top := path.Clean(c.s.Folder)
	entries, err := c.repo.Tree(ctx, commit, top)
	if err != nil {
		return nil, err
	}
	byName := map[string]string{}
	for _, f := range head {
		byName[f.Name] = f.Text
	}
	var files []folder.File
	for _, e := range entries {
		name := strings.TrimPrefix(e.Path, top+"/")
		text, same := byName[name]
		if !same || digest(text, len(e.Hash)) != e.Hash {
			content, err := c.repo.File(ctx, commit, e.Path)
			if err != nil {
				return nil, err
			}
			text = string(content)
		}
		files = append(files, folder.File{Name: name, Text: text})
	}
	return files, nil
}

// digest is how git names the content of a file, in the shorter or the longer form.
func digest(text string, digits int) string {
	content := fmt.Sprintf("blob %d\x00%s", len(text), text)
	if digits == 2*sha256.Size {
		sum := sha256.Sum256([]byte(content))
		return hex.EncodeToString(sum[:])
	}
	sum := sha1.Sum([]byte(content)) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// read fills the folders of head, base and destination tip.
func (c *check) read(ctx context.Context) error {
	head, err := c.headFiles()
	if err != nil {
		return err
	}
	format := folder.GolangMigrate
	if c.s.Tool == "sql" {
		if format, err = folder.Guess(c.s.Folder, head); err != nil {
			return err
		}
	}
	c.head = folder.Read(format, c.s.Folder, head)
	if len(c.head.Migrations) == 0 && len(c.head.Ignored) > 0 {
		names := strings.Join(c.head.Ignored[:min(5, len(c.head.Ignored))], ", ")
		if more := len(c.head.Ignored) - 5; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		return exit.Invalidf("MIGRATIONS_PATH: %s sees no migration in %s, and passes over %s", c.tool.Name(), c.s.Folder, names).
			Hint("golang-migrate reads names like 1_title.up.sql and 1_title.down.sql; for other tools set TOOL.")
	}
	base, err := c.filesOf(ctx, c.base.Commit, head)
	if err != nil {
		return err
	}
	c.before = folder.Read(format, c.s.Folder, base)
	tip := c.destination(ctx)
	if tip == "" || tip == c.base.Commit {
		return nil
	}
	files, err := c.filesOf(ctx, tip, head)
	if err != nil {
		return err
	}
	c.tip = folder.Read(format, c.s.Folder, files)
	return nil
}

// destination is the tip of the branch that the change will be merged into, as far as the
// clone knows it; blank on that branch itself.
func (c *check) destination(ctx context.Context) string {
	names := []string{c.s.DestinationCommit}
	if c.s.DestinationBranch != "" {
		names = append(names, "refs/remotes/origin/"+c.s.DestinationBranch, "refs/heads/"+c.s.DestinationBranch)
	}
	if c.s.Base != "" {
		names = append(names, "refs/remotes/origin/"+c.s.Base, "refs/heads/"+c.s.Base)
	}
	for _, name := range []string{"main", "master"} {
		names = append(names, "refs/remotes/origin/"+name, "refs/heads/"+name)
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		if commit, err := c.repo.Commit(ctx, name); err == nil {
			if commit == c.repo.Head {
				return ""
			}
			return commit
		}
	}
	c.notJudged("whether the destination branch has a migration of the same version by now: its tip is not in the clone")
	return ""
}
