package tool

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/shared/exit"
)

//go:embed django.py
var djangoScript string

// django is Django's manage.py.
type django struct {
	program string // how it is called, such as "python manage.py"
}

func (django) called() string { return "django" }

func (django) traits() Traits { return Traits{Comment: "#", After: true, Cascades: true} }

// bookkeeping is what Django writes after every run, too: its lists of models and rights.
func (django) bookkeeping() []string {
	return []string{"public.django_migrations", "public.django_content_type", "public.auth_permission"}
}

func (d django) command(line string, environ ...string) command {
	return command{d.program + " " + line, append([]string{"PYTHONDONTWRITEBYTECODE=1"}, environ...)}
}

// script runs ours within the project.
func (d django) script(question string) command {
	return d.command(`shell -c "$FEARLESS_SCRIPT"`, "FEARLESS_SCRIPT="+djangoScript, "FEARLESS_QUESTION="+question)
}

// told is what our script answers; what it did not come to is zero.
type told struct {
	Checked bool
	List    *struct {
		Migrations []struct {
			App, Name, Path, Digest string
			Planned                 bool
			Replaces                [][2]string
			Parents                 []string
			Operations              []struct {
				Line, Last int
				Kind, Text string
				OneWay     bool `json:"one_way"`
				Program    bool
			}
		}
		Conflicts map[string][]string
		Unread    []string // files that Django takes for no migrations
		Others    []string // databases beside the default one
		Database  struct{ Engine, Host, Port, Expected string }
	}
	SQL     [][]string
	Runs    int
	Culprit *struct { // of a migration that failed
		App, Name string
		Number    int // of the operation, from 0
	}
	Missing *struct {
		Code int
		Out  string
	}
}

// ask runs our script within the project. That it ends early is for the caller to judge.
func (d django) ask(ctx context.Context, r *run, question map[string]any) (told, Answer, error) {
	var t told
	dir, err := os.MkdirTemp("", "fearless-answer-")
	if err != nil {
		return t, Answer{}, exit.Unablef("%w", err)
	}
	defer os.RemoveAll(dir)
	question["answer"] = filepath.Join(dir, "answer.json")
	text, err := json.Marshal(question)
	if err != nil {
		return t, Answer{}, err
	}
	answer, err := r.with(ctx, d.script(string(text)))
	if err != nil {
		return t, answer, err
	}
	content, err := os.ReadFile(filepath.Join(dir, "answer.json"))
	if err != nil {
		return t, answer, nil //nolint:nilerr // it came to nothing
	}
	return t, answer, json.Unmarshal(content, &t)
}

// check tells a project that does not work from one that lacks a migration: the command
// that asks for the latter ends with 1 in both cases. The listing comes with it; should
// only that fail, it is asked for once more, for the reason.
func (d django) check(ctx context.Context, r *run) (*Listing, error) {
	t, answer, err := d.ask(ctx, r, map[string]any{"check": true, "list": true})
	switch {
	case err != nil:
		return nil, err
	case !t.Checked:
		return nil, exit.Refusedf("the project does not work, so nothing can be told about its migrations: `%s check` ended with exit code %d: %s%s",
			d.program, answer.Code, answer.LastWords(), where(r.dir, answer.All))
	case t.List == nil:
		return nil, nil
	}
	return d.listing(t)
}

func (d django) list(ctx context.Context, r *run) (*Listing, error) {
	t, answer, err := d.ask(ctx, r, map[string]any{"list": true})
	if err != nil {
		return nil, err
	}
	if answer.Code != 0 || t.List == nil {
		return nil, exit.Refusedf("Django cannot read the project's migrations: %s%s", answer.LastWords(), where(r.dir, answer.All))
	}
	return d.listing(t)
}

// listing is what the script tells, once it is known that the database is ours.
func (d django) listing(t told) (*Listing, error) {
	if db := t.List.Database; db.Engine != "postgresql" {
		return nil, exit.Invalidf("the project's default database is of the kind %s; only PostgreSQL can be tried", db.Engine).
			Hint("Let the settings take it from DATABASE_URL in this step.")
	} else if db.Host != "" && db.Host != "127.0.0.1" || db.Port != "" && db.Port != db.Expected {
		return nil, exit.Invalidf("the project's settings name the database server %s:%s and not the scratch one, so nothing was run on it", db.Host, db.Port).
			Hint("Let the settings take it from DATABASE_URL, or from PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE, or hand these on in PROGRAM: `DB_HOST=$PGHOST DB_PORT=$PGPORT … python manage.py`.")
	}
	l := &Listing{}
	for _, m := range t.List.Migrations {
		one := Listed{ID: m.App + "." + m.Name, File: m.Path, Digest: m.Digest, Planned: m.Planned, Parents: m.Parents, app: m.App, name: m.Name}
		for _, replaced := range m.Replaces {
			one.Replaces = append(one.Replaces, replaced[0]+"."+replaced[1])
		}
		for _, o := range m.Operations {
			one.Operations = append(one.Operations, Operation{First: o.Line, Last: o.Last, Kind: o.Kind, Text: o.Text, OneWay: o.OneWay, Program: o.Program})
			if o.OneWay && one.NoWayBack == "" {
				one.NoWayBack = o.Kind + " has no reverse"
			}
		}
		l.Migrations = append(l.Migrations, one)
	}
	l.Unread = t.List.Unread
	if others := t.List.Others; len(others) > 0 {
		l.Elsewhere = "what migrates in " + strings.Join(others, ", ") + ": only the default database of the project is tried"
	}
	for app, leaves := range t.List.Conflicts {
		c := Conflict{Of: "the app " + app, Advice: "Run `" + d.program + " makemigrations --merge` and commit what it writes."}
		for _, name := range leaves {
			c.Leaves = append(c.Leaves, app+"."+name)
		}
		c.Text = "Merge needed: " + strings.Join(c.Leaves, " and ") + " are both the last one of " + c.Of + "."
		l.Conflicts = append(l.Conflicts, c)
	}
	return l, nil
}

