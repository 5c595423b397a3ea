package provision_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/boot/provision"
)

func TestAddUser(t *testing.T) {
	dir := t.TempDir()
	passwd := filepath.Join(dir, "passwd")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(passwd, "root:x:0:0::/root:/bin/sh\napple:x:1:1::/:\n")
	t.Setenv("PATH", dir)

	var out bytes.Buffer
	if err := provision.AddUser(t.Context(), passwd, &out); err == nil || !strings.Contains(err.Error(), "neither useradd nor adduser") {
		t.Errorf("got %v", err)
	}
	write(filepath.Join(dir, "adduser"), "#!/bin/sh\necho \"adduser $@\"\n")
	if err := provision.AddUser(t.Context(), passwd, &out); err != nil || !strings.HasPrefix(out.String(), "adduser -S ") {
		t.Errorf("got %v, %q", err, out.String())
	}
	out.Reset()
	write(filepath.Join(dir, "useradd"), "#!/bin/sh\necho \"useradd $@\"\nexit 9\n")
	if err := provision.AddUser(t.Context(), passwd, &out); err == nil || !strings.HasSuffix(out.String(), " app\n") {
		t.Errorf("got %v, %q", err, out.String())
	}
	write(passwd, "root:x:0:0::/root:/bin/sh\napp:x:998:998::/home/app:/usr/sbin/nologin\n")
	if err := provision.AddUser(t.Context(), passwd, &out); err != nil {
		t.Errorf("the user exists, got %v", err)
	}
}
