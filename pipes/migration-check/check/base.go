package check

import (
	"context"
	"errors"
	"sync"

	"github.com/jackc/pgx/v5"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// apply brings an empty database to the head and another to the base, then tries each new
// migration on the latter.
func (c *check) apply(ctx context.Context) error {
	if err := c.prepare(ctx); err != nil {
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

// prepare makes the databases: empty, or both at the base. What is merged is applied once
// for both of them, which is half of the time in a grown project, unless the change edits
// it, or it leaves something in the session that new files meet when all are applied in one.
func (c *check) prepare(ctx context.Context) error {
	var err error
	if c.fresh, err = c.server.Create(ctx, "fresh"); err != nil {
		return err
	}
	if t, ok := c.tool.(tool.Telling); ok && c.keepsMerged() {
		clean, err := t.UpTelling(ctx, c.fresh, c.before)
		if ctx.Err() != nil {
			return err
		}
		if err == nil && clean {
			c.once = true
			c.state, err = c.server.Clone(ctx, "state", c.fresh)
			return err
		}
		// Whatever it was: the two ways, each by itself, find it again and say so.
		if err := c.server.Drop(ctx, c.fresh); err != nil {
			return err
		}
		if c.fresh, err = c.server.Create(ctx, "fresh"); err != nil {
			return err
		}
	}
	c.state, err = c.server.Create(ctx, "state")
	return err
}

// keepsMerged tells a change whose folder begins with what is merged, as it was.
func (c *check) keepsMerged() bool {
	if len(c.before.Migrations) > len(c.head.Migrations) {
		return false
	}
	for at, m := range c.before.Migrations {
		if now := c.head.Migrations[at]; now.Version != m.Version || now.Up != m.Up {
			return false
		}
	}
	return true
}

// fromScratch is D01 and D08.
func (c *check) fromScratch(ctx context.Context) error {
	first, second := c.twice(ctx)
	failed, err := c.failure(first)
	if err != nil {
		return err
	}
	if failed != nil {
		id := "D01"
		if _, merged := c.before.Find(failed.Version); !merged && needsRights(failed) {
			id = "D10"
		}
		c.add(rule.Find(id).Finding(c.head.InClone(failed.File), c.line(failed), "On an empty database: %v%s", failed.Err, missingRole(failed.Err)+c.otherEngine()))
		return nil
	}
	failed, err = c.failure(second)
	if err != nil || failed != nil {
		c.add(rule.Find("D08").Finding("", 0, "The second run on the same database is not without effect: %v", errorOf(failed, err)))
	}
	c.fromNothing, err = c.snapshot(ctx, c.fresh)
	return err
}

// twice applies all that is pending, and once more.
func (c *check) twice(ctx context.Context) (first, second error) {
	if c.program != nil {
		return c.program.tool.UpTwice(ctx, c.fresh, c.head)
	}
	if first = c.toHead(ctx); first != nil && !errors.Is(first, tool.ErrNothing) {
		return first, nil
	}
	return first, c.tool.Up(ctx, c.fresh, c.head)
}

// toHead applies all that is pending; where the base is there already by two runs at once,
// which answers D09. Should they not come to what is expected, it is done again by one run,
// so that D09 and D01 can be told apart.
func (c *check) toHead(ctx context.Context) error {
	if _, ends := c.deadlock(); c.once && !ends && len(c.new) > 0 {
		won, lost, wrong := c.twoRuns(ctx, c.fresh)
		if wrong == nil && won == 1 && lost == 1 {
			c.raced = true
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var err error
		if c.fresh, err = c.server.Create(ctx, "fresh"); err != nil {
			return err
		}
	}
	return c.tool.Up(ctx, c.fresh, c.head)
}

// toBase applies what is merged, and puts rows in.
func (c *check) toBase(ctx context.Context) error {
	if !c.once {
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
	}
	var err error
	if c.atBase, err = c.snapshot(ctx, c.state); err != nil {
		return err
	}
	c.result.Before = c.atBase.Fingerprint()
	c.atHead = c.atBase
	if len(c.new) == 0 {
		return nil
	}
	if err := c.exists(ctx, c.state); err != nil {
		return err
	}
	return c.seed(ctx, c.state)
}

// snapshot reads the schema of a database.
func (c *check) snapshot(ctx context.Context, d *server.Database) (*schema.Snapshot, error) {
	var s *schema.Snapshot
	err := d.Look(ctx, func(conn *pgx.Conn) (err error) {
		s, err = schema.Of(ctx, conn, c.tool.Bookkeeping()...)
		return err
	})
	return s, err
}
