package tool

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// alembic is SQLAlchemy's tool.
type alembic struct {
	program string
}

func (alembic) called() string { return "alembic" }

func (alembic) traits() Traits { return Traits{Comment: "#", After: true, Heads: true} }

func (alembic) bookkeeping() []string { return []string{"public.alembic_version"} }

func (a alembic) command(line string) command {
	return command{a.program + " " + line, []string{"PYTHONDONTWRITEBYTECODE=1", "COLUMNS=1000"}}
}

// check loads env.py, and with it the models, and connects.
func (a alembic) check(ctx context.Context, r *run) (*Listing, error) {
	const line = "history --verbose --indicate-current" // the latter takes a connection
	answer, err := r.with(ctx, a.command(line))
	if err != nil {
		return nil, err
	}
	if answer.Code != 0 {
		why := answer.LastWords() + where(r.dir, answer.All)
		if lost := absent.FindString(answer.All); lost != "" { // in a warning, before a KeyError in the midst of Alembic
			why = lost
		}
		err := exit.Refusedf("the project does not work, so nothing can be told about its migrations: `%s %s` ended with exit code %d: %s",
			a.program, line, answer.Code, why)
		if r.heard.Connections == 0 && strings.Contains(strings.ToLower(answer.All), "connect") {
			err = err.Hint("If it looks for another database: let env.py take its URL from DATABASE_URL, or from PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE.")
		}
		return nil, err
	}
	if r.heard.Connections == 0 {
		return nil, exit.Invalidf("`%s %s` worked on another database than the scratch one, so nothing was run on it", a.program, line).
			Hint("Let env.py take its URL from DATABASE_URL, or from PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE.")
	}
	return a.listing(answer), nil
}

// absent is Alembic's word for a revision whose file is not there.
var absent = regexp.MustCompile(`Revision \S+ referenced from .* is not present`)

// field is a line of `alembic history --verbose`: "Parent: 1975ea83b712".
var field = regexp.MustCompile(`^(Rev|Parent|Merges|Path|Also depends on|Branch names): (.*)$`)

// list reads `alembic history --verbose`, newest first.
func (a alembic) list(ctx context.Context, r *run) (*Listing, error) {
	answer, err := r.with(ctx, a.command("history --verbose"))
	if err != nil {
		return nil, err
	}
	if answer.Code != 0 {
		return nil, exit.Refusedf("Alembic cannot read the project's migrations: %s%s", answer.LastWords(), where(r.dir, answer.All))
	}
	return a.listing(answer), nil
}

// listing is what a history tells, with or without the current revision.
func (a alembic) listing(answer Answer) *Listing {
	l := &Listing{}
	var heads []string
	meant := map[string]bool{} // lines that have a name, or say what they depend on
	for line := range strings.Lines(answer.Out) {
		m := field.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			continue
		}
		if m[1] == "Rev" {
			id, _, _ := strings.Cut(m[2], " ")
			l.Migrations = append(l.Migrations, Listed{ID: id, Planned: true})
			if strings.Contains(m[2], "(head)") {
				heads = append(heads, id)
			}
			continue
		}
		if len(l.Migrations) == 0 {
			continue
		}
		one := &l.Migrations[len(l.Migrations)-1]
		switch m[1] {
		case "Parent", "Merges":
			if m[2] != "<base>" {
				one.Parents = strings.Split(strings.ReplaceAll(m[2], " ", ""), ",")
			}
		case "Also depends on":
			one.DependsOn = strings.Split(strings.ReplaceAll(m[2], " ", ""), ",")
			meant[one.ID] = true
		case "Branch names":
			meant[one.ID] = true
		case "Path":
			one.File = m[2]
		}
	}
	slices.Reverse(l.Migrations)
	l.order()
	l.Conflicts = a.conflicts(l, heads, meant)
	return l
}

// conflicts are heads that must be merged. Lines that begin by themselves, on purpose, may
// each have a head.
func (a alembic) conflicts(l *Listing, heads []string, meant map[string]bool) []Conflict {
	var all []Conflict
	lines := map[string][]string{}
	for _, head := range heads {
		line := ""
		for id := range l.ancestry(map[string]bool{head: true}) {
			if m, _ := l.Find(id); len(m.Parents) == 0 && meant[id] {
				line = id
			}
		}
		lines[line] = append(lines[line], head)
	}
	for _, line := range slices.Sorted(maps.Keys(lines)) {
		if leaves := lines[line]; len(leaves) > 1 {
			all = append(all, Conflict{
				Leaves: leaves, Text: "Merge needed: " + strings.Join(leaves, " and ") + " are both the last one.",
				Advice: "Run `" + a.program + " merge heads` and commit what it writes.",
			})
		}
	}
	return all
}

