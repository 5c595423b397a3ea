package process_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/localcloud/machine/process"
)

// install is what a provision script may do to a disk; like a virtualenv it
// writes the disk's path into a script and a link.
const install = `
umask 022
cd "$MACHINE_ROOT/opt" && mkdir -p app/bin app/locked
echo 1.4.0 > app/VERSION
printf '#!/bin/sh\ncat %s/opt/app/VERSION\n' "$MACHINE_ROOT" > app/bin/show
chmod 755 app/bin/show
ln -s VERSION app/current
ln -s "$MACHINE_ROOT/opt/app/VERSION" app/absolute
ln -s /usr/bin/env app/host
mkfifo app/queue
chmod 640 app/VERSION
echo read only > app/locked/file
chmod 444 app/locked/file; chmod 555 app/locked
shutdown -h now
sleep 60
`

// baked makes a frozen disk.
func baked(t *testing.T, d *process.Driver, instance, script string) (content string) {
	t.Helper()
	create(t, d, instance, "")
	m, console := boot(t, d, instance, script)
	waitOff(t, m, console)
	content, err := d.Freeze(instance)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestWhatWasBakedIsWhatRuns(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	content := baked(t, d, "i-bake", install)
	if err := d.Destroy("i-bake"); err != nil {
		t.Fatal(err)
	}
	create(t, d, "i-run", content)
	disk := d.Disk("i-run")
	if target, err := os.Readlink(disk + "/opt/app/absolute"); err != nil || target != disk+"/opt/app/VERSION" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	for name, want := range map[string]os.FileMode{
		"opt/app/VERSION": 0o640, "opt/app/bin/show": 0o755, "opt/app/locked": os.ModeDir | 0o555,
		"opt/app/locked/file": 0o444, "opt/app/queue": os.ModeNamedPipe | 0o644, "opt/app/host": os.ModeSymlink | 0o777,
	} {
		info, err := os.Lstat(filepath.Join(disk, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, info, err, want)
		}
	}
	// The installed program works in its new place, although it was told the
	// old one; and what this server changes stays its own.
	m, console := boot(t, d, "i-run", `"$MACHINE_ROOT/opt/app/bin/show"; echo 9.9.9 > "$MACHINE_ROOT/opt/app/current"; poweroff; sleep 60`)
	waitOff(t, m, console)
	if !strings.Contains(console.String(), "1.4.0") {
		t.Errorf("console:\n%s", console)
	}
	create(t, d, "i-second", content)
	if got := readFile(t, d.Disk("i-second"), "opt/app/VERSION"); got != "1.4.0\n" {
		t.Errorf("a server changed the image: %q", got)
	}
}

func TestContentIsNamedByWhatItIs(t *testing.T) {
	t.Parallel()
	d, other := newDriver(t, process.Options{}), newDriver(t, process.Options{})
	content := baked(t, d, "i-1", install)
	if again := baked(t, d, "i-2", install); again != content {
		t.Error("two servers, the same steps, two names")
	}
	if elsewhere := baked(t, other, "i-1", install); elsewhere != content {
		t.Error("two clouds, the same steps, two names")
	}
	create(t, d, "i-copy", content)
	if copied, err := d.Freeze("i-copy"); err != nil || copied != content {
		t.Errorf("a copy has another name: %v, %v", copied, err)
	}
	for name, change := range map[string]string{
		"bytes": "echo 1.4.1 > VERSION", "mode": "chmod 600 VERSION", "name": "mv VERSION version", "link": "ln -sf VERSION host",
		"new file": "touch new", "new folder": "mkdir new",
	} {
		before, after, _ := strings.Cut(install, "shutdown")
		script := before + `cd "$MACHINE_ROOT/opt/app" && ` + change + "\nshutdown" + after
		if changed := baked(t, d, "i-"+strings.ReplaceAll(name, " ", "-"), script); changed == content {
			t.Errorf("another %s, the same name", name)
		}
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	content := baked(t, d, "i-1", install)
	create(t, d, "i-2", content)
	for range 2 {
		if err := d.Forget(content); err != nil {
			t.Error(err)
		}
	}
	if err := d.Forget("../.."); err != nil { // no content has such a name
		t.Error(err)
	}
	if _, err := d.Create("i-3", content); err == nil {
		t.Error("a disk was made from forgotten content")
	}
	m, console := boot(t, d, "i-2", `cat "$MACHINE_ROOT/opt/app/VERSION"; poweroff; sleep 60`)
	waitOff(t, m, console) // a server does not need the image it was made from
	if !strings.Contains(console.String(), "1.4.0") {
		t.Errorf("console:\n%s", console)
	}
}
