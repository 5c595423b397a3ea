package check

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
	"bitbucket.org/fearless/pipes/shared/outputs"
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

// readProgram asks the tool about base and head. Where the base's migrations show that
// one was taken away, that is said even when the head does not work for it.
func (c *check) readProgram(ctx context.Context) error {
	p := c.program
	p.root, p.tool.Clone = c.repo.Dir, c.repo.Dir
	var err error
	if p.probe, err = c.server.Create(ctx, "probe"); err != nil {
		return err
	}
	if err := p.tool.Check(ctx, p.probe, p.root); err != nil {
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

// stands tells a squash of which the base has all that it stands for: databases of the
// base write down that they have it, and run nothing.
func (p *program) stands(m tool.Listed) bool {
	for _, id := range m.Replaces {
		if _, ok := p.was.Find(id); !ok {
			return false
		}
	}
	return len(m.Replaces) > 0
}

// replaced tells whether a squash of the head stands for a migration.
func (p *program) replaced(id string) bool {
	return p.listing != nil && slices.ContainsFunc(p.listing.Migrations, func(m tool.Listed) bool { return slices.Contains(m.Replaces, id) })
}

// taken is I02.
func (c *check) taken() {
	for _, m := range c.program.was.Migrations {
		if m.External || c.program.replaced(m.ID) {
			continue
		}
		if c.program.listing != nil {
			if _, ok := c.program.listing.Find(m.ID); ok {
				continue
			}
		} else if _, err := os.Stat(filepath.Join(c.repo.Dir, filepath.FromSlash(m.File))); err == nil {
			continue
		}
		c.add(rule.Find("I02").Finding("", 0, "The merged migration %s is gone.", m.File))
	}
}

// programIntegrity is what of rules I there is to say about migrations that are programs.
func (c *check) programIntegrity(ctx context.Context) error {
	p := c.program
	c.taken()
	for _, m := range p.listing.Migrations {
		was, merged := p.was.Find(m.ID)
		switch {
		case m.External:
		case merged && was.Digest != m.Digest:
			c.add(rule.Find("I01").Finding(m.File, firstDifference(was.Text, m.Text), "The merged migration %s was edited.", m.ID))
		case merged || p.stands(m):
		case m.NoWayBack != "":
			line := 0
			for _, o := range m.Operations {
				if o.OneWay && line == 0 {
					line = o.First
				}
			}
			f := rule.Find("I07").Finding(m.File, line, "%s cannot be taken back: %s.", m.ID, m.NoWayBack)
			f.Detail = "There is no way back after the release but a backup.\nGive it a reverse (reverse_code=migrations.RunPython.noop where nothing needs to be undone), or accept the finding."
			if c.tool.Name() != "django" {
				f.Detail = "There is no way back after the release but a backup.\nWrite the way back, or accept the finding."
			}
			c.add(f)
		}
	}
	for _, conflict := range p.listing.Conflicts {
		c.conflict(conflict)
	}
	return c.meanwhile(ctx)
}

// firstDifference is the line where the new text leaves the old one.
func firstDifference(was, is string) int {
	old, now := strings.Split(was, "\n"), strings.Split(is, "\n")
	for at := range now {
		if at >= len(old) || old[at] != now[at] {
			return at + 1
		}
	}
	return len(now)
}

// conflict is I04: several last ones, at the newest of them.
func (c *check) conflict(conflict tool.Conflict) {
	if slices.ContainsFunc(c.program.was.Conflicts, func(o tool.Conflict) bool { return slices.Equal(o.Leaves, conflict.Leaves) }) {
		return
	}
	file := ""
	for _, id := range conflict.Leaves {
		_, merged := c.program.was.Find(id)
		if m, ok := c.program.listing.Find(id); ok && !merged && !m.External {
			file = m.File
		}
	}
	of := ""
	if conflict.Of != "" {
		of = " of " + conflict.Of
	}
	f := rule.Find("I04").Finding(file, 0, "Merge needed: %s are both the last one%s.", strings.Join(conflict.Leaves, " and "), of)
	f.Detail = c.tool.Name() + " refuses to migrate until it is told which comes first.\n" + conflict.Advice
	c.add(f)
}

// meanwhile is I05: the destination branch has got another migration beside a new one,
// so that after the merge there are two last ones.
func (c *check) meanwhile(ctx context.Context) error {
	if name := c.tool.Name(); len(c.new) == 0 || name != "django" && name != "alembic" {
		return nil
	}
	tip := c.destination(ctx)
	if tip == "" || tip == c.base.Commit {
		return nil
	}
	mine := map[string]string{} // folder to the first new one in it
	for _, m := range c.new {
		if one, ok := c.program.listing.Find(m.Version.String()); ok && !one.External && mine[path.Dir(one.File)] == "" {
			mine[path.Dir(one.File)] = one.File
		}
	}
	for dir, file := range mine {
		entries, err := c.repo.Tree(ctx, tip, dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if path.Dir(e.Path) != dir || !c.foreign(e.Path) {
				continue
			}
			f := rule.Find("I05").Finding(file, 0, "The destination branch has %s by now, so after the merge there are two last migrations.", e.Path)
			f.Detail = c.tool.Name() + " refuses to migrate then.\nUpdate the branch, and let this migration come after that one."
			c.add(f)
		}
	}
	return nil
}

// foreign tells a migration that neither the change nor its base has.
func (c *check) foreign(file string) bool {
	name := path.Base(file)
	if _, err := os.Stat(filepath.Join(c.repo.Dir, filepath.FromSlash(file))); err == nil || !strings.HasSuffix(name, ".py") || strings.HasPrefix(name, "_") {
		return false
	}
	return !slices.ContainsFunc(c.program.was.Migrations, func(m tool.Listed) bool { return m.File == file })
}

// observation runs a step under observation, in the way that fits the tool.
func (a *attempt) observation(ctx context.Context, d *server.Database, direction tool.Direction, o trace.Options) (*trace.Trace, error) {
	part := a.migration.Up
	if direction == tool.Down {
		part = a.migration.Down
	}
	if a.program == nil {
		return trace.Run(ctx, d, part.Text, o)
	}
	t, err := a.program.tool.Observe(ctx, d, a.folder, direction, &o)
	if _, err := a.failure(err); err != nil {
		return nil, err
	}
	return t, nil
}

// settle applies what the new migrations left, such as the record of a squash, so that
// both ways to the head have the same end.
func (c *check) settle(ctx context.Context) error {
	if c.program == nil || c.broken || c.atHead == nil {
		return nil
	}
	failed, err := c.failure(c.tool.Up(ctx, c.state, c.head))
	if err != nil {
		return err
	}
	if failed != nil {
		c.broken = true
		c.add(rule.Find("D02").Finding(c.head.InClone(failed.File), 0, "On the base's schema: %v", failed.Err))
		return nil
	}
	c.atHead, err = c.snapshot(ctx, c.state)
	return err
}

// programWanted asks the tool whether the code wants another schema.
func (c *check) programWanted(ctx context.Context) error {
	if c.fromNothing == nil {
		c.notJudged("whether a migration is missing: those that are there do not apply")
		return nil
	}
	missing, err := c.program.tool.Missing(ctx, c.fresh, c.program.root)
	if err != nil {
		return err
	}
	switch {
	case missing == nil:
		return c.guessed(ctx)
	case missing.Text == "":
		c.rt.Console.Success("%s finds no migration missing", c.tool.Name())
		return nil
	}
	old := c.oldMissing(ctx)
	lines := missing.Lines
	if len(lines) == 0 {
		lines = []string{missing.Text}
	}
	isNew := false
	for _, line := range lines {
		id := "A01"
		if slices.Contains(old, line) {
			id = "A03"
		}
		isNew = isNew || id == "A01"
		f := rule.Find(id).Finding("", 0, "%s says that a migration is missing: %s", c.tool.Name(), line)
		c.add(f)
	}
	if isNew {
		c.keepProposals(missing.Files)
	}
	return nil
}

// oldMissing is what was missing at the base already.
func (c *check) oldMissing(ctx context.Context) []string {
	if c.program.old == "" || c.atBase == nil {
		return nil
	}
	d, err := c.server.Create(ctx, "old")
	if err == nil {
		_, err = c.failure(c.tool.Up(ctx, d, c.before))
	}
	var was *tool.Missing
	if err == nil {
		was, err = c.program.tool.Missing(ctx, d, c.program.old)
	}
	if err != nil {
		c.notJudged("whether the same was missing at the base: " + firstLine(err.Error()))
		return nil
	}
	return append(was.Lines, was.Text)
}

// keepProposals writes the files that the tool proposes.
func (c *check) keepProposals(files map[string]string) {
	place := outputs.Place{Dir: c.repo.Dir}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		written, err := place.File(proposals+name, 0o644, func(w io.Writer) error {
			_, err := io.WriteString(w, files[name])
			return err
		})
		if err != nil {
			c.rt.Console.Warn("the proposal could not be written: %v", err)
			return
		}
		c.result.Proposal = append(c.result.Proposal, written)
		c.rt.Console.Output(written, files[name])
	}
}

// acceptances reads the comments of new migrations that are programs. Each belongs to the
// operation that it is at or before.
func (c *check) acceptances(comments *rule.Acceptances) {
	for _, m := range c.new {
		one, ok := c.program.listing.Find(m.Version.String())
		if !ok || one.External {
			continue
		}
		spans, remarks := tool.Scan(one.Text)
		for _, o := range one.Operations {
			if o.First > 0 {
				spans = append(spans, tool.Span{First: o.First, Last: o.Last})
			}
		}
		for _, r := range remarks {
			first, last, head := tool.Nearest(spans, r.Line)
			comments.Add(one.File, r.Text, rule.Range{Line: r.Line, First: first, Last: last, Head: head}, time.Now().UTC())
		}
	}
}

// own puts the tool's own remedies into findings, and takes out files that are none of
// the clone's.
func (c *check) own() {
	remedies := tool.Remedies(c.tool.Name())
	for i := range c.findings {
		f := &c.findings[i]
		if strings.HasPrefix(f.File, "(") {
			f.Message, f.File, f.Line = strings.Trim(f.File, "()")+": "+f.Message, "", 0
		}
		if remedy, ok := remedies[f.Rule]; ok && f.Tool == rule.Tool {
			f.Detail = rule.Find(f.Rule).Why + "\n" + remedy
		}
	}
	c.findings = unique(c.findings)
}

// unique takes out findings that say the same of the same line: an operation may be
// several statements.
func unique(all []finding.Finding) []finding.Finding {
	var kept []finding.Finding
	for _, f := range all {
		if !slices.ContainsFunc(kept, func(k finding.Finding) bool {
			return k.Rule == f.Rule && k.File == f.File && k.Line == f.Line && k.Message == f.Message
		}) {
			kept = append(kept, f)
		}
	}
	return kept
}

// programUntil is the folder up to the at-th new migration.
func (c *check) programUntil(at int) *folder.Folder {
	f := *c.head
	f.Migrations = append(slices.Clone(c.before.Migrations), c.new[:at+1]...)
	return &f
}
