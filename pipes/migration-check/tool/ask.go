package tool

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/shared/exit"
)

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
	for i, name := range listing.Unread {
		if real, err := filepath.EvalSymlinks(name); err == nil {
			name = real
		}
		listing.Unread[i], _ = below(dir, name)
	}
	listing.beside()
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
		if m.IsSQL() {
			m.Digest = statement.Words(m.Text)
		}
		if r, ok := p.framework.(reader); ok {
			r.read(m)
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

// Missing asks whether the code wants another schema than a database with everything has.
func (p *Program) Missing(ctx context.Context, d *server.Database, dir string) (*Missing, error) {
	if known := p.missed[d.Name]; known != nil {
		return known, nil
	}
	return p.missing(ctx, p.on(d, dir, nil))
}