// order puts each behind all that it needs, and leaves the rest as it is.
func (l *Listing) order() {
	var all []Listed
	done := map[string]bool{}
	var visit func(m Listed)
	visit = func(m Listed) {
		if done[m.ID] {
			return
		}
		done[m.ID] = true
		for _, id := range slices.Concat(m.Parents, m.DependsOn) {
			if needed, ok := l.Find(id); ok {
				visit(needed)
			}
		}
		all = append(all, m)
	}
	for _, m := range l.Migrations {
		visit(m)
	}
	l.Migrations = all
}

func (a alembic) all() command { return a.command("upgrade heads") }

func (a alembic) up(m Listed) command { return a.command("upgrade " + m.ID) }

func (a alembic) down(m Listed) command {
	switch len(m.Parents) {
	case 0:
		return a.command("downgrade " + m.ID + "@base") // of its own line
	case 1:
		return a.command("downgrade " + m.ID + "@" + m.Parents[0])
	}
	return a.command("downgrade " + m.Parents[0]) // a merge: to all of them
}

// applied is not told by Alembic, which keeps the last ones only: those and what is
// before them, which only the listing knows. None at all may be one transaction around
// everything, that was taken back.
func (alembic) applied(ctx context.Context, d *server.Database, l *Listing) map[string]bool {
	done := l.ancestry(recorded(ctx, d, "select version_num from alembic_version"))
	if len(done) == 0 {
		return nil
	}
	return done
}

// ancestry completes what the last ones stand for.
func (l *Listing) ancestry(heads map[string]bool) map[string]bool {
	done := map[string]bool{}
	var visit func(id string)
	visit = func(id string) {
		if m, ok := l.Find(id); ok && !done[id] {
			done[id] = true
			for _, parent := range m.Parents {
				visit(parent)
			}
		}
	}
	for id := range heads {
		visit(id)
	}
	return done
}

func (a alembic) missing(ctx context.Context, r *run) (*Missing, error) {
	answer, err := r.with(ctx, a.command("check"))
	if err != nil {
		return nil, err
	}
	_, found, drift := strings.Cut(answer.All, "New upgrade operations detected: ")
	switch {
	case answer.Code == 0:
		return &Missing{}, nil
	case !drift:
		return nil, exit.Refusedf("`%s check` ended with exit code %d and says nothing about a migration: %s%s", a.program, answer.Code, answer.LastWords(), where(r.dir, answer.All))
	}
	found, _, _ = strings.Cut(found, "\n")
	lines := operations(found)
	return &Missing{Text: cmp.Or(strings.Join(lines, "; "), found), Lines: lines}, nil
}

func (alembic) explain(ctx context.Context, r *run, m Listed, direction Direction, c command) (Answer, []Operation, error) {
	function := "upgrade"
	if direction == Down {
		function = "downgrade"
	}
	lines, _ := body(m.Text, function)
	var all []Operation
	for _, s := range lines {
		all = append(all, Operation{First: s.First, Last: s.Last, Text: s.Text})
	}
	answer, err := r.with(ctx, c)
	return answer, all, err
}

func (alembic) read(m *Listed) {
	m.NoWayBack = oneWay(m.Text)
	up, _ := body(m.Text, "upgrade")
	m.Acts = len(up) > 0
	spans, _ := scan(m.Text)
	for _, s := range spans {
		if s.Indent == 0 && strings.HasPrefix(s.Text, "def downgrade(") {
			m.DownLine = s.First
		}
	}
}

// oneWay tells of a revision that cannot be taken back.
func oneWay(text string) string {
	up, _ := body(text, "upgrade")
	down, there := body(text, "downgrade")
	switch {
	case !there:
		return "there is no downgrade()"
	case len(down) == 0 && len(up) > 0:
		return "downgrade() is empty"
	case len(down) > 0 && strings.HasPrefix(down[0].Text, "raise"):
		return "downgrade() refuses"
	}
	return ""
}
