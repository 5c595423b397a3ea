package tool

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/listen"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
	"bitbucket.org/fearless/pipes/shared/exit"
)

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
	_, err := p.Timed(ctx, d, f, direction)
	return err
}

// Timed is Step, and tells how long the database worked for it: the start of a program takes
// longer than most migrations, and would hide them.
func (p *Program) Timed(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction) (time.Duration, error) {
	_, c, err := p.command(f, direction)
	if err != nil {
		return 0, err
	}
	return p.apply(ctx, d, f, direction, c)
}

// command is the one of a step.
func (p *Program) command(f *folder.Folder, direction Direction) (Listed, command, error) {
	m, ok := p.listings[f.Root].Find(f.Migrations[len(f.Migrations)-1].Version.String())
	if !ok {
		return m, command{}, exit.Unablef("%s: %s is not in the listing", p.Name(), f.Migrations[len(f.Migrations)-1].Name())
	}
	if direction == Down {
		return m, p.down(m), nil
	}
	return m, p.up(m), nil
}

// Observe is a step under observation. A step that fails is in the trace, too. The trace
// took what the database did, as of Timed.
func (p *Program) Observe(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction, o *trace.Options) (*trace.Trace, error) {
	m, c, err := p.command(f, direction)
	if err != nil {
		return nil, err
	}
	r := p.on(d, f.Root, o)
	answer, operations, err := p.explain(ctx, r, m, direction, c)
	if err != nil {
		return nil, err
	}
	if r.heard.Trace != nil {
		r.heard.Trace.Took = r.heard.Took
		Place(r.heard.Trace, operations)
		Narrow(r.heard.Trace, m.Text)
	}
	return p.judge(ctx, d, f, direction, r, answer, c.line)
}

// apply runs a command that migrates, and tells how long the database worked for it.
func (p *Program) apply(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction, c command) (time.Duration, error) {
	r := p.on(d, f.Root, nil)
	answer, err := r.with(ctx, c)
	if err != nil {
		return 0, err
	}
	_, err = p.judge(ctx, d, f, direction, r, answer, c.line)
	return r.heard.Took, err
}

// judge tells what the end of a command that migrates means.
func (p *Program) judge(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction, r *run, answer Answer, line string) (*trace.Trace, error) {
	t := r.heard.Trace
	if t != nil && answer.Code == 0 && r.heard.Err != nil {
		return nil, exit.Unablef("tracing `%s`: %w", line, d.Server().Explain(r.heard.Err))
	}
	if r.heard.Connections == 0 && (answer.Code == 0 || r.heard.Refused == nil) {
		at := ""
		if f.Root != p.Clone {
			at = "at the base: "
		}
		return nil, exit.Invalidf("%s`%s` ended with exit code %d without a connection to the scratch database: %s", at, line, answer.Code, answer.LastWords()).
			Hint("It must take its database from DATABASE_URL, or from PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE. Hand them on under other names in the command: `DB_HOST=$PGHOST DB_PORT=$PGPORT …`.")
	}
	if answer.Code == 0 {
		return t, nil
	}
	failed := p.failure(ctx, d, f, direction, answer, r)
	if t != nil {
		failedAt(t, r.heard, failed, p.listings[f.Root])
	}
	return t, server.MissingExtension(failed)
}

// failedAt marks the statement that the server refused, or the end. Where the migration's
// own code was is more than where its operation is, and less than where its SQL is.
func failedAt(t *trace.Trace, heard listen.Heard, failed *Failure, listing *Listing) {
	t.Failed = &trace.Failure{Step: len(t.Steps) - 1, Code: failed.Code, Err: failed.Err, Line: failed.Line}
	if heard.Refused == nil || failed.Code != heard.Refused.Code {
		return
	}
	for i, s := range t.Steps {
		if !strings.Contains(heard.Query, s.Statement.Text) {
			continue
		}
		t.Failed.Step = i
		if line := s.Statement.Line; line > 0 && (failed.Line == 0 || listing.sameCode(failed.File, failed.Line, line)) {
			t.Failed.Line = line
		}
	}
}

// sameCode tells whether two lines are of one logical line of a migration.
func (l *Listing) sameCode(file string, one, other int) bool {
	for _, m := range l.Migrations {
		if m.File != file {
			continue
		}
		spans, _ := scan(m.Text)
		return slices.ContainsFunc(spans, func(s Span) bool { return s.First <= min(one, other) && max(one, other) <= s.Last })
	}
	return false
}

// failure tells which migration failed, and of what.
func (p *Program) failure(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction, answer Answer, r *run) *Failure {
	heard := r.heard
	failed := &Failure{Direction: direction, Err: errors.New(answer.LastWords())}
	var refused *pgconn.PgError
	if heard.Refused != nil && (strings.Contains(answer.All, heard.Refused.Message) || heard.Refused.Code == "57P01") {
		refused = heard.Refused
		failed.Err, failed.Code = refused, refused.Code
		if explained := d.Server().Explain(refused); errors.Is(explained, server.ErrLimit) {
			failed.Err = explained
		}
	}
	if m, ok := p.culprit(ctx, d, f, direction, answer); ok {
		failed.Version, failed.File = m.Version, m.Up.File
		failed.Line = lineIn(f.Root, answer.All, m.Up.File)
	}
	if r.culprit != nil {
		p.blamed(f, r.culprit, failed)
	}
	return failed
}

// blamed is the operation that the tool says has failed, as far as code in it does not say
// more.
func (p *Program) blamed(f *folder.Folder, c *culprit, failed *Failure) {
	m, ok := p.listings[f.Root].Find(c.id)
	if !ok || m.External || failed.File == m.File && failed.Line > 0 {
		return
	}
	failed.Version, failed.File = folder.Named(m.ID), m.File
	if c.operation < len(m.Operations) {
		failed.Line = m.Operations[c.operation].First
	}
}

// culprit is the migration that failed: the one in which the program's code was, else the
// first one that is not done.
func (p *Program) culprit(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction, answer Answer) (folder.Migration, bool) {
	in := places(f.Root, answer.All)
	for i := len(in) - 1; i >= 0; i-- {
		for _, m := range f.Migrations {
			if m.Up.File == in[i].file {
				return m, true
			}
		}
	}
	done := p.applied(ctx, d, p.listings[f.Root])
	migrations := slices.Clone(f.Migrations)
	if direction == Down {
		slices.Reverse(migrations)
	}
	for _, m := range migrations {
		if done != nil && done[m.Version.String()] == (direction == Down) {
			return m, true
		}
	}
	return folder.Migration{}, false
}
