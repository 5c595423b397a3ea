package server

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// withCluster is a folder of binaries beside which a cluster lies, and in which initdb
// fails. PostgreSQL finds the rest of itself where postgres leads.
func withCluster(t *testing.T, packed []byte) (bin string) {
	t.Helper()
	real, err := Binaries("")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "prepared-") //nolint:usetesting // that of the test is not readable for the server's user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	bin = filepath.Join(dir, "bin")
	for _, err := range []error{
		os.Chmod(dir, 0o755), os.Mkdir(bin, 0o755),
		os.Symlink(filepath.Join(real, "postgres"), filepath.Join(bin, "postgres")),
		os.WriteFile(filepath.Join(bin, "initdb"), []byte("#!/bin/sh\nexit 1\n"), 0o755), //nolint:gosec // it is a program
		os.WriteFile(filepath.Join(dir, Prepared), packed, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

func TestPrepared(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	if err := Prepare(t.Context(), "", &packed); err != nil {
		t.Fatal(err)
	}
	bin := withCluster(t, packed.Bytes())
	s := start(t, Options{Binaries: bin})
	for _, purpose := range []string{"first", "second"} {
		conn := connect(t, create(t, s, purpose))
		if _, err := conn.Exec(t.Context(), "create table a (id int primary key)"); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "base", "PG_VERSION"} {
		info, err := os.Stat(filepath.Join(data(s.process), name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: others may read it, or %v", name, err)
		}
	}

	dir, err := os.MkdirTemp("", "small-") //nolint:usetesting // that of the test is not readable for the server's user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := syscall.Mount("small", dir, "tmpfs", 0, "size=20m,mode=0755"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	_, err = Start(t.Context(), Options{Binaries: bin, Parent: dir}, &undo.Stack{})
	if hints := strings.Join(exit.HintsOf(err), " "); exit.CodeOf(err) != exit.Unable || !strings.Contains(hints, "The disk of the step is full") {
		t.Errorf("got %v, %q", err, hints)
	}
}

// TestPreparedBadly is a file that is none, is cut off, or leads out of the folder.
func TestPreparedBadly(t *testing.T) {
	t.Parallel()
	packed := func(header tar.Header) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		packed []byte
		want   string
	}{
		"none":    {[]byte(strings.Repeat("no tar", 1000)), "invalid tar header"},
		"cut off": {packed(tar.Header{Name: "PG_VERSION", Size: 3, Typeflag: tar.TypeReg, Mode: 0o600}), "unexpected EOF"},
		"outside": {packed(tar.Header{Name: "../outside", Typeflag: tar.TypeReg, Mode: 0o600}), "escapes"},
		"link":    {packed(tar.Header{Name: "base", Linkname: "/etc", Typeflag: tar.TypeSymlink}), "base is neither a file nor a folder"},
	} {
		stack, parent := &undo.Stack{}, t.TempDir()
		_, err := Start(t.Context(), Options{Binaries: withCluster(t, c.packed), Parent: parent}, stack)
		if exit.CodeOf(err) != exit.Unable || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), Prepared) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
		if err := stack.Run(t.Context(), false, nil); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind %v %v", name, left, err)
		}
	}
}
