package check

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
	"bitbucket.org/fearless/pipes/shared/history"
	"bitbucket.org/fearless/pipes/shared/install"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// Run answers both questions.
func Run(ctx context.Context, rt *pipe.Runtime, s Settings) (pipe.Result, error) {
	if s.Action == ActionInstall {
		return install.Run(rt, Name, s.With, "MIGRATION_INSTALLED")
	}
	c := &check{rt: rt, s: &s, existing: map[int64]bool{}}
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	c.begin(ctx)
	c.result = &Result{Head: c.repo.Head, Tool: c.tool.Name(), Folder: s.Folder}
	if err := c.judge(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		c.trouble = append(c.trouble, err)
	}
	err := c.conclude()
	c.tell(ctx)
	return c.result, err
}

// check is one run of the pipe.
type check struct {
	rt       *pipe.Runtime
	s        *Settings
	repo     *history.Repository
	tool     tool.Tool
	reporter *bitbucket.Reporter
	result   *Result

	base    history.Base
	changes *history.Changes

	head, before, tip *folder.Folder // before is that of the base
	new               []folder.Migration

	program  *program // nil: we apply the migrations ourselves
	server   *server.Server
	fresh    *server.Database // the head's migrations, from nothing
	state    *server.Database // the base's, with rows; then one new migration after the other
	spare    *server.Database // as state, for the way back of the next migration; nil is none
	existing map[int64]bool   // relations of the base
	spareAt  *schema.Snapshot // of spare
	complete bool             // no row of the state has a NULL that it need not have
	empty    []string         // tables without rows, because no generated one will do
	unfilled []string         // tables that the last rows were generated for, and got none
	once     bool             // what is merged was applied once for fresh and state
	raced    bool             // two runs at once ended as they should
	broken   bool             // a migration failed, so the following ones were not tried

	atBase, atHead *schema.Snapshot // of state
	fromNothing    *schema.Snapshot // of fresh
	migrated       []rule.Migrated

	mu       sync.Mutex // guards what follows
	findings []finding.Finding
	trouble  []error // what could not be judged and should have been
}

// open finds clone, tool and folders: all that is a matter of settings.
func (c *check) open(ctx context.Context) error {
	var err error
	if c.openProgram(); c.program == nil {
		if c.tool, err = tool.New(c.s.Tool, c.s.Table); err != nil {
			return err
		}
	}
	if c.repo, err = history.Open(ctx, c.rt.CloneDir(), c.rt.World.Environ); err != nil {
		return err
	}
	for _, file := range []struct{ name, path string }{{"SCHEMA_FILE", c.s.SchemaFile}, {"SEED_FILE", c.s.SeedFile}} {
		if file.path == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(c.repo.Dir, filepath.FromSlash(file.path))); err != nil {
			return exit.Invalidf("%s: there is no file %s in the clone", file.name, file.path)
		}
	}
	if c.program == nil {
		_, err = c.headFiles()
	}
	return err
}

func (c *check) add(f finding.Finding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.findings = append(c.findings, f)
}

// notJudged counts what nobody looked at, and need not have.
func (c *check) notJudged(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.result.NotJudged = append(c.result.NotJudged, what)
}

// judge does all the work; an error means that the rest could not be judged.
func (c *check) judge(ctx context.Context) error {
	ready, forget := c.starting(ctx)
	defer forget()
	var err error
	if c.base, err = c.repo.Base(ctx, c.s.want()); err != nil {
		return err
	}
	if c.changes, err = c.repo.Changes(ctx, c.base.Commit, ""); err != nil {
		return err
	}
	c.result.Base = c.base.Commit
	if err := c.readAll(ctx, ready); err != nil {
		return err
	}
	c.result.Total, c.result.New = len(c.head.Migrations), len(c.new)
	c.rt.Console.Info("Compared with %s: %s new of %d %s", c.base.Why, count(len(c.new), "migration"), len(c.head.Migrations), c.whose())
	if err := c.integrity(ctx); err != nil {
		return err
	}
	if c.refused() {
		c.notJudged("whether the migrations work: " + c.tool.Name() + " refuses the folder")
		return nil
	}
	if c.dropsBookkeeping() {
		c.notJudged("whether the migrations work: " + c.tool.Name() + " loses its own table")
		return nil
	}
	if c.s.dialect() != statement.PostgreSQL {
		return c.elsewhere(ctx)
	}
	if err := ready(); err != nil {
		return err
	}
	if err := c.apply(ctx); err != nil {
		return err
	}
	return c.wanted(ctx)
}

// readAll fills the folders and what is new. A program needs a server to be asked.
func (c *check) readAll(ctx context.Context, ready func() error) error {
	if c.program != nil {
		if err := ready(); err != nil {
			return err
		}
		return c.readProgram(ctx)
	}
	if err := c.read(ctx); err != nil {
		return err
	}
	c.new = c.head.New(c.before)
	return nil
}

// integrity is question (b) as far as no database is needed.
func (c *check) integrity(ctx context.Context) error {
	if c.program != nil {
		return c.programIntegrity(ctx)
	}
	c.findings = append(c.findings, folder.Check(folder.Change{
		Head: c.head, Base: c.before, Tip: c.tip, Now: time.Now().UTC(), Dialect: c.s.dialect(),
		Touched: func(path string) bool { _, ok := c.changes.File(path); return ok },
		Exists: func(path string) bool {
			_, err := os.Stat(filepath.Join(c.repo.Dir, filepath.FromSlash(path)))
			return err == nil
		},
	})...)
	for _, name := range c.head.Unversioned {
		if _, touched := c.changes.File(c.head.InClone(name)); touched {
			c.notJudged(c.head.InClone(name) + ": " + c.head.Format.Name + " applies it without a version, and it is not tried here")
		}
	}
	return nil
}

// dropsBookkeeping is the part of D08 that ends the tool before anything can be seen.
func (c *check) dropsBookkeeping() bool {
	if c.program != nil {
		return false // no SQL; it fails as it does
	}
	found := false
	for _, m := range c.new {
		for _, s := range statement.Split(m.Up.Text) {
			for _, t := range s.Tokens {
				if s.Is("drop", "table") && slices.Contains(c.tool.Bookkeeping(), "public."+t.Text) {
					found = true
					c.add(rule.Find("D08").Finding(c.head.InClone(m.Up.File), s.Line, "This drops %s, in which %s keeps the version.", t.Text, c.tool.Name()))
				}
			}
		}
	}
	return found
}

// refused tells a folder that the tool does not open at all.
func (c *check) refused() bool {
	return len(c.head.Twice) > 0 || c.program != nil && c.program.refuses
}