func (d django) all() command { return d.command("migrate --no-input") }

func (d django) up(m Listed) command {
	return d.command(fmt.Sprintf("migrate --no-input %s %s", m.app, m.name))
}

// down goes to the migration before; which of several does not matter. Where that would
// take more back than the one, which manage.py cannot do, Django is asked itself.
func (d django) down(m Listed) command {
	if m.Beside {
		question, _ := json.Marshal(map[string]any{"unapply": []string{m.app, m.name}}) // of strings, which do not fail
		return d.script(string(question))
	}
	to := "zero"
	if len(m.Parents) > 0 {
		to = m.Parents[0]
	}
	return d.command(fmt.Sprintf("migrate --no-input %s %s", m.app, to))
}

func (django) applied(ctx context.Context, d *server.Database, _ *Listing) map[string]bool {
	return recorded(ctx, d, "select app || '.' || name from django_migrations")
}

// recorded reads a tool's own table.
func recorded(ctx context.Context, d *server.Database, query string) map[string]bool {
	conn, err := d.Connect(ctx)
	if err != nil {
		return nil
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, _ := conn.Query(ctx, query) // whose error comes with the rows
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return map[string]bool{} // no table yet
	}
	done := map[string]bool{}
	for _, id := range ids {
		done[id] = true
	}
	return done
}

// proposed are the files that makemigrations would write, as it prints them.
var proposed = regexp.MustCompile(`(?s)Full migrations file '([^']+)':\n(.*?)(?:\nMigrations for '|\nFull migrations file '|\z)`)

// missing is makemigrations. The project was checked, so what it says about migrations is
// an answer, and everything else a reason why there is none.
func (d django) missing(ctx context.Context, r *run) (*Missing, error) {
	t, answer, err := d.ask(ctx, r, map[string]any{"missing": true})
	if err != nil {
		return nil, err
	}
	return d.makes(r.dir, t, answer)
}

// everything is migrate, migrate and makemigrations.
func (d django) everything(ctx context.Context, r *run) (a Answer, runs int, m *Missing, err error) {
	t, a, err := d.ask(ctx, r, map[string]any{"migrate": [][]string{{}, {}}, "missing": true})
	r.blame(t)
	if err == nil && t.Runs == 2 {
		m, _ = d.makes(r.dir, t, a) // without an answer it is asked by itself
	}
	return a, t.Runs, m, err
}

// blame keeps the operation that failed, which no line of the migration's own code tells.
func (r *run) blame(t told) {
	if t.Culprit != nil {
		r.culprit = &culprit{id: t.Culprit.App + "." + t.Culprit.Name, operation: t.Culprit.Number}
	}
}

// makes is what makemigrations would write.
func (d django) makes(dir string, t told, answer Answer) (*Missing, error) {
	switch {
	case t.Missing != nil && t.Missing.Code == 0:
		return &Missing{}, nil
	case t.Missing == nil || !strings.Contains(t.Missing.Out, "Migrations for '"):
		return nil, exit.Refusedf("`%s makemigrations --check` ended with exit code %d and says nothing about a migration: %s%s",
			d.program, answer.Code, answer.LastWords(), where(dir, answer.All))
	}
	m := &Missing{Files: map[string]string{}}
	app := ""
	for line := range strings.Lines(t.Missing.Out) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "Migrations for '"); ok {
			app = strings.TrimSuffix(strings.TrimSuffix(name, ":"), "'")
		}
		if strings.HasPrefix(line, "Full migrations file") {
			app = ""
		}
		if sign, what, ok := strings.Cut(line, " "); ok && app != "" && (len(sign) == 1 || sign == "->") && strings.Contains("+-~>", sign[len(sign)-1:]) {
			m.Lines = append(m.Lines, app+": "+what)
		}
	}
	for _, at := range proposed.FindAllStringSubmatchIndex(t.Missing.Out, -1) {
		name, text := t.Missing.Out[at[2]:at[3]], t.Missing.Out[at[4]:at[5]]
		m.Files[proposal(dir, name, t.Missing.Out[:at[0]])] = strings.TrimSpace(text) + "\n"
	}
	m.Text = strings.Join(m.Lines, "; ")
	if m.Text == "" {
		m.Text = "makemigrations would write one"
	}
	return m, nil
}

// proposal is the path of a file below the top of the project, which Django names before:
// two apps may have files of one name.
func proposal(dir, name, before string) string {
	lines := strings.Split(before, "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		file := strings.TrimSpace(lines[i])
		if filepath.Base(file) != name {
			continue
		}
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		if inside, ok := below(dir, file); ok {
			return inside
		}
	}
	return name
}

// explain adds the SQL of each operation, as sqlmigrate would print it.
func (d django) explain(ctx context.Context, r *run, m Listed, direction Direction, c command) (Answer, []Operation, error) {
	all := append([]Operation{}, m.Operations...)
	if direction == Down {
		answer, err := r.with(ctx, c)
		return answer, all, err
	}
	t, answer, err := d.ask(ctx, r, map[string]any{"sql": []string{m.app, m.name}, "migrate": [][]string{{m.app, m.name}}})
	r.blame(t)
	if len(t.SQL) == len(all) {
		for i := range all {
			all[i].SQL = t.SQL[i]
		}
	}
	return answer, all, err
}
