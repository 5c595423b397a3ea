// Package servertest runs the scratch PostgreSQL for tests.
package servertest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// Start runs a server in memory until the test ends.
func Start(t testing.TB, o server.Options) *server.Server {
	t.Helper()
	stack := &undo.Stack{}
	t.Cleanup(func() { _ = stack.Run(context.WithoutCancel(t.Context()), false, nil) })
	o.Parent = Memory()
	s, err := server.Start(t.Context(), o, stack)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Database makes one on which SQL was run.
func Database(t testing.TB, s *server.Server, purpose, text string) *server.Database {
	t.Helper()
	d, err := s.Create(t.Context(), purpose)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := d.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	return d
}

// Memory is a folder in memory, in which files come and go faster; "", the place of
// temporary files, where there is none.
func Memory() string {
	const shared = "/dev/shm"
	if info, err := os.Stat(shared); err != nil || !info.IsDir() {
		return ""
	}
	return shared
}

// Binaries is a folder of PostgreSQL's binaries, for POSTGRES_BIN, beside which a cluster
// lies as it does in the pipe's image.
func Binaries(t testing.TB) string {
	t.Helper()
	installed, err := server.Binaries("")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "prepared-") //nolint:usetesting // that of the test is not readable for the server's user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	bin := filepath.Join(dir, "bin")
	err = errors.Join(
		os.Chmod(dir, 0o755), os.Mkdir(bin, 0o755), //nolint:gosec // the same
		os.Symlink(filepath.Join(installed, "postgres"), filepath.Join(bin, "postgres")),
		os.Symlink(filepath.Join(installed, "initdb"), filepath.Join(bin, "initdb")))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, server.Prepared))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(server.Prepare(t.Context(), installed, file), file.Close()); err != nil {
		t.Fatal(err)
	}
	return bin
}
