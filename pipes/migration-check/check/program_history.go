package check

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/finding"
)

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
		case merged && was.File != m.File && p.shared(was.File): // I04 says it
		case merged && was.Digest != m.Digest:
			c.add(rule.Find("I01").Finding(m.File, firstDifference(was.Text, m.Text), "The merged migration %s was edited.", m.ID))
		case merged || p.stands(m):
		case m.NoWayBack != "":
			c.oneWay(m)
		}
	}
	for _, file := range p.listing.Unread {
		c.unread(file)
	}
	if p.listing.Elsewhere != "" && len(c.new) > 0 {
		c.notJudged(p.listing.Elsewhere)
	}
	for _, conflict := range p.listing.Conflicts {
		c.conflict(conflict)
	}
	return c.meanwhile(ctx)
}

// oneWay is I07, at the first operation without a way back.
func (c *check) oneWay(m tool.Listed) {
	line := m.DownLine
	if at := slices.IndexFunc(m.Operations, func(o tool.Operation) bool { return o.OneWay }); at >= 0 {
		line = m.Operations[at].First
	}
	c.add(rule.Find("I07").Finding(m.File, line, "%s cannot be taken back: %s.", m.ID, m.NoWayBack))
}

// unread is I09: a new file that looks like a migration and is none.
func (c *check) unread(file string) {
	if _, touched := c.changes.File(file); !touched {
		return
	}
	f := rule.Find("I09").Finding(file, 0, "%s is no migration for %s: %s has no __init__.py.", path.Base(file), c.tool.Name(), path.Dir(file))
	f.Severity = finding.Error // it comes with the change, so it is meant to be applied
	c.add(f)
}

// shared tells a file of the head's that shares its id with another one.
func (p *program) shared(file string) bool {
	return slices.ContainsFunc(p.listing.Conflicts, func(c tool.Conflict) bool { return slices.Contains(c.Leaves, file) })
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

// conflict is I04: several last ones, at the newest of them. As many as there were before
// are none of this change's making.
func (c *check) conflict(conflict tool.Conflict) {
	if slices.ContainsFunc(c.program.was.Conflicts, func(o tool.Conflict) bool { return o.Of == conflict.Of && len(o.Leaves) >= len(conflict.Leaves) }) {
		c.program.refuses = c.program.refuses || !c.program.tool.Traits().Heads
		return
	}
	c.program.refuses = true
	file := ""
	for _, id := range conflict.Leaves {
		_, merged := c.program.was.Find(id)
		if m, ok := c.program.listing.Find(id); ok && !merged && !m.External {
			file = m.File
		} else if _, touched := c.changes.File(id); touched && !ok {
			file = id // of those that share an id
		}
	}
	f := rule.Find("I04").Finding(file, 0, "%s", conflict.Text)
	f.Detail = tool.WordsFor(c.tool.Name(), "I04").Why + "\n" + conflict.Advice
	c.add(f)
}

// meanwhile is I05: the destination branch has got another migration beside a new one,
// so that after the merge there are two last ones.
func (c *check) meanwhile(ctx context.Context) error {
	if len(c.new) == 0 || !c.program.tool.Traits().After {
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
			c.add(rule.Find("I05").Finding(file, 0, "The destination branch has %s by now, so after the merge there are two last migrations.", e.Path))
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
