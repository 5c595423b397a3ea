package check

import (
	"context"
	"errors"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// whole judges the sum of the change.
func (t *trial) whole(ctx context.Context) error {
	if t.broken {
		t.notJudged("whether the old release can run on the new schema: the migrations do not apply")
		return nil
	}
	t.result.After = t.atHead.Fingerprint()
	if t.fromNothing != nil {
		for _, change := range schema.Compare(t.atHead, t.fromNothing) {
			file, line := rule.Place(t.migrated, change)
			t.add(rule.Find("D07").Finding(file, line, "Coming from nothing instead of the base: %s", change))
		}
	}
	incompatible := rule.Compatible(t.atBase, t.atHead, t.migrated)
	t.findings = append(t.findings, incompatible...)
	t.contract(incompatible)
	if len(t.new) == 0 {
		return nil
	}
	if t.server.Dialect() == statement.SQLite {
		t.notJudged("two runs at once: golang-migrate has no lock for SQLite that another process sees")
		return nil
	}
	return t.two(ctx)
}

// two is D09, on the base's schema without rows.
func (t *trial) two(ctx context.Context) error {
	d, err := t.server.Create(ctx, "two")
	if err != nil {
		return err
	}
	if _, err := t.failure(t.tool.Up(ctx, d, t.merged())); err != nil {
		return err
	}
	if t.tool.Plain {
		return nil // the lock would be ours, not the tool's
	}
	answers := make(chan error, 2)
	for range 2 {
		go func() { answers <- t.tool.Up(ctx, d, t.head) }()
	}
	first, second := <-answers, <-answers
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	won := first == nil && errors.Is(second, tool.ErrNothing) || second == nil && errors.Is(first, tool.ErrNothing)
	if !won {
		t.add(rule.Find("D09").Finding("", 0, "Two runs at once ended with: %v, and: %v", first, second))
	}
	return nil
}

// wanted is question (a): a proposal is made for PostgreSQL only.
func (t *trial) wanted(ctx context.Context) error {
	switch {
	case t.s.CheckCommand == "" && t.s.SchemaFile == "" && t.s.SchemaCommand == "":
		return t.guessed(ctx)
	case t.fromNothing == nil:
		t.notJudged("whether a migration is missing: those that are there do not apply")
		return nil
	case t.s.CheckCommand != "":
		return t.askedAt(ctx, t.fresh.URL)
	}
	text, name, err := t.declared(ctx)
	if err != nil {
		return err
	}
	d, err := t.server.Create(ctx, "wanted")
	if err != nil {
		return err
	}
	if line, err := d.Exec(ctx, text); err != nil {
		return exit.Refusedf("%s:%d cannot be applied to an empty database: %w", name, line, err)
	}
	want, err := t.snapshot(ctx, d)
	if err != nil {
		return err
	}
	if differs := schema.Compare(t.fromNothing, want); len(differs) > 0 {
		t.notJudged("whether the difference was there at the base, and what SQL would settle it: that is for PostgreSQL only")
		t.report(differs, nil, want, name)
		return nil
	}
	t.rt.Console.Success("%s and the migrations make the same schema", name)
	return nil
}
