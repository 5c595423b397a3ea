package check

import (
	"context"
	"fmt"
	"slices"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
)

// observation runs a step under observation, in the way that fits the tool.
func (a *attempt) observation(ctx context.Context, d *server.Database, direction tool.Direction, o trace.Options) (*trace.Trace, error) {
	part := a.migration.Up
	if direction == tool.Down {
		part = a.migration.Down
	}
	if a.program == nil {
		o.Transaction = part.Transaction
		return trace.Run(ctx, d, part.Text, o)
	}
	o.Before = nil // a program may connect several times
	t, err := a.program.tool.Observe(ctx, d, a.folder, direction, &o)
	failed, err := a.failure(err)
	if err != nil {
		return nil, err
	}
	if direction == tool.Up {
		a.refused = failed
		a.untried(t)
	}
	return t, nil
}

// untried counts programs within the migration that found no row to do anything to. What
// they do to those of production nobody has seen.
func (a *attempt) untried(t *trace.Trace) {
	one, ok := a.program.listing.Find(a.migration.Version.String())
	if !ok || t.Failed != nil {
		return
	}
	if one.Acts && !slices.ContainsFunc(t.Steps, func(s trace.Step) bool { return !a.idle(s) }) {
		a.notJudged(fmt.Sprintf("what %s does: with the rows here it writes nothing; SEED_FILE may give others", one.File))
	}
	for _, o := range one.Operations {
		did := slices.ContainsFunc(t.Steps, func(s trace.Step) bool {
			return o.First <= s.Statement.Line && s.Statement.Line <= o.Last && !a.idle(s)
		})
		if o.Program && o.First > 0 && !did {
			a.notJudged(fmt.Sprintf("what %s on line %d of %s does: with the rows here it writes nothing; SEED_FILE may give others", o.Kind, o.First, one.File))
		}
	}
}

// idle tells a statement by which the tool keeps account, or asks the server who it is.
func (a *attempt) idle(step trace.Step) bool {
	s := step.Statement
	if s.Is("select") && len(step.Locks)+len(step.Rows)+len(step.Changes) == 0 {
		return true
	}
	return slices.ContainsFunc(s.Tokens, func(t statement.Token) bool { return slices.Contains(a.tool.Bookkeeping(), "public."+t.Text) })
}

// called is the migration as findings name it: files have versions, programs names.
func (a *attempt) called() string {
	if a.program != nil {
		return a.migration.Version.String()
	}
	return "Version " + a.migration.Version.String()
}

// wayBack begins a sentence about it.
func (a *attempt) wayBack() string {
	if a.program != nil {
		return "Taking " + a.migration.Version.String() + " back"
	}
	return "The down migration of version " + a.migration.Version.String()
}

// itsDown is the way back within a sentence.
func (a *attempt) itsDown() string {
	if a.program != nil {
		return "it was taken back"
	}
	return "its down"
}

// rowsOfAll takes down what all tables hold: only afterwards it is known which of them the
// program touches.
func (a *attempt) rowsOfAll(ctx context.Context) error {
	var tables []string
	for _, t := range a.before.Of("table") {
		tables = append(tables, t.Name)
	}
	var err error
	a.rows, err = a.contents(ctx, a.state, append([]string{}, tables...))
	return err
}

// settle applies what the new migrations left, such as the record of a squash, so that
// both ways to the head have the same end.
func (c *check) settle(ctx context.Context) error {
	if c.program == nil || c.broken || c.atHead == nil || !c.program.squashes() {
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

// squashes tells whether any migration stands for others.
func (p *program) squashes() bool {
	return slices.ContainsFunc(p.listing.Migrations, func(m tool.Listed) bool { return len(m.Replaces) > 0 })
}

// programUntil is the folder up to the at-th new migration.
func (c *check) programUntil(at int) *folder.Folder {
	f := *c.head
	f.Migrations = append(slices.Clone(c.before.Migrations), c.new[:at+1]...)
	return &f
}
