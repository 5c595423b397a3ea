package tool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/listen"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
	"bitbucket.org/fearless/pipes/shared/exit"
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

// Listed is one migration as the tool tells of it.
type Listed struct {
	ID         string
	File       string // in the clone; of those that packages bring "", and External
	External   bool
	Text       string
	Digest     string   // of what it does; equal is no edit
	Parents    []string // of the same line of migrations, as the tool names them
	Replaces   []string // ids that a squash stands for
	Planned    bool     // false: a squash stands for it
	Operations []Operation
	NoWayBack  string // why it has no down; "" is that it has one
	app, name  string
}

// Listing is all of them.
type Listing struct {
	Migrations []Listed
	Conflicts  []Conflict
}

// Conflict is where several migrations claim to be the last one, and the tool refuses.
type Conflict struct {
	Of     string   // such as an app; "" is the whole
	Leaves []string // ids
	Advice string   // what to do
}

// Missing is the answer to question (a).
type Missing struct {
	Text  string   // what is missing; "" is nothing
	Lines []string // the same, one each
	Files map[string]string
}

// run is a program at work on one database.
type run struct {
	shell Shell
	dir   string
	heard listen.Heard
	with  func(ctx context.Context, c command) (Answer, error)
}

// Find looks one up.
func (l *Listing) Find(id string) (Listed, bool) {
	for _, m := range l.Migrations {
		if m.ID == id {
			return m, true
		}
	}
	return Listed{}, false
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

// Check finds out whether the code of a work tree works, and may come to know its
// migrations thereby.
func (p *Program) Check(ctx context.Context, d *server.Database, dir string) error {
	listing, err := p.check(ctx, p.on(d, dir, nil))
	if err == nil && listing != nil {
		_, err = p.keep(dir, listing)
	}
	return err
}

// List reads the migrations of a work tree. The database is only there for projects that
// do not start without.
func (p *Program) List(ctx context.Context, d *server.Database, dir string) (*Listing, error) {
	if known := p.listings[dir]; known != nil {
		return known, nil
	}
	listing, err := p.list(ctx, p.on(d, dir, nil))
	if err != nil {
		return nil, err
	}
	return p.keep(dir, listing)
}

// keep completes a listing with what is in the files.
func (p *Program) keep(dir string, listing *Listing) (*Listing, error) {
	for i := range listing.Migrations {
		if err := p.locate(dir, &listing.Migrations[i]); err != nil {
			return nil, err
		}
	}
	if p.listings == nil {
		p.listings = map[string]*Listing{}
	}
	p.listings[dir] = listing
	return listing, nil
}

// locate makes a file's path one from the top of the work tree. A path in another work
// tree would mean that we judge something else than we say.
func (p *Program) locate(dir string, m *Listed) error {
	if m.File == "" {
		m.External = true
		return nil
	}
	name := m.File
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, filepath.FromSlash(name))
	}
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	if inside, ok := below(dir, name); ok && !strings.Contains(inside, "site-packages/") {
		text, err := os.ReadFile(name)
		if err != nil {
			return exit.Unablef("%s: %w", m.ID, err)
		}
		m.File, m.Text = inside, string(text)
		if m.Digest == "" {
			m.Digest = code(m.Text)
		}
		if p.Name() == "alembic" {
			m.NoWayBack = oneWay(m.Text)
		}
		return nil
	}
	if inside, ok := below(p.Clone, name); ok && dir != p.Clone && !strings.Contains(inside, "site-packages/") {
		return exit.Invalidf("the code of the base was asked for its migrations, and answered with %s of the head", inside).
			Hint("The project's package seems to be installed from the clone (pip install -e). Run it from its sources in this step, with PYTHONPATH, so that another commit can be run, too.")
	}
	m.File, m.External = "", true
	return nil
}

