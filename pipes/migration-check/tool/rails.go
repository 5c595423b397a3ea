package tool

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// rails is bin/rails of Ruby on Rails. Where Rails is not installed, the check's own tests
// run it against a stand-in.
type rails struct {
	program string
	folder  string
}

func (rails) called() string { return "rails" }

func (rails) bookkeeping() []string {
	return []string{"public.schema_migrations", "public.ar_internal_metadata"}
}

// command keeps the dump of the schema, which each run writes, out of the clone.
func (r rails) command(line, dump string) command {
	return command{"export RAILS_ENV=${RAILS_ENV:-test}; " + r.program + " " + line, []string{"DISABLE_DATABASE_ENVIRONMENT_CHECK=1", "SCHEMA=" + dump}}
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
			l.Conflicts = append(l.Conflicts, Conflict{Of: "version " + id, Leaves: []string{other, e.Name()}, Advice: "Give one of them a version of its own."})
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

func (rails) applied(ctx context.Context, d *server.Database) map[string]bool {
	return recorded(ctx, d, "select version from schema_migrations")
}

// missing holds the dump that Rails makes of the database against the one in the clone.
func (r rails) missing(ctx context.Context, run *run) (*Missing, error) {
	for _, name := range []string{"db/schema.rb", "db/structure.sql"} {
		was, err := os.ReadFile(filepath.Join(run.dir, name))
		if err != nil {
			continue
		}
		dir, err := os.MkdirTemp("", "fearless-answer-")
		if err != nil {
			return nil, exit.Unablef("%w", err)
		}
		defer os.RemoveAll(dir)
		dump := filepath.Join(dir, filepath.Base(name))
		answer, err := run.with(ctx, r.command("db:schema:dump", dump))
		if err != nil {
			return nil, err
		}
		is, err := os.ReadFile(dump)
		if answer.Code != 0 || err != nil {
			return nil, exit.Refusedf("`%s db:schema:dump` ended with exit code %d: %s", r.program, answer.Code, answer.LastWords())
		}
		m := &Missing{}
		for _, line := range lacks(code(string(was)), code(string(is))) {
			m.Lines = append(m.Lines, "no migration makes: "+line)
		}
		for _, line := range lacks(code(string(is)), code(string(was))) {
			m.Lines = append(m.Lines, name+" lacks: "+line)
		}
		m.Text = strings.Join(m.Lines, "; ")
		return m, nil
	}
	return nil, nil
}

// lacks are the lines of one text that another does not have.
func lacks(one, other string) []string {
	have := map[string]bool{}
	for line := range strings.Lines(other) {
		have[strings.TrimSpace(line)] = true
	}
	var all []string
	for line := range strings.Lines(one) {
		if line = strings.TrimSpace(line); !have[line] {
			all = append(all, line)
		}
	}
	return all
}

func (rails) explain(ctx context.Context, r *run, m Listed, _ Direction, c command) (Answer, []Operation, error) {
	answer, err := r.with(ctx, c)
	return answer, lines(m.Text), err
}

// lines are all lines of code as operations: which of them are is found by their names.
func lines(text string) []Operation {
	spans, _ := scan(text)
	var all []Operation
	for _, s := range spans {
		all = append(all, Operation{First: s.First, Last: s.Last, Text: s.Text})
	}
	return all
}
