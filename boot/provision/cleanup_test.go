package provision_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/contract"
)

func TestCleanUp(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	gone := []string{
		"etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub", "root/.ssh/authorized_keys", "home/admin/.ssh/authorized_keys",
		"var/lib/dbus/machine-id", "var/lib/systemd/random-seed", "var/lib/cloud/instances/i-1/user-data.txt", "var/lib/cloud/sem/x",
		"root/.bash_history", "var/log/journal/abc/system.journal", "tmp/build/x", "tmp/.hidden", "var/tmp/x",
		strings.TrimPrefix(contract.BakeFile, "/"), strings.TrimPrefix(contract.Package, "/"),
	}
	emptied := []string{"etc/machine-id", "var/log/syslog", "var/log/apt/term.log"}
	kept := []string{"etc/ssh/sshd_config", "root/.ssh/config", "home/admin/.ssh/config", "var/lib/cloud/scripts/per-boot/x", "opt/app/log/x", "root/.bashrc"}
	for _, names := range [][]string{gone, emptied, kept} {
		for _, name := range names {
			s.write(t, name, "content", 0o600)
		}
	}
	if err := os.Symlink("instances/i-1", filepath.Join(s.Root, "var/lib/cloud/instance")); err != nil {
		t.Fatal(err)
	}
	if result := s.run(t, t.Context()); !result.OK() {
		t.Fatalf("%+v", result)
	}
	for _, name := range append(gone, "var/lib/cloud/instance") {
		if _, err := os.Lstat(filepath.Join(s.Root, name)); !os.IsNotExist(err) {
			t.Errorf("%s is still there (%v)", name, err)
		}
	}
	for _, name := range emptied {
		if data, err := os.ReadFile(filepath.Join(s.Root, name)); err != nil || len(data) != 0 {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for _, name := range kept {
		if data, err := os.ReadFile(filepath.Join(s.Root, name)); err != nil || string(data) != "content" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

// A link on the machine must not lead the clean-up to the computer around it.
func TestCleanUpStaysOnTheDisk(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "precious"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{"tmp", "var/log"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(s.Root, link)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(s.Root, link)); err != nil {
			t.Fatal(err)
		}
	}
	s.run(t, t.Context())
	if data, err := os.ReadFile(filepath.Join(outside, "precious")); err != nil || string(data) != "content" {
		t.Fatalf("%q, %v", data, err)
	}
}

// Failed servers are looked at; they keep what they have.
func TestNoCleanUpAfterFailure(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.write(t, "opt/app/deploy/provision.sh", "exit 1\n", 0o644)
	s.write(t, "root/.bash_history", "content", 0o600)
	s.run(t, t.Context())
	if _, err := os.Stat(filepath.Join(s.Root, "root/.bash_history")); err != nil {
		t.Error(err)
	}
}