func below(dir, name string) (string, bool) {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	rel, err := filepath.Rel(dir, name)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// Folder is the listing of a work tree as the check sees folders.
func (l *Listing) Folder(format, root string) *folder.Folder {
	f := &folder.Folder{Format: folder.Format{Name: format, Down: true}, Path: ".", Root: root}
	for _, m := range l.Migrations {
		if !m.Planned {
			continue
		}
		one := folder.Migration{Version: folder.Named(m.ID), Up: folder.Part{File: m.At(), Text: m.Text}}
		if m.NoWayBack == "" && !m.External {
			one.Down = one.Up
		}
		f.Migrations = append(f.Migrations, one)
	}
	return f
}

// At is the file, or what stands for one that is not in the clone.
func (m Listed) At() string {
	if m.External {
		return "(" + m.ID + ")"
	}
	return m.File
}

// thorough is a framework that can do in one start what takes three otherwise: apply
// everything, again, and tell whether a migration is missing.
type thorough interface {
	// everything tells how many runs went through, and what is missing after two.
	everything(ctx context.Context, r *run) (a Answer, runs int, m *Missing, err error)
}

// UpTwice applies all that is pending, and then what is pending after that, which should
// be nothing. The second error is that of the second run.
func (p *Program) UpTwice(ctx context.Context, d *server.Database, f *folder.Folder) (first, second error) {
	t, ok := p.framework.(thorough)
	if !ok || f.Root == "" {
		if err := p.Up(ctx, d, f); err != nil {
			return err, nil
		}
		return nil, p.Up(ctx, d, f)
	}
	r := p.on(d, f.Root, nil)
	answer, runs, missing, err := t.everything(ctx, r)
	if err == nil && runs < 2 {
		_, err = p.judge(ctx, d, f, Up, r, answer, p.all().line)
	}
	if runs == 0 {
		return err, nil
	}
	if missing != nil {
		p.missed = map[string]*Missing{d.Name: missing}
	}
	return nil, err
}

// Up applies all that is pending.
func (p *Program) Up(ctx context.Context, d *server.Database, f *folder.Folder) error {
	if f.Root == "" {
		return ErrNothing // a base without the tool
	}
	_, err := p.apply(ctx, d, f, Up, p.all())
	return err
}

// Step applies the last migration of the folder, or takes it back.
func (p *Program) Step(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction) error {
	_, err := p.Observe(ctx, d, f, direction, nil)
	return err
}

// Observe is a step under observation. A step that fails is in the trace, too.
func (p *Program) Observe(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction, o *trace.Options) (*trace.Trace, error) {
	m, ok := p.listings[f.Root].Find(f.Migrations[len(f.Migrations)-1].Version.String())
	if !ok {
		return nil, exit.Unablef("%s: %s is not in the listing", p.Name(), f.Migrations[len(f.Migrations)-1].Name())
	}
	c := p.up(m)
	if direction == Down {
		c = p.down(m)
	}
	if o == nil {
		_, err := p.apply(ctx, d, f, direction, c)
		return nil, err
	}
	r := p.on(d, f.Root, o)
	answer, operations, err := p.explain(ctx, r, m, direction, c)
	if err != nil {
		return nil, err
	}
	if r.heard.Trace != nil {
		Place(r.heard.Trace, operations)
	}
	return p.judge(ctx, d, f, direction, r, answer, c.line)
}

// apply runs a command that migrates.
func (p *Program) apply(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction, c command) (*trace.Trace, error) {
	r := p.on(d, f.Root, nil)
	answer, err := r.with(ctx, c)
	if err != nil {
		return nil, err
	}
	return p.judge(ctx, d, f, direction, r, answer, c.line)
}

// judge tells what the end of a command that migrates means.
func (p *Program) judge(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction, r *run, answer Answer, line string) (*trace.Trace, error) {
	t := r.heard.Trace
	if t != nil && answer.Code == 0 && r.heard.Err != nil {
		return nil, exit.Unablef("tracing `%s`: %w", line, d.Server().Explain(r.heard.Err))
	}
	if r.heard.Connections == 0 && (answer.Code == 0 || r.heard.Refused == nil) {
		return nil, exit.Invalidf("`%s` ended with exit code %d without a connection to the scratch database: %s", line, answer.Code, answer.LastWords()).
			Hint("It must take its database from DATABASE_URL, or from PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE. Hand them on under other names in the command: `DB_HOST=$PGHOST DB_PORT=$PGPORT …`.")
	}
	if answer.Code == 0 {
		return t, nil
	}
	failed := p.failure(ctx, d, f, direction, answer, r.heard)
	if t != nil {
		failedAt(t, r.heard, failed)
	}
	return t, server.MissingExtension(failed)
}

// failedAt marks the statement that the server refused, or the end.
func failedAt(t *trace.Trace, heard listen.Heard, failed *Failure) {
	at := len(t.Steps) - 1
	for i, s := range t.Steps {
		if heard.Refused != nil && strings.Contains(heard.Query, s.Statement.Text) {
			at = i
		}
	}
	t.Failed = &trace.Failure{Step: at, Code: failed.Code, Err: failed.Err}
	if at >= 0 {
		t.Failed.Line = t.Steps[at].Statement.Line
	}
}

// failure tells which migration failed, and of what.
func (p *Program) failure(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction, answer Answer, heard listen.Heard) *Failure {
	failed := &Failure{Direction: direction, Err: errors.New(answer.LastWords())}
	var refused *pgconn.PgError
	if heard.Refused != nil && (strings.Contains(answer.All, heard.Refused.Message) || heard.Refused.Code == "57P01") {
		refused = heard.Refused
		failed.Err, failed.Code = refused, refused.Code
		if explained := d.Server().Explain(refused); errors.Is(explained, server.ErrLimit) {
			failed.Err = explained
		}
	}
	done := p.applied(ctx, d)
	if p.Name() == "alembic" && done != nil {
		done = p.listings[f.Root].ancestry(done)
	}
	migrations := slices.Clone(f.Migrations)
	if direction == Down {
		slices.Reverse(migrations)
	}
	for _, m := range migrations {
		if done != nil && done[m.Version.String()] == (direction == Down) {
			failed.Version, failed.File = m.Version, m.Up.File
			break
		}
	}
	return failed
}

// Missing asks whether the code wants another schema than a database with everything has.
func (p *Program) Missing(ctx context.Context, d *server.Database, dir string) (*Missing, error) {
	if known := p.missed[d.Name]; known != nil {
		return known, nil
	}
	return p.missing(ctx, p.on(d, dir, nil))
}

// traceback finds where Python was in the project's own code when it failed.
var traceback = regexp.MustCompile(`File "([^"]+)", line (\d+)`)

// Where is the last place of the project in a traceback, such as " (shop/models.py:3)".
func where(dir, text string) string {
	place := ""
	for _, m := range traceback.FindAllStringSubmatch(text, -1) {
		name := m[1]
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		if inside, ok := below(dir, name); ok && !strings.Contains(inside, "site-packages/") && !strings.HasPrefix(m[1], "<") {
			place = fmt.Sprintf(" (%s:%s)", inside, m[2])
		}
	}
	return place
}
