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
	traits() Traits
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
	// applied are the migrations of a listing that a database has; nil is not known.
	applied(ctx context.Context, d *server.Database, l *Listing) map[string]bool
	// missing asks whether the code wants another schema than d, which has everything.
	missing(ctx context.Context, r *run) (*Missing, error)
	// explain runs the command that applies a migration, or takes it back, and tells the
	// parts that it consists of.
	explain(ctx context.Context, r *run, m Listed, direction Direction, c command) (Answer, []Operation, error)
}

// Traits are ways of a tool that the check has to know of.
type Traits struct {
	Comment  string // how one begins in a migration; "" is not known
	Heads    bool   // it applies several last ones
	After    bool   // each migration names the one before, so two branches may each add a last one
	Cascades bool   // it writes CASCADE by itself wherever it drops something
}

// Traits are the tool's.
func (p *Program) Traits() Traits { return p.traits() }

// reader is a framework that sees in the file of a migration what its listing leaves out.
type reader interface {
	read(m *Listed)
}

// dumper is a framework that keeps a dump of the schema as SQL in the project.
type dumper interface {
	// dump is its path; "" is that there is none.
	dump(dir string) string
}

// Dump is the project's dump of the schema as SQL; "" is none.
func (p *Program) Dump(dir string) string {
	if d, ok := p.framework.(dumper); ok {
		return d.dump(dir)
	}
	return ""
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
	// culprit is the operation that failed; nil is not known.
	culprit *culprit
	with    func(ctx context.Context, c command) (Answer, error)
}

// culprit is one of a migration's operations.
type culprit struct {
	id        string
	operation int // from 0
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
