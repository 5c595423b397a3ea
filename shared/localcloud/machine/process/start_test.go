package process_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/process"
)

func TestUserDataRunsAndSwitchesOff(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	create(t, d, "i-1", "")
	m, console := boot(t, d, "i-1", `
echo hello from "$0"
pwd
echo provisioned > "$MACHINE_ROOT/opt/result"
shutdown -h now
sleep 60
echo never
`)
	waitOff(t, m, console)
	if !strings.Contains(console.String(), "hello from ") || strings.Contains(console.String(), "never") {
		t.Errorf("console:\n%s", console)
	}
	if got := readFile(t, d.Disk("i-1"), "opt/result"); got != "provisioned\n" {
		t.Errorf("on the disk: %q", got)
	}
	// The second boot is not a first boot: user data is left alone.
	m, console = reboot(t, d, "i-1")
	m.Stop()
	if strings.Contains(console.String(), "hello") {
		t.Errorf("user data ran again:\n%s", console)
	}
}

// User data that cloud-init would act on, but we do not, is said.
func TestUserDataThatIsNoScript(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	for form, said := range map[string]bool{"#cloud-config\npackages: [nginx]\n": true, `{"role": "web"}`: false, "": false} {
		instance := "i-" + form
		create(t, d, instance, "")
		console := newScreen()
		m, err := d.Start(machine.Boot{Instance: instance, FirstBoot: true, UserData: []byte(form), Console: console})
		if err != nil {
			t.Fatal(err)
		}
		m.Stop()
		if strings.Contains(console.String(), "only scripts") != said {
			t.Errorf("user data %q: %q", form, console)
		}
	}
}

// A guest's environment is made from nothing.
func TestGuestEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "host-secret")
	t.Setenv("BITBUCKET_STEP_OIDC_TOKEN", "host-token")
	t.Setenv("MY_PASSWORD", "host-password")
	d := newDriver(t, process.Options{GuestEnv: []string{"GOCACHE=/cache"}, Path: "/usr/bin:/bin"})
	create(t, d, "i-1", "")
	m, console := boot(t, d, "i-1", "env | sort; echo end of environment")
	console.wait(t, "end of environment")
	m.Stop()
	if strings.Contains(console.String(), "host-") {
		t.Errorf("the host's environment reached the guest:\n%s", console)
	}
	disk := d.Disk("i-1")
	for name, want := range map[string]string{
		"MACHINE_ROOT": disk, "HOME": disk + "/root", "TMPDIR": disk + "/tmp", "GOCACHE": "/cache",
		"PATH":       strings.TrimSuffix(disk, "disk") + "bin:/usr/bin:/bin",
		"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:4599",
	} {
		if got := console.value(t, name); got != want {
			t.Errorf("%s=%s, want %s", name, got, want)
		}
	}
	var names []string
	for line := range strings.Lines(console.String()) {
		name, _, ok := strings.Cut(line, "=")
		if ok && !strings.HasPrefix(name, "[") && !slices.Contains([]string{"_", "OLDPWD", "PWD", "SHLVL"}, name) { // the shell's
			names = append(names, name)
		}
	}
	want := []string{
		"AWS_DEFAULT_REGION", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_REGION",
		"DBUS_SYSTEM_BUS_ADDRESS", "GOCACHE", "HOME", "LANG", "MACHINE_ROOT", "PATH", "TMPDIR",
	}
	slices.Sort(names)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

func TestGuestEnvRefused(t *testing.T) {
	t.Parallel()
	for _, env := range []string{"AWS_ACCESS_KEY_ID=x", "BITBUCKET_COMMIT=x", "PATH=/bin", "HOME=/", "novalue", "=x"} {
		if d, err := process.New(process.Options{Dir: openTempDir(t), GuestEnv: []string{env}}); err == nil {
			t.Errorf("%s was accepted", env)
			_ = d.Close()
		}
	}
}

// As root in a container, the cloud still gives its guests no rights.
func TestGuestsAreNotRoot(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	create(t, d, "i-1", "")
	m, console := boot(t, d, "i-1", "echo uid=$(id -u); echo gids=$(id -G); touch \"$HOME/mine\" && echo end of ids")
	console.wait(t, "end of ids")
	m.Stop()
	root := slices.Contains(strings.Fields(console.value(t, "gids")), "0") && os.Getuid() == 0 // whoever else runs us keeps his groups
	if console.value(t, "uid") == "0" || root {
		t.Errorf("guests are root:\n%s", console)
	}
}

