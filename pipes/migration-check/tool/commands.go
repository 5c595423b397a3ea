package tool

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// Commands are what a team gives for a tool that we do not know.
type Commands struct {
	List string // prints "id file" lines, in order
	Up   string // applies all, or up to MIGRATION
	Down string // takes MIGRATION back
}

// commands is a tool by its commands.
type commands struct {
	Commands
	table string // of its bookkeeping
}

func (commands) called() string { return "commands" }

func (commands) traits() Traits { return Traits{} }

func (c commands) bookkeeping() []string {
	if strings.Contains(c.table, ".") {
		return []string{c.table}
	}
	return []string{"public." + c.table}
}

// colours are what programs put around words for a terminal.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")

func (commands) check(context.Context, *run) (*Listing, error) { return nil, nil }

func (c commands) list(ctx context.Context, r *run) (*Listing, error) {
	answer, err := r.with(ctx, command{line: c.List})
	if err != nil {
		return nil, err
	}
	if answer.Code != 0 {
		return nil, exit.Refusedf("LIST_COMMAND ended with exit code %d: %s", answer.Code, answer.LastWords())
	}
	l := &Listing{}
	before := ""
	for line := range strings.Lines(colours.ReplaceAllString(answer.Out, "")) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		m := Listed{ID: words[0], Planned: true}
		if len(words) > 1 {
			m.File = strings.Join(words[1:], " ")
			if _, err := os.Stat(filepath.Join(r.dir, filepath.FromSlash(m.File))); err != nil && !filepath.IsAbs(m.File) {
				return nil, exit.Invalidf("LIST_COMMAND printed %q, and there is no file %s in the clone", strings.TrimSpace(line), m.File).
					Hint("It must print a line for each migration and nothing else: the id, a space, and the file's path from the top of the clone.")
			}
		}
		if before != "" {
			m.Parents = []string{before}
		}
		if c.Down == "" {
			m.NoWayBack = "there is no DOWN_COMMAND"
		}
		if _, twice := l.Find(m.ID); twice {
			return nil, exit.Refusedf("LIST_COMMAND names %s twice", m.ID)
		}
		before = m.ID
		l.Migrations = append(l.Migrations, m)
	}
	return l, nil
}

func (c commands) all() command { return command{line: c.Up, environ: []string{"MIGRATION="}} }

func (c commands) up(m Listed) command { return command{c.Up, c.variables(m)} }

func (c commands) down(m Listed) command { return command{c.Down, c.variables(m)} }

func (commands) variables(m Listed) []string {
	return []string{"MIGRATION=" + m.ID, "MIGRATION_BEFORE=" + strings.Join(m.Parents, " ")}
}

func (commands) applied(context.Context, *server.Database, *Listing) map[string]bool { return nil }

// missing is for CHECK_COMMAND to answer.
func (commands) missing(context.Context, *run) (*Missing, error) { return nil, nil }

func (commands) explain(ctx context.Context, r *run, m Listed, _ Direction, c command) (Answer, []Operation, error) {
	answer, err := r.with(ctx, c)
	return answer, lines(m), err
}

// Options say which program it is.
type Options struct {
	Tool    string
	Program string // how it is called; "" is the framework's own way
	Folder  string
	Table   string // of the bookkeeping, where it is not known
	Commands
}

// NewProgram is the tool of a name; nil is none of those.
func NewProgram(o Options) *Program {
	call := func(usual string) string {
		if o.Program != "" {
			return o.Program
		}
		return usual
	}
	switch o.Tool {
	case "django":
		return &Program{framework: django{call("python manage.py")}}
	case "alembic":
		return &Program{framework: alembic{call("alembic")}}
	case "rails":
		return &Program{framework: rails{call("bin/rails"), o.Folder}}
	case "commands":
		return &Program{framework: commands{o.Commands, o.Table}}
	}
	return nil
}
