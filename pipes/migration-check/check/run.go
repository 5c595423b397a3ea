package check

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	two      *server.Database // the base's, without rows, for two runners
	spare    *server.Database // as state, for the way back of the next migration; nil is none
	existing map[int64]bool   // relations of the base
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
	var err error
	if c.base, err = c.repo.Base(ctx, c.s.want()); err != nil {
		return err
	}
	if c.changes, err = c.repo.Changes(ctx, c.base.Commit, ""); err != nil {
		return err
	}
	c.result.Base = c.base.Commit
	if err := c.readAll(ctx); err != nil {
		return err
	}
	c.result.Total = len(c.head.Migrations)
	c.rt.Console.Info("Compared with %s: %s new of %d in %s", c.base.Why, count(len(c.new), "migration"), len(c.head.Migrations), c.s.Folder)
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
	if c.program == nil {
		if err := c.start(ctx); err != nil {
			return err
		}
	}
	if err := c.apply(ctx); err != nil {
		return err
	}
	return c.wanted(ctx)
}

// readAll fills the folders and what is new. A program needs a server to be asked.
func (c *check) readAll(ctx context.Context) error {
	if c.program != nil {
		if err := c.start(ctx); err != nil {
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
	return len(c.head.Twice) > 0 || c.program != nil && len(c.program.listing.Conflicts) > 0
}

// start runs the scratch server.
func (c *check) start(ctx context.Context) error {
	options := server.Options{
		Binaries: c.s.Binaries, Statement: c.s.Statement.Std(), Disk: int64(c.s.Disk),
		Extensions: c.s.Extensions, Roles: c.s.Roles,
	}
	began := time.Now()
	var err error
	if c.s.Scratch != "" {
		c.server, err = server.Attach(ctx, c.s.Scratch, options, c.rt.Undo)
	} else {
		c.server, err = server.Start(ctx, options, c.rt.Undo)
	}
	if err != nil {
		return err
	}
	c.result.Server = c.server.Version
	c.rt.Console.Info("PostgreSQL %s for trying them, ready after %d ms", c.server.Version, time.Since(began).Milliseconds())
	return nil
}

// apply brings an empty database to the head and another to the base at the same time,
// then tries each new migration on the latter.
func (c *check) apply(ctx context.Context) error {
	var err error
	if c.fresh, err = c.server.Create(ctx, "fresh"); err != nil {
		return err
	}
	if c.state, err = c.server.Create(ctx, "state"); err != nil {
		return err
	}
	var group sync.WaitGroup
	var fromNothing, toBase error
	group.Go(func() { fromNothing = c.fromScratch(ctx) })
	group.Go(func() { toBase = c.toBase(ctx) })
	group.Wait()
	if toBase != nil || fromNothing != nil {
		if toBase != nil {
			return toBase
		}
		return fromNothing
	}
	if c.atBase == nil {
		return nil // it does not work at the base either; said
	}
	for at, m := range c.new {
		if highest, any := c.before.Highest(); any && c.program == nil && m.Version.Compare(highest) < 0 {
			c.notJudged(m.Name() + ": databases that stand at the base never run it")
			continue
		}
		if c.broken {
			c.notJudged(m.Name() + ": a migration before it failed")
			continue
		}
		if err := c.try(ctx, m, at); err != nil {
			return err
		}
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	return c.whole(ctx)
}

// fromScratch is D01 and D08.
func (c *check) fromScratch(ctx context.Context) error {
	failed, err := c.failure(c.tool.Up(ctx, c.fresh, c.head))
	if err != nil {
		return err
	}
	if failed != nil {
		id := "D01"
		if _, merged := c.before.Find(failed.Version); !merged && needsRights(failed) {
			id = "D10"
		}
		c.add(rule.Find(id).Finding(c.head.InClone(failed.File), c.line(failed), "On an empty database: %v%s", failed.Err, c.otherEngine()))
		return nil
	}
	failed, err = c.failure(c.tool.Up(ctx, c.fresh, c.head))
	if err != nil || failed != nil {
		c.add(rule.Find("D08").Finding("", 0, "The second run on the same database is not without effect: %v", errorOf(failed, err)))
	}
	c.fromNothing, err = c.snapshot(ctx, c.fresh)
	return err
}

// toBase applies what is merged, and puts rows in.
func (c *check) toBase(ctx context.Context) error {
	failed, err := c.failure(c.tool.Up(ctx, c.state, c.before))
	if err != nil {
		return err
	}
	if failed != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.trouble = append(c.trouble, exit.Refusedf("the merged migrations do not apply, so the new ones cannot be tried on them: %w", failed))
		return nil
	}
	if c.atBase, err = c.snapshot(ctx, c.state); err != nil {
		return err
	}
	c.result.Before = c.atBase.Fingerprint()
	c.atHead = c.atBase
	if len(c.new) == 0 {
		return nil
	}
	if c.two, err = c.server.Clone(ctx, "two", c.state); err != nil {
		return err
	}
	return c.seed(ctx, c.state, true)
}

func (c *check) snapshot(ctx context.Context, d *server.Database) (*schema.Snapshot, error) {
	conn, err := d.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return schema.Of(ctx, conn, c.tool.Bookkeeping()...)
}

// whole judges the sum of the change.
func (c *check) whole(ctx context.Context) error {
	if c.atHead == nil || c.broken {
		c.notJudged("whether the old release can run on the new schema: the migrations do not apply")
		return nil
	}
	c.result.After = c.atHead.Fingerprint()
	if c.fromNothing != nil {
		for _, change := range schema.Compare(c.atHead, c.fromNothing) {
			file, line := rule.Place(c.migrated, change)
			c.add(rule.Find("D07").Finding(file, line, "Coming from nothing instead of the base: %s", change))
		}
	}
	incompatible := rule.Compatible(c.atBase, c.atHead, c.migrated)
	c.findings = append(c.findings, incompatible...)
	c.contract(incompatible)
	if len(c.new) > 0 && c.program == nil {
		return c.twoRunners(ctx)
	}
	return nil
}

// contract is I12: a step that takes something away, together with code.
func (c *check) contract(incompatible []finding.Finding) {
	for _, f := range incompatible {
		if !slices.Contains([]string{"M101", "M102", "M103"}, f.Rule) {
			continue
		}
		for _, file := range c.changes.Files {
			if !c.isMigration(file.Path) && isCode(file.Path) {
				c.add(rule.Find("I12").Finding(f.File, f.Line, "This takes something away in the same change that edits code, such as %s.", file.Path))
				return
			}
		}
	}
}

// isMigration tells the files that are or may be migrations.
func (c *check) isMigration(name string) bool {
	if c.program == nil {
		return strings.HasPrefix(name, c.head.Path+"/")
	}
	return slices.ContainsFunc(c.program.listing.Migrations, func(m tool.Listed) bool { return m.File == name })
}

// isCode tells a program's source from documents and settings, by its name.
func isCode(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".go", ".py", ".rb", ".js", ".ts", ".tsx", ".jsx", ".java", ".kt", ".cs", ".php", ".rs", ".ex", ".exs", ".scala", ".clj":
		return true
	}
	return false
}
