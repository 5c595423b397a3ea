package check

import (
	"context"
	"slices"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
)

// applicableAgain is a folder in which a repeatable migration is pending once more, as it is
// when its text changes.
func applicableAgain(f *folder.Folder, m folder.Migration) *folder.Folder {
	again := *f
	m.Version = m.Version.Again()
	again.Migrations = append(slices.Clone(f.Migrations), m)
	return &again
}

// onceMore is D05 for a repeatable migration.
func (a *attempt) onceMore(ctx context.Context) error {
	return a.clone(ctx, "again", func(d *server.Database) error {
		failed, err := a.failure(a.tool.Step(ctx, d, applicableAgain(a.folder, a.migration), tool.Up))
		if err == nil && failed != nil {
			failed.Version = a.migration.Version
			a.notRepeatable(a.file, a.line(failed), failed)
		}
		return err
	})
}

// onceMore is the same on other databases.
func (t *trial) onceMore(ctx context.Context, m folder.Migration, at int) error {
	d, err := t.at(ctx, at+1)
	if err != nil {
		return err
	}
	defer func() { _ = d.Drop(context.WithoutCancel(ctx)) }() // it would go with the server
	failed, err := t.failure(t.tool.Step(ctx, d, applicableAgain(t.until(at), m), tool.Up))
	if err == nil && failed != nil {
		failed.Version = m.Version
		t.notRepeatable(t.head.InClone(m.Up.File), 0, failed)
	}
	return err
}

func (c *check) notRepeatable(file string, line int, failed *tool.Failure) {
	if m, found := c.head.Find(failed.Version); found && line == 0 {
		if all := c.s.dialect().Split(m.Up.Text); len(all) == 1 {
			line = all[0].Line // the server tells no place
		}
	}
	f := rule.Find("D05").Finding(file, line, "It cannot be applied a second time: %v", failed.Err)
	f.Detail = c.head.Format.Name + " applies it again whenever its text changes.\nCREATE OR REPLACE, or DROP … IF EXISTS before."
	c.add(f)
}
