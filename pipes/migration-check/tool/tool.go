// Package tool applies migrations as the project's own tool does: golang-migrate, built
// in, or plain SQL in the order of a folder. Tools that are programs of their own
// (django, alembic, rails, commands) take their place beside these two.
package tool

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
)

// Tool applies migrations of a folder to a database.
type Tool interface {
	Name() string
	// Bookkeeping names the tables that are the tool's own, "schema.table" each.
	Bookkeeping() []string
	// Up applies all that is pending. ErrNothing is the answer when nothing is.
	Up(ctx context.Context, d *server.Database, f *folder.Folder) error
	// Step goes one migration up or down.
	Step(ctx context.Context, d *server.Database, f *folder.Folder, direction Direction) error
}

// Telling is a tool that works in one session of its own making.
type Telling interface {
	// UpTelling is Up, and tells whether the session is then as it was at the start: a file
	// after it meets the same in a new session. That nothing was pending is not clean.
	UpTelling(ctx context.Context, d *server.Database, f *folder.Folder) (clean bool, err error)
}

// Recording is a tool whose migrations others may apply as well.
type Recording interface {
	// Record writes down that the last migration of the folder is applied, as Step does.
	Record(ctx context.Context, d *server.Database, f *folder.Folder) error
}

// Direction of a step.
type Direction int

// The directions.
const (
	Up   Direction = 1
	Down Direction = -1
)

// ErrNothing says that there was no migration to apply.
var ErrNothing = errors.New("nothing to apply")

// Failure is a migration that failed. Errors without it mean that the tool could not work.
type Failure struct {
	Version   folder.Version
	File      string // in the folder
	Direction Direction
	Position  int32 // in the file, in characters from 1; 0 is not known
	Line      int   // of a file that is a program, from 1; 0 is not known
	Code      string
	Err       error
}

// Error says what the server said.
func (f *Failure) Error() string { return fmt.Sprintf("%s: %v", f.File, f.Err) }

// Unwrap gives the server's error.
func (f *Failure) Unwrap() error { return f.Err }

// newFailure tells which file it was.
func newFailure(m folder.Migration, direction Direction, err error) *Failure {
	f := &Failure{Version: m.Version, Direction: direction, File: m.Up.File, Err: err}
	if direction == Down {
		f.File = m.Down.File
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		f.Position, f.Code = pg.Position, pg.Code
		f.Err = pg
	}
	return f
}
