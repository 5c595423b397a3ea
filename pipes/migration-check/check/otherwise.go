package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
)

// otherRows is the detail of a failure that generated rows are the cause of.
const otherRows = "Nobody here knows which rows production has.\nMake sure that it has none like those, or show in SEED_FILE what it has."

func (c *check) seedWords() string {
	if c.s.SeedFile != "" {
		return "those of " + c.s.SeedFile
	}
	return "generated ones; give your own in SEED_FILE if none like them can exist"
}

// worksOtherwise tells with which other rows a migration works that the generated ones
// keep from working; "" is none, or that any row would do the same. The state has those
// rows then.
func (a *attempt) worksOtherwise(ctx context.Context, failed *tool.Failure) (how string, err error) {
	if a.s.SeedFile != "" || a.program != nil && len(a.migrated) > 0 {
		return "", nil
	}
	if !a.complete {
		a.complete = true
		if works, _, err := a.works(ctx); works || err != nil {
			return "on rows without NULL", err
		}
	}
	about := a.named(failed)
	if a.program != nil || !dependsOnValues(failed.Code) || len(about) == 0 {
		return "", nil
	}
	a.empty = append(a.empty, about...)
	works, after, err := a.works(ctx)
	if err != nil || !works || a.anyRow(failed, after) {
		return "", err
	}
	a.notJudged(fmt.Sprintf("what %s does to rows of %s: generated ones do not fit", a.migration.Name(), strings.Join(a.without(about), ", ")))
	return "without rows in " + strings.Join(about, ", "), nil
}

// without are tables that are left without rows, and those that have none for that reason.
func (c *check) without(about []string) []string {
	return each(slices.Concat(about, c.unfilled))
}

// works makes the state anew with the rows that are to be in it now, and tries the
// migration on a clone of it.
func (a *attempt) works(ctx context.Context) (works bool, after *schema.Snapshot, err error) {
	state, err := a.atBaseAnew(ctx, "state")
	if err != nil {
		return false, nil, err
	}
	a.state = state
	// Another database has other numbers for its tables.
	if a.atBase, err = a.snapshot(ctx, state); err != nil {
		return false, nil, err
	}
	if err := a.exists(ctx, state); err != nil {
		return false, nil, err
	}
	a.before = a.atBase
	if a.at > 0 && a.program == nil {
		if failed, err := a.failure(a.tool.Up(ctx, state, a.until(a.at-1))); failed != nil || err != nil {
			return false, nil, err
		}
		if a.before, err = a.snapshot(ctx, state); err != nil {
			return false, nil, err
		}
	}
	a.atHead = a.before
	if err := a.dropSpare(ctx); err != nil {
		return false, nil, err
	}
	if err := a.prepareBack(ctx); err != nil {
		return false, nil, err
	}
	err = a.clone(ctx, "again", func(d *server.Database) error {
		failed, err := a.failure(a.tool.Step(ctx, d, a.folder, tool.Up))
		if works = failed == nil && err == nil; works {
			after, err = a.snapshot(ctx, d)
		}
		return err
	})
	return works, after, err
}

// named are the tables that a refusal is about: the server's word, and what the statement
// names.
func (a *attempt) named(failed *tool.Failure) []string {
	var refused *pgconn.PgError
	if !errors.As(failed.Err, &refused) {
		return nil
	}
	var words []statement.Token
	if t := a.trace; t != nil && t.Failed != nil && t.Failed.Step < len(t.Steps) {
		words = t.Steps[t.Failed.Step].Statement.Tokens
	}
	var names []string
	for _, t := range a.atBase.Of("table") {
		own := strings.TrimPrefix(t.Name, t.Parent+".")
		if t.Parent == refused.SchemaName && own == refused.TableName ||
			slices.ContainsFunc(words, func(w statement.Token) bool { return w.Kind <= statement.Name && w.Text == own }) {
			names = append(names, t.Name)
		}
	}
	return names
}

// dependsOnValues tells refusals of values that generated rows happen to have: casts,
// checks, unique and foreign keys. NULL in a new column that must be given is none.
func dependsOnValues(code string) bool {
	switch code {
	case "22001", "22003", "22007", "22008", "22P02", "23503", "23505", "23514":
		return true
	}
	return false
}

// anyRow tells that any row would have been refused: by a constraint of new columns only,
// or by one that was in force before, so that it is the migration's own value; or that the
// migration itself has made rows alike.
func (a *attempt) anyRow(failed *tool.Failure, after *schema.Snapshot) bool {
	var refused *pgconn.PgError
	if !errors.As(failed.Err, &refused) || refused.ConstraintName == "" {
		return false
	}
	table := refused.SchemaName + "." + refused.TableName
	if refused.Code == "23505" && a.wrote(table) {
		return true
	}
	find := func(s *schema.Snapshot) (schema.Object, bool) {
		if c, ok := s.Find("constraint", table+"."+refused.ConstraintName); ok {
			return c, true
		}
		return s.Find("index", refused.SchemaName+"."+refused.ConstraintName)
	}
	if was, ok := find(a.before); ok && (was.Kind == "index" || was.Facts.Valid) {
		return true
	}
	is, ok := find(after)
	return ok && !slices.ContainsFunc(is.Facts.Columns, func(column string) bool {
		_, old := a.before.Find("column", table+"."+column)
		return old
	})
}

// wrote tells that the migration has changed rows of a table before it failed.
func (a *attempt) wrote(table string) bool {
	t := a.trace
	if t == nil || t.Failed == nil {
		return false
	}
	return slices.ContainsFunc(t.Steps[:min(t.Failed.Step, len(t.Steps))], func(s trace.Step) bool {
		return slices.ContainsFunc(s.Rows, func(r trace.Rows) bool { return r.Relation.Name == table })
	})
}
