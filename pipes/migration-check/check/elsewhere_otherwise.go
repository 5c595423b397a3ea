package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/engine"
	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// refused is a migration that failed on the state, and how it did statement by statement.
type refused struct {
	*tool.Failure
	migration folder.Migration
	at        int
	observed  *trace.Trace
}

// statement is the one that failed; false is none that was seen to.
func (r *refused) statement() (statement.Statement, bool) {
	f := r.observed.Failed
	if f == nil || f.Step >= len(r.observed.Steps) {
		return statement.Statement{}, false
	}
	return r.observed.Steps[f.Step].Statement, true
}

// failed reports D02 or D10, with what stays of a file that fails in the middle. Where only
// rows of our making are in the way it is a warning, and true: it is to be tried again.
func (t *trial) failed(ctx context.Context, r *refused) (again bool, err error) {
	id, line := "D02", 0
	if r.observed.Failed != nil {
		line = r.observed.Failed.Line
	}
	if needsRights(r.Failure) {
		id = "D10"
	}
	f := rule.Find(id).Finding(t.head.InClone(r.migration.Up.File), line, "On the base's schema: %v", r.Err)
	after, err := t.snapshot(ctx, t.state)
	if err != nil {
		return false, err
	}
	if half := schema.Compare(t.atHead, after); len(half) > 0 {
		f.Message += fmt.Sprintf("; half of the file stays applied, such as: %s", half[0])
	}
	how := ""
	if meetsRows(r.Code) {
		f.Message += "; it meets rows: " + t.seedWords()
		if how, err = t.worksOtherwise(ctx, r); err != nil {
			return false, err
		}
	}
	if how == "" {
		t.broken = true
		t.add(f)
		return false, nil
	}
	f.Severity = finding.Warning
	f.Message += ", and works " + how
	f.Detail = otherRows
	t.add(f)
	return true, nil
}

// worksOtherwise tells with which other rows a migration works that the generated ones keep
// from working; "" is none, or that any row would do the same. The state has those rows
// then.
func (t *trial) worksOtherwise(ctx context.Context, r *refused) (how string, err error) {
	if t.s.SeedFile != "" {
		return "", nil
	}
	if t.nulls {
		t.nulls = false
		if after, err := t.works(ctx, r); after != nil || err != nil {
			return "on rows without NULL", err
		}
	}
	about := t.named(r)
	if !dependsOnValues(r.Code) || len(about) == 0 {
		return "", nil
	}
	t.empty = append(t.empty, about...)
	after, err := t.works(ctx, r)
	if err != nil || after == nil || t.anyRow(r, about, after) {
		return "", err
	}
	t.notJudged(fmt.Sprintf("what %s does to rows of %s: generated ones do not fit", r.migration.Name(), strings.Join(t.without(about), ", ")))
	return "without rows in " + strings.Join(about, ", "), nil
}

// works tries the migration on the rows that are to be there now, and makes the state anew
// with them; nil is that it fails on those, too.
func (t *trial) works(ctx context.Context, r *refused) (after *schema.Snapshot, err error) {
	d, err := t.at(ctx, r.at)
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Drop(context.WithoutCancel(ctx)) }() // it would go with the server
	failed, err := t.failure(t.tool.Step(ctx, d, t.until(r.at), tool.Up))
	if err != nil || failed != nil {
		return nil, err
	}
	if after, err = t.snapshot(ctx, d); err != nil {
		return nil, err
	}
	t.back = nil
	t.state, err = t.at(ctx, r.at)
	return after, err
}

// named are the tables before the migration that the refused statement names.
func (t *trial) named(r *refused) []string {
	s, seen := r.statement()
	if !seen {
		return nil
	}
	var names []string
	for _, o := range t.atHead.Of("table") {
		if mentions(s, o.Name) {
			names = append(names, o.Name)
		}
	}
	return names
}

func mentions(s statement.Statement, name string) bool {
	return slices.ContainsFunc(s.Tokens, func(w statement.Token) bool {
		return w.Kind <= statement.Name && strings.EqualFold(w.Text, name)
	})
}

// anyRow tells that any row would have been refused: by a constraint of new columns only,
// by one that was in force before, or for a value that the migration itself has written.
func (t *trial) anyRow(r *refused, about []string, after *schema.Snapshot) bool {
	s, _ := r.statement()
	if s.ChangesData() && strings.HasPrefix(r.Code, "23") && slices.Contains(about, target(s)) && !t.touched(r, target(s)) {
		return true
	}
	if r.Code == "23505" && slices.ContainsFunc(r.observed.Steps[:r.observed.Failed.Step], func(before trace.Step) bool {
		return before.Statement.ChangesData() && slices.ContainsFunc(about, func(table string) bool { return mentions(before.Statement, table) })
	}) {
		return true
	}
	constraint, columns := engine.Refusing(r.Err)
	for _, table := range about {
		if over := t.over(after, table, constraint); len(over) > 0 {
			return !t.old(table, over)
		}
	}
	if len(columns) == 0 { // SQLite's ALTER TABLE has a check for nothing but a new column
		return s.Is("alter", "table") && t.server.Dialect() == statement.SQLite
	}
	return !slices.ContainsFunc(about, func(table string) bool { return t.old(table, columns) })
}

// old tells that a column of these was there before the migration.
func (t *trial) old(table string, columns []string) bool {
	return slices.ContainsFunc(columns, func(column string) bool {
		_, old := t.atHead.Find("column", table+"."+column)
		return old
	})
}

// target is the table whose rows a statement changes.
func target(s statement.Statement) string {
	for _, w := range s.Tokens[1:] {
		if w.Kind == statement.Name || w.Kind == statement.Word && !slices.Contains([]string{"into", "from", "or", "ignore", "replace", "low_priority"}, w.Text) {
			return w.Text
		}
	}
	return ""
}

// touched tells that the migration has changed a table before the statement that failed.
func (t *trial) touched(r *refused, table string) bool {
	for _, step := range r.observed.Steps[:r.observed.Failed.Step] {
		for _, c := range step.Changes {
			if c.Object().Parent == table || c.Object().Name == table {
				return true
			}
		}
	}
	return false
}

// over are the columns of a constraint, as far as the schema tells them.
func (t *trial) over(s *schema.Snapshot, table, constraint string) []string {
	for _, kind := range []string{"constraint", "index"} {
		o, found := s.Find(kind, table+"."+constraint)
		if !found || constraint == "" {
			continue
		}
		if len(o.Facts.Columns) > 0 {
			return o.Facts.Columns
		}
		var columns []string // of the text of a check
		for _, part := range t.server.Dialect().Split(o.Definition) {
			for _, w := range part.Tokens {
				if _, is := s.Find("column", table+"."+w.Text); is && w.Kind <= statement.Name {
					columns = append(columns, w.Text)
				}
			}
		}
		return columns
	}
	return nil
}
