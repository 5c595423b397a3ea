package tool

import (
	"context"

	"bitbucket.org/fearless/pipes/pipes/migration-check/listen"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
)

// Program is a tool that applies migrations by itself: a framework of the project, or
// commands of the team's. It runs in a work tree of the commit whose migrations are asked
// for, and finds the database in DATABASE_URL.
type Program struct {
	framework
	Shell Shell
	Clone string // of the head

	listings map[string]*Listing // by work tree
	missed   map[string]*Missing // answers that are known already, by database
}

// framework is what differs between programs.
type framework interface {
	called() string
	bookkeeping() []string
	// check finds out whether the project's code works at all. Its error says why not. A
	// tool that tells what there is in the same breath gives that, too; else it is nil.
	check(ctx context.Context, r *run) (*Listing, error)
	// list tells what there is, in the order in which it is applied.
	list(ctx context.Context, r *run) (*Listing, error)
	// The lines that apply everything, one, and take one back.
	all() command
	up(m Listed) command
	down(m Listed) command
	// applied are the migrations that a database has; nil is not known.
	applied(ctx context.Context, d *server.Database) map[string]bool
	// missing asks whether the code wants another schema than d, which has everything.
	missing(ctx context.Context, r *run) (*Missing, error)
	// explain runs the command that applies a migration, or takes it back, and tells the
	// parts that it consists of.
	explain(ctx context.Context, r *run, m Listed, direction Direction, c command) (Answer, []Operation, error)
}

// Name is that of the setting.
func (p *Program) Name() string { return p.called() }

// Bookkeeping is what the tool writes for itself.
func (p *Program) Bookkeeping() []string { return p.bookkeeping() }

// command is a line for the shell with variables of its own.
type command struct {
	line    string
	environ []string
}

// run is a program at work on one database.
type run struct {
	shell Shell
	dir   string
	heard listen.Heard
	with  func(ctx context.Context, c command) (Answer, error)
}

// on prepares work on a database. With observe each statement is traced.
func (p *Program) on(d *server.Database, dir string, observe *trace.Options) *run {
	r := &run{shell: p.Shell, dir: dir}
	r.with = func(ctx context.Context, c command) (Answer, error) {
		l, err := listen.Open(ctx, d, observe)
		if err != nil {
			return Answer{}, err
		}
		answer, err := p.Shell.Run(ctx, dir, c.line, append(l.Environ(), c.environ...))
		r.heard = l.Close()
		return answer, err
	}
	return r
}
