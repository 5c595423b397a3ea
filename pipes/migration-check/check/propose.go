package check

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	atlas "ariga.io/atlas/sql/schema"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/shared/outputs"
)

// proposals is where proposed files are, below .fearless.
const proposals = "migration-check/"

// propose writes a migration that leads to the wanted schema. Atlas plans it; it is
// applied to a clone and compared before anybody is shown it, because Atlas does not see
// functions, triggers and more; what PostgreSQL itself writes of those is added. That the proposal fails is said and changes
// nothing: the verdict stands without it.
func (c *check) propose(ctx context.Context, wanted *server.Database, want *schema.Snapshot) error {
	have, err := c.server.Clone(ctx, "proposal", c.fresh)
	if err != nil {
		return err
	}
	up, down, err := c.plan(ctx, have, wanted)
	if err != nil {
		c.rt.Console.Warn("no SQL is proposed: %v", err)
		return nil
	}
	left, err := c.applied(ctx, have, up, want)
	if err != nil {
		c.rt.Console.Warn("no SQL is proposed: what Atlas plans does not apply: %v", err)
		return nil
	}
	for range 2 { // the index of a view shows when the view is there
		more, back := c.defined(ctx, have, wanted, left)
		if len(more) == 0 {
			break
		}
		up, down = append(up, more...), withBack(up, down, back)
		if left, err = c.applied(ctx, have, nil, want); err != nil {
			c.rt.Console.Warn("no SQL is proposed: %v", err)
			return nil
		}
	}
	if len(up) == 0 {
		c.rt.Console.Info("no SQL is proposed: what is missing must be written by hand")
		return nil
	}
	var note strings.Builder
	for _, l := range left {
		fmt.Fprintf(&note, "-- Still to be written by hand: %s\n", l)
	}
	for _, statement := range up {
		if strings.Contains(strings.ToUpper(statement), "DROP ") {
			note.WriteString("-- Look twice: this drops something. A renaming shows as DROP and ADD.\n")
			break
		}
	}
	return c.writeProposal(note.String(), up, down)
}

// plan asks Atlas for the way from one database to another, and back.
func (c *check) plan(ctx context.Context, have, wanted *server.Database) (up, down []string, err error) {
	from, to := have.Open(), wanted.Open()
	defer from.Close()
	defer to.Close()
	driver, err := postgres.Open(from)
	if err != nil {
		return nil, nil, err
	}
	other, err := postgres.Open(to)
	if err != nil {
		return nil, nil, err
	}
	options := &atlas.InspectRealmOption{}
	for _, table := range c.tool.Bookkeeping() {
		_, name, _ := strings.Cut(table, ".")
		options.Exclude = append(options.Exclude, "*."+name)
	}
	is, err := driver.InspectRealm(ctx, options)
	if err != nil {
		return nil, nil, err
	}
	should, err := other.InspectRealm(ctx, options)
	if err != nil {
		return nil, nil, err
	}
	changes, err := driver.RealmDiff(is, should)
	if err != nil || len(changes) == 0 {
		return nil, nil, err
	}
	plan, err := driver.PlanChanges(ctx, "proposal", changes)
	if err != nil {
		return nil, nil, err
	}
	return statements(plan)
}

func statements(plan *migrate.Plan) (up, down []string, err error) {
	for _, change := range plan.Changes {
		up = append(up, change.Cmd)
		back, err := change.ReverseStmts()
		if err != nil {
			return nil, nil, err
		}
		down = append(append([]string{}, back...), down...)
	}
	if !plan.Reversible {
		down = nil
	}
	return up, down, nil
}

// applied carries out the plan, and tells what is still different.
func (c *check) applied(ctx context.Context, have *server.Database, up []string, want *schema.Snapshot) ([]schema.Change, error) {
	conn, err := have.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, statement := range up {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
	}
	now, err := schema.Of(ctx, conn, c.tool.Bookkeeping()...)
	if err != nil {
		return nil, err
	}
	return schema.Compare(now, want), nil
}

// writeProposal writes the files under the next version of the folder.
func (c *check) writeProposal(note string, up, down []string) error {
	place := outputs.Place{Dir: c.repo.Dir}
	text := func(statements []string) string {
		var b strings.Builder
		for _, s := range statements {
			if c.head.Format.Name == folder.Goose.Name && strings.Contains(s, ";") {
				b.WriteString("-- +goose StatementBegin\n" + s + ";\n-- +goose StatementEnd\n")
				continue
			}
			b.WriteString(s + ";\n")
		}
		return b.String()
	}
	files := c.head.Write("proposal", note+text(up), text(down), time.Now())
	c.rt.Console.Heading("Proposed migration")
	for _, f := range files {
		written, err := place.File(proposals+f.Name, 0o644, func(w io.Writer) error {
			_, err := io.WriteString(w, f.Text)
			return err
		})
		if err != nil {
			c.rt.Console.Warn("the proposal could not be written: %v", err)
			return nil //nolint:nilerr // said; the verdict stands without it
		}
		c.result.Proposal = append(c.result.Proposal, written)
		c.rt.Console.Output(written, f.Text)
	}
	return nil
}
