package tool

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// rails is bin/rails of Ruby on Rails. Where Rails is not installed, the check's own tests
// run it against a stand-in.
type rails struct {
	program string
	folder  string
}

func (rails) called() string { return "rails" }

func (rails) traits() Traits { return Traits{Comment: "#"} }

func (rails) bookkeeping() []string {
	return []string{"public.schema_migrations", "public.ar_internal_metadata"}
}

// command keeps the dump of the schema, which each run writes, out of the clone, and
// starts no server that would keep the address of a database for the next run.
func (r rails) command(line, dump string) command {
	return command{"export RAILS_ENV=${RAILS_ENV:-test}; " + r.program + " " + line, []string{"DISABLE_DATABASE_ENVIRONMENT_CHECK=1", "DISABLE_SPRING=1", "SCHEMA=" + dump}}
}

func (r rails) check(ctx context.Context, run *run) (*Listing, error) {
	answer, err := run.with(ctx, r.command("db:version", os.DevNull))
	if err != nil {
		return nil, err
	}
	if answer.Code != 0 {
		return nil, exit.Refusedf("the project does not work, so nothing can be told about its migrations: `%s db:version` ended with exit code %d: %s",
			r.program, answer.Code, answer.LastWords())
	}
	if run.heard.Connections == 0 {
		return nil, exit.Invalidf("`%s db:version` worked on another database than the scratch one, so nothing was run on it", r.program).
			Hint("Let config/database.yml take its URL from DATABASE_URL; a url: of its own goes before it.")
	}
	return nil, nil
}

var railsName = regexp.MustCompile(`^([0-9]+)_([_a-z0-9]*)\.?([_a-z0-9]*)?\.rb$`)

// list reads names, as Rails does.
func (r rails) list(_ context.Context, run *run) (*Listing, error) {
	entries, err := os.ReadDir(filepath.Join(run.dir, filepath.FromSlash(r.folder)))
	if err != nil {
		return nil, exit.Invalidf("MIGRATIONS_PATH: %w", err)
	}
	l := &Listing{}
	byVersion := map[string]string{}
	for _, e := range entries {
		m := railsName.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		id := strings.TrimLeft(m[1], "0")
		if other, twice := byVersion[id]; twice {
			l.Conflicts = append(l.Conflicts, Conflict{
				Of: "version " + id, Leaves: []string{r.folder + "/" + other, r.folder + "/" + e.Name()},
				Text:   "Two migrations have the version " + id + ": " + other + " and " + e.Name() + ".",
				Advice: "Give one of them a later time in its name.",
			})
			continue
		}
		byVersion[id] = e.Name()
		l.Migrations = append(l.Migrations, Listed{ID: id, File: r.folder + "/" + e.Name(), Planned: true})
	}
	slices.SortFunc(l.Migrations, func(a, b Listed) int {
		if len(a.ID) != len(b.ID) {
			return len(a.ID) - len(b.ID)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return l, nil
}

func (r rails) all() command { return r.command("db:migrate", os.DevNull) }

func (r rails) up(m Listed) command { return r.command("db:migrate:up VERSION="+m.ID, os.DevNull) }

func (r rails) down(m Listed) command { return r.command("db:migrate:down VERSION="+m.ID, os.DevNull) }

func (rails) applied(ctx context.Context, d *server.Database, _ *Listing) map[string]bool {
	return recorded(ctx, d, "select version from schema_migrations")
}

func (rails) explain(ctx context.Context, r *run, m Listed, _ Direction, c command) (Answer, []Operation, error) {
	answer, err := r.with(ctx, c)
	return answer, lines(m), err
}

// lines are all lines of code as operations: which of them are is found by their names. Of
// SQL they are its statements.
func lines(m Listed) []Operation {
	var all []Operation
	if m.IsSQL() {
		for _, s := range statement.Split(m.Text) {
			all = append(all, Operation{First: s.Line, Last: s.EndLine, Text: s.Text})
		}
		return all
	}
	spans, _ := scan(m.Text)
	for _, s := range spans {
		all = append(all, Operation{First: s.First, Last: s.Last, Text: s.Text})
	}
	return all
}