func TestUnreachableDirRefused(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("guests run as this user, who can reach its own folders")
	}
	d, err := process.New(process.Options{Dir: t.TempDir()}) // below a folder of mode 0700
	if err == nil {
		_ = d.Close()
		t.Fatal("disks that guests cannot reach were accepted")
	}
	if !strings.Contains(err.Error(), "cannot enter") {
		t.Errorf("error %v does not say why", err)
	}
}

func TestMetadataIsTheServersOwn(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	endpoints := map[string]string{}
	for _, instance := range []string{"i-1", "i-2"} {
		create(t, d, instance, "")
		console := newScreen()
		m, err := d.Start(machine.Boot{
			Instance: instance, FirstBoot: true, Console: console,
			UserData: []byte("#!/bin/sh\necho endpoint=$AWS_EC2_METADATA_SERVICE_ENDPOINT\necho end of script\n"),
			Metadata: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(instance)) }),
		})
		if err != nil {
			t.Fatal(err)
		}
		console.wait(t, "end of script")
		endpoints[instance] = console.value(t, "endpoint")
		if status, body := get(t, endpoints[instance]+"/any"); status != 200 || body != instance {
			t.Errorf("metadata of %s: %d %q", instance, status, body)
		}
		if instance == "i-1" {
			m.Stop()
			if status, _ := get(t, endpoints[instance]+"/any"); status != http.StatusServiceUnavailable {
				t.Errorf("metadata of a server that is off: %d", status)
			}
		}
	}
}

// Two servers use the same port, each on an address of its own.
func TestAddresses(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	addresses := map[string]bool{}
	for _, instance := range []string{"i-1", "i-2"} {
		address := create(t, d, instance, "")
		if address == "127.0.0.1" {
			t.Skip("this computer has one loopback address only")
		}
		addresses[address] = true
		copyProgram(t, d.Disk(instance)+"/opt/server")
		_, console := boot(t, d, instance, `exec "$MACHINE_ROOT/opt/server" serve `+address+":8000")
		console.wait(t, "serving on")
		if _, body := get(t, "http://"+address+":8000/"); body != address+":8000" {
			t.Errorf("%s answers %q", address, body)
		}
	}
	if len(addresses) != 2 {
		t.Errorf("addresses %v", addresses)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{MaxMachines: 2})
	create(t, d, "i-1", "")
	if _, err := d.Create("i-1", ""); err == nil {
		t.Error("an instance got two disks")
	}
	if _, err := d.Create("i-2", strings.Repeat("0", 64)); err == nil {
		t.Error("a disk was made from content that does not exist")
	}
	if _, err := d.Create("i-2", "../../etc"); err == nil {
		t.Error("content outside of the store was accepted")
	}
	create(t, d, "i-2", "") // the refused ones have taken no place
	if _, err := d.Create("i-3", ""); err == nil || !strings.Contains(err.Error(), process.ErrFull.Error()) {
		t.Errorf("third of two servers: %v", err)
	}
	if _, err := d.Start(machine.Boot{Instance: "i-9"}); err == nil {
		t.Error("an instance without a disk was started")
	}
	m, _ := boot(t, d, "i-1", "exec sleep 60")
	if _, err := d.Start(machine.Boot{Instance: "i-1"}); err == nil {
		t.Error("a running server was started")
	}
	if _, err := d.Freeze("i-1"); err == nil {
		t.Error("a running server was frozen")
	}
	for range 2 {
		if err := d.Destroy("i-1"); err != nil { // switches it off first
			t.Error(err)
		}
	}
	select {
	case <-m.Done():
	default:
		t.Error("destroyed, but not off")
	}
	if _, err := d.Freeze("i-1"); err == nil {
		t.Error("a destroyed server was frozen")
	}
	create(t, d, "i-3", "") // its place is free
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create("i-4", ""); err == nil {
		t.Error("a closed cloud made a disk")
	}
	if err := d.Destroy("i-3"); err != nil {
		t.Error(err)
	}
}
