package check

import (
	"context"
	"time"

	"bitbucket.org/fearless/pipes/pipes/migration-check/engine"
	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rows"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// forBack is a database that the migration was just applied to, with rows in it.
func (t *trial) forBack(ctx context.Context, at int) (*engine.Database, error) {
	d := t.back
	t.back = nil
	if d == nil {
		return t.at(ctx, at+1)
	}
	if failed, err := t.failure(t.tool.Step(ctx, d, t.until(at), tool.Up)); err != nil || failed != nil {
		return nil, exit.Unablef("a migration was applied to one database, and not to another like it: %w", errorOf(failed, err))
	}
	return d, nil
}

// wayBack is D03 to D06.
func (t *trial) wayBack(ctx context.Context, m folder.Migration, at int, before *schema.Snapshot, had rows.Contents, measured *Migration) error {
	down := t.head.InClone(m.Down.File)
	d, err := t.forBack(ctx, at)
	if err != nil {
		return err
	}
	began := time.Now()
	failed, err := t.failure(t.tool.Step(ctx, d, t.until(at), tool.Down))
	measured.Down = milliseconds(time.Since(began))
	if err != nil {
		return err
	}
	if failed != nil {
		t.add(rule.Find("D03").Finding(down, 0, "The down migration of version %s fails: %v", m.Version, failed.Err))
		return nil
	}
	undone, err := t.snapshot(ctx, d)
	if err != nil {
		return err
	}
	left := schema.Compare(before, undone)
	for _, c := range left {
		t.add(rule.Find("D04").Finding(down, 0, "After up and down: %s.", c))
	}
	now, err := t.contents(ctx, d)
	if err != nil {
		return err
	}
	lost := rows.Compare(had, now, nil, t.written(m))
	for _, l := range lost {
		t.add(rule.Find("D06").Finding(down, 0, "After up and down: %s.", l.Text))
	}
	again, err := t.again(ctx, d, m, at, left)
	if again && len(left) == 0 && len(lost) == 0 && len(t.written(m)) == 0 {
		t.back = d
	}
	return err
}

// again is D05; true is that the schema is the same as after the first up. What the down has
// left otherwise has been said.
func (t *trial) again(ctx context.Context, d *engine.Database, m folder.Migration, at int, left []schema.Change) (same bool, err error) {
	down := t.head.InClone(m.Down.File)
	failed, err := t.failure(t.tool.Step(ctx, d, t.until(at), tool.Up))
	if err != nil {
		return false, err
	}
	if failed != nil {
		t.add(rule.Find("D05").Finding(down, 0, "Version %s cannot be applied again after its down: %v", m.Version, failed.Err))
		return false, nil
	}
	redone, err := t.snapshot(ctx, d)
	if err != nil {
		return false, err
	}
	differs := schema.Compare(t.atHead, redone)
	for _, c := range unsaid(differs, left) {
		t.add(rule.Find("D05").Finding(down, 0, "Version %s applied again after its down leads elsewhere: %s", m.Version, c))
	}
	return len(differs) == 0, nil
}
