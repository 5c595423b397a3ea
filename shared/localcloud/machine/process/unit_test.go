package process_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/localcloud/machine/process"
)

// enable puts a unit on a disk as `systemctl enable` does.
func enable(t *testing.T, disk, name, text string) {
	t.Helper()
	folder := filepath.Join(disk, "etc/systemd/system")
	if err := os.MkdirAll(filepath.Join(folder, "multi-user.target.wants"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/systemd/system/"+name, filepath.Join(folder, "multi-user.target.wants", name)); err != nil {
		t.Fatal(err)
	}
}

func program(t *testing.T, disk, name, script string) {
	t.Helper()
	path := filepath.Join(disk, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestUnitsStartAtEveryBoot(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	create(t, d, "i-1", "")
	disk := d.Disk("i-1")
	program(t, disk, "opt/fearless/boot", `echo "boot $* as $ROLE in $MACHINE_ROOT"; exec sleep 60`)
	enable(t, disk, "fearless-boot.service", `
# our agent
[Unit]
Description=starts the application
After=network-online.target

[Service]
ExecStart=/opt/fearless/boot run \
    'two words'
Environment=ROLE=web "GREETING=good day"
Restart=always
RestartSec=1min 30s
KillMode=mixed
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
`)
	for range 2 {
		m, console := reboot(t, d, "i-1")
		console.wait(t, "boot run two words as web in "+disk)
		m.Stop()
		if !strings.Contains(console.String(), "LimitNOFILE=65536 has no effect") {
			t.Errorf("an unknown key was ignored silently:\n%s", console)
		}
		if strings.Contains(console.String(), "After=") || strings.Contains(console.String(), "WantedBy=") {
			t.Errorf("keys outside of [Service] are noted:\n%s", console)
		}
	}
}

// The agent enables a unit while the server is being provisioned: it starts at
// the next boot, as on AWS.
func TestEnabledInUserData(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	create(t, d, "i-1", "")
	m, console := boot(t, d, "i-1", `
cat > "$MACHINE_ROOT/etc/systemd/system/app.service" <<'END'
[Service]
ExecStart=/bin/sh -c "echo the unit runs; exec sleep 60"
END
systemctl enable app && systemctl daemon-reload
shutdown now
sleep 60
`)
	waitOff(t, m, console)
	if strings.Contains(console.String(), "the unit runs") {
		t.Errorf("started in the boot that enabled it:\n%s", console)
	}
	m, console = reboot(t, d, "i-1")
	console.wait(t, "the unit runs") // and its program was the host's /bin/sh
	m.Stop()
	if err := os.Remove(filepath.Join(d.Disk("i-1"), "etc/systemd/system/multi-user.target.wants/app.service")); err != nil {
		t.Errorf("the link: %v", err)
	}
	m, console = reboot(t, d, "i-1")
	m.Stop()
	if strings.Contains(console.String(), "the unit runs") {
		t.Error("a disabled unit was started")
	}
}

func TestRestarts(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	create(t, d, "i-1", "")
	disk := d.Disk("i-1")
	program(t, disk, "opt/third", `
echo x >> "$MACHINE_ROOT/opt/$NAME"
[ $(wc -l < "$MACHINE_ROOT/opt/$NAME") -lt 3 ] || { echo "$NAME is content"; exit 0; }
exit 7
`)
	service := func(name, restart string) {
		enable(t, disk, name+".service", "[Unit]\nStartLimitIntervalSec=1h\n[Service]\nExecStart=/opt/third\nEnvironment=NAME="+name+"\nRestartSec=0\nRestart="+restart+"\n")
	}
	service("failing", "on-failure")
	service("single", "no")
	service("eager", "always")
	m, console := reboot(t, d, "i-1")
	console.wait(t, "failing is content")
	console.wait(t, "failing.service: exit status 0")
	console.wait(t, "single.service: exit status 7")
	// A clean end does not stop it, but five starts in the interval do.
	console.wait(t, "eager.service: start request repeated too quickly")
	m.Stop()
	for name, want := range map[string]int{"failing": 3, "single": 1, "eager": 5} {
		if got := strings.Count(readFile(t, disk, "opt", name), "x"); got != want {
			t.Errorf("%s was started %d times, want %d", name, got, want)
		}
	}
}

func TestStartLimitCanBeLifted(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	create(t, d, "i-1", "")
	disk := d.Disk("i-1")
	program(t, disk, "opt/app", `echo x >> "$MACHINE_ROOT/opt/starts"; [ $(wc -l < "$MACHINE_ROOT/opt/starts") -lt 8 ] || echo eighth start`)
	enable(t, disk, "app.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/opt/app\nRestart=always\nRestartSec=1ms\n")
	m, console := reboot(t, d, "i-1")
	console.wait(t, "eighth start")
	m.Stop()
}

// An agent that looks after its application gets the only SIGTERM, when its
// unit says so; what it leaves behind is killed.
func TestKillMode(t *testing.T) {
	t.Parallel()
	const agent = `
trap 'echo $NAME: agent was told; sleep 0.3; echo $NAME: agent has drained; exit 0' TERM
sh -c 'trap "echo $NAME: application was told; exit" TERM; echo $NAME: application runs; while :; do sleep 0.05; done' &
while :; do sleep 0.05; done
`
	d := newDriver(t, process.Options{Grace: unlimited})
	create(t, d, "i-1", "")
	disk := d.Disk("i-1")
	program(t, disk, "opt/agent", agent)
	for _, mode := range []string{"mixed", "control-group"} {
		enable(t, disk, mode+".service", "[Service]\nExecStart=/opt/agent\nKillMode="+mode+"\nEnvironment=NAME="+mode+"\n")
	}
	m, console := reboot(t, d, "i-1")
	console.wait(t, "mixed: application runs")
	console.wait(t, "control-group: application runs")
	go m.Stop()
	waitOff(t, m, console) // without the grace time being over: both agents end before
	for text, want := range map[string]bool{
		"mixed: agent has drained": true, "mixed: application was told": false,
		"control-group: agent has drained": true, "control-group: application was told": true,
	} {
		if strings.Contains(console.String(), text) != want {
			t.Errorf("%q: want %v\n%s", text, want, console)
		}
	}
}

// Before a unit is started again, what the last run left behind is ended, or
// it would keep the port.
func TestRestartEndsWhatIsLeft(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	create(t, d, "i-1", "")
	disk := d.Disk("i-1")
	program(t, disk, "opt/agent", `
[ ! -e "$MACHINE_ROOT/opt/again" ] || { echo second run; exec sleep 1000; }
touch "$MACHINE_ROOT/opt/again"
sleep 1000 &
echo same=$!
setsid sleep 1000 &
echo other=$!
exit 1
`)
	enable(t, disk, "app.service", "[Service]\nExecStart=/opt/agent\nRestart=on-failure\n")
	_, console := reboot(t, d, "i-1")
	console.wait(t, "second run")
	for _, name := range []string{"same", "other"} {
		if runs(t, console.value(t, name)) {
			t.Errorf("%s has outlived its unit", name)
		}
	}
}

// What cannot be obeyed is not started, and said.
func TestBadUnits(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	create(t, d, "i-1", "")
	disk := d.Disk("i-1")
	for name, text := range map[string]string{
		"none":     "[Service]\nRestart=no\n",
		"relative": "[Service]\nExecStart=bin/app\n",
		"prefixed": "[Service]\nExecStart=-/bin/app\n",
		"expanded": "[Service]\nExecStart=/bin/app $PORT\n",
		"twice":    "[Service]\nExecStart=/bin/a\nExecStart=/bin/b\n",
		"quoted":   "[Service]\nExecStart=/bin/a 'b\n",
		"escaped":  "[Service]\nExecStart=/bin/a \\\"b\n",
		"often":    "[Service]\nExecStart=/bin/a\nRestart=on-abnormal\n",
		"later":    "[Service]\nExecStart=/bin/a\nRestartSec=soon\n",
		"garbage":  "[Service]\nExecStart\n",
	} {
		enable(t, disk, name+".service", text)
	}
	// Links may not lead out of the disk.
	wants := filepath.Join(disk, "etc/systemd/system/multi-user.target.wants")
	if err := os.Symlink("../../../../../../../../../../etc/passwd", filepath.Join(wants, "outside.service")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(wants, "nightly.timer"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	program(t, disk, "opt/gone", "")
	enable(t, disk, "missing.service", "[Service]\nExecStart=/opt/absent\n")
	m, console := reboot(t, d, "i-1")
	console.wait(t, "missing.service: fork/exec /opt/absent")
	m.Stop()
	for name, want := range map[string]string{
		"none": "no ExecStart", "relative": "absolute path", "prefixed": "absolute path", "expanded": "not expanded",
		"twice": "there is one already", "quoted": "not closed", "escaped": "backslashes", "often": `"on-abnormal" is not known`,
		"later": "not a time span", "garbage": "no assignment", "outside": "escapes", "nightly": "only services",
	} {
		found := false
		for line := range strings.Lines(console.String()) {
			found = found || strings.Contains(line, name+".") && strings.Contains(line, want)
		}
		if !found {
			t.Errorf("%s: the console does not say %q:\n%s", name, want, console)
		}
	}
}
