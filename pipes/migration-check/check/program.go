package check

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// program is a check whose migrations are applied by a program of the project's. The
// program is asked what there is; the base is asked in a work tree of its own.
type program struct {
	tool    *tool.Program
	probe   *server.Database // empty, for questions
	root    string           // of the head
	old     string           // of the base; "" when there is no such project yet
	listing *tool.Listing
	was     *tool.Listing
	refuses bool // the tool does, to apply what there is
}

// openProgram finds out whether the tool is a program.
func (c *check) openProgram() {
	t := tool.NewProgram(tool.Options{
		Tool: c.s.Tool, Program: c.s.Program, Folder: path.Clean(c.s.Folder), Table: c.s.Table,
		Commands: tool.Commands{List: c.s.List, Up: c.s.Up, Down: c.s.Down},
	})
	if t == nil {
		return
	}
	t.Shell = tool.Shell{Environ: c.rt.World.Environ, Log: func(name, text string) { c.rt.Console.Debug("$ %s\n%s", name, strings.TrimRight(text, "\n")) }}
	c.program = &program{tool: t}
	c.tool = t
}

// whose migrations are counted.
func (c *check) whose() string {
	if c.program != nil {
		return "that " + c.tool.Name() + " knows"
	}
	return "in " + c.s.Folder
}

// acceptance is how a comment that accepts a finding is written.
func (c *check) acceptance() string {
	sign := "--"
	if c.program != nil {
		sign = c.program.tool.Traits().Comment
	}
	return strings.TrimSpace(sign + " fearless:accept <rule> until=<date> <reason>")
}

// readProgram asks the tool about base and head. Where the base's migrations show that
// one was taken away, that is said even when the head does not work for it.
func (c *check) readProgram(ctx context.Context) error {
	p := c.program
	p.root, p.tool.Clone = c.repo.Dir, c.repo.Dir
	if c.s.SchemaFile == "" && c.s.SchemaCommand == "" && c.s.CheckCommand == "" {
		c.s.SchemaFile = p.tool.Dump(p.root)
	}
	var err error
	if p.probe, err = c.server.Create(ctx, "probe"); err != nil {
		return err
	}
	if err := p.tool.Check(ctx, p.probe, p.root); err != nil {
		if c.readBase(ctx) == nil {
			c.taken() // which may be why
		}
		return err
	}
	if err := c.readBase(ctx); err != nil {
		return err
	}
	if p.listing, err = p.tool.List(ctx, p.probe, p.root); err != nil {
		c.taken()
		return err
	}
	c.head = p.listing.Folder(c.tool.Name(), p.root)
	c.before = p.was.Folder(c.tool.Name(), p.old)
	if len(c.head.Migrations) == 0 {
		c.notJudged("migrations: " + c.tool.Name() + " knows none")
	}
	for _, m := range c.head.New(c.before) {
		if one, ok := p.listing.Find(m.Version.String()); !ok || !p.stands(one) {
			c.new = append(c.new, m)
		}
	}
	return nil
}

// readBase lists the base's migrations, in a work tree that is gone afterwards.
func (c *check) readBase(ctx context.Context) error {
	p := c.program
	p.was = &tool.Listing{}
	parent, err := os.MkdirTemp("", "fearless-base-")
	if err != nil {
		return exit.Unablef("%w", err)
	}
	c.rt.Undo.Defer("removing the folder of the base's work tree", func(context.Context) error { return os.RemoveAll(parent) })
	dir := filepath.Join(parent, "base")
	remove, err := c.repo.Worktree(ctx, c.base.Commit, dir)
	if err != nil {
		return err
	}
	c.rt.Undo.Defer("removing the base's work tree", remove)
	listing, err := p.tool.List(ctx, p.probe, dir)
	if err == nil {
		p.was, p.old = listing, dir
		return nil
	}
	if there := c.anyOfHead(ctx, dir); there || ctx.Err() != nil {
		return fmt.Errorf("at the base: %w", err)
	}
	c.rt.Console.Info("the base has no migrations of %s", c.tool.Name())
	return nil
}

// anyOfHead tells whether the base has a folder that the head keeps migrations in.
func (c *check) anyOfHead(ctx context.Context, dir string) bool {
	listing, err := c.program.tool.List(ctx, c.program.probe, c.program.root)
	if err != nil {
		return true
	}
	for _, m := range listing.Migrations {
		if m.External {
			continue
		}
		if entries, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(path.Dir(m.File)))); err == nil && len(entries) > 0 {
			return true
		}
	}
	return false
}
