package process_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/process"
)

// strays are processes that do what they can to outlive their server.
const strays = `
echo script=$$
sleep 1001 &
echo child=$!
(setsid sh -c 'echo session=$$; exec sleep 1002' &)
env -i sh -c 'sleep 1003 & echo bare=$!'
(setsid sh -c 'trap "" TERM HUP; echo stubborn=$$; while :; do sleep 1; done' &)
while [ ! -e "$MACHINE_ROOT/go" ]; do sleep 0.05; done
echo all are here
sleep 1004
`

var strayNames = []string{"script", "child", "session", "bare", "stubborn"}

func startStrays(t *testing.T, d *process.Driver) (machine.Machine, *screen) {
	t.Helper()
	create(t, d, "i-1", "")
	m, console := boot(t, d, "i-1", strays)
	for _, name := range strayNames {
		console.wait(t, name+"=")
	}
	if err := os.WriteFile(d.Disk("i-1")+"/go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	console.wait(t, "all are here")
	return m, console
}

// A server that was killed is dead, and still on.
func TestKillEndsEveryProcessAtOnce(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	m, console := startStrays(t, d)
	if err := d.Kill("i-1"); err != nil {
		t.Fatal(err)
	}
	for _, name := range strayNames {
		if runs(t, console.value(t, name)) {
			t.Errorf("%s was not killed", name)
		}
	}
	select {
	case <-m.Done():
		t.Error("the server was switched off")
	default:
	}
	m.Stop()
	if err := d.Kill("i-2"); err == nil {
		t.Error("a server that is not there was killed")
	}
}

func TestStopEndsEveryProcess(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{Grace: 300 * time.Millisecond})
	m, console := startStrays(t, d)
	for _, name := range strayNames {
		if !runs(t, console.value(t, name)) {
			t.Errorf("%s does not run", name)
		}
	}
	m.Stop()
	for _, name := range strayNames {
		if runs(t, console.value(t, name)) {
			t.Errorf("%s has outlived its server", name)
		}
	}
	m.Stop() // again: nothing happens
}

// A process that obeys SIGTERM is given the time to finish.
func TestStopIsGentle(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{Grace: unlimited})
	create(t, d, "i-1", "")
	m, console := boot(t, d, "i-1", `
trap 'sleep 0.3; echo finished > "$MACHINE_ROOT/opt/last"; exit 0' TERM
echo ready
while :; do sleep 0.05; done
`)
	console.wait(t, "ready")
	go m.Stop()
	waitOff(t, m, console) // without the grace time being over: everybody ends before
	if got := readFile(t, d.Disk("i-1"), "opt/last"); got != "finished\n" {
		t.Errorf("last words %q", got)
	}
}

// The names by which a script switches a server off; and what is refused.
func TestShims(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	for i, command := range []string{
		"shutdown -h now", "shutdown", "poweroff", "halt", "systemctl poweroff", "systemctl --no-block poweroff",
		"env -i \"$(command -v shutdown)\" now",
	} {
		instance := fmt.Sprint("i-", i)
		create(t, d, instance, "")
		m, console := boot(t, d, instance, command+"\nsleep 60")
		waitOff(t, m, console)
	}
	create(t, d, "i-x", "")
	m, console := boot(t, d, "i-x", `
for command in "shutdown -r now" "reboot" "systemctl start nginx" "systemctl enable nowhere" "systemctl"; do
	$command || echo "refused: $command"
done
systemctl daemon-reload && echo end of commands
`)
	console.wait(t, "end of commands")
	if n := strings.Count(console.String(), "refused: "); n != 5 {
		t.Errorf("%d of 5 commands refused:\n%s", n, console)
	}
	m.Stop()
}

// What is in memory on a real server is gone after it was off.
func TestRunAndTmpAreEmptied(t *testing.T) {
	t.Parallel()
	d := newDriver(t, process.Options{})
	create(t, d, "i-1", "")
	m, console := boot(t, d, "i-1", `cd "$MACHINE_ROOT" && mkdir run/app && touch run/app/pid tmp/file opt/kept; poweroff; sleep 60`)
	waitOff(t, m, console)
	for name, want := range map[string]bool{"run/app": false, "tmp/file": false, "opt/kept": true, "run": true} {
		if _, err := os.Stat(d.Disk("i-1") + "/" + name); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// playCloud starts a server with strays, says so, and waits to be killed.
func playCloud() error {
	d, err := process.New(process.Options{Dir: os.Getenv("PROCESS_TEST_DIR")})
	if err == nil {
		_, err = d.Create("i-1", "")
	}
	if err == nil {
		err = os.WriteFile(d.Disk("i-1")+"/go", nil, 0o644)
	}
	if err == nil {
		_, err = d.Start(machine.Boot{Instance: "i-1", FirstBoot: true, UserData: []byte("#!/bin/sh\n" + strays), Console: os.Stdout})
	}
	if err != nil {
		return err
	}
	select {}
}

// A cloud that is killed takes its guests with it, strays and all.
func TestKilledCloudLeavesNoOrphans(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cloud := exec.CommandContext(t.Context(), program)
	cloud.Env = append(os.Environ(), "PROCESS_TEST_PLAY=cloud", "PROCESS_TEST_DIR="+openTempDir(t))
	output, err := cloud.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cloud.Start(); err != nil {
		t.Fatal(err)
	}
	console := newScreen()
	here := false
	for lines := bufio.NewScanner(output); !here && lines.Scan(); {
		fmt.Fprintln(console, lines.Text())
		// The names come in any order; the strays' own lines may be last.
		here = strings.Contains(console.String(), "all are here")
		for _, name := range strayNames {
			here = here && strings.Contains(console.String(), name+"=")
		}
	}
	if err := cloud.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cloud.Wait() // "signal: killed"
	if !here {
		t.Fatalf("the cloud did not start:\n%s", console)
	}
	for _, name := range strayNames {
		eventually(t, name+" ends", func() bool { return !runs(t, console.value(t, name)) })
	}
}

// The whole suite again as somebody without rights, as on a developer's
// computer.
func TestAsOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("this is an ordinary user already")
	}
	dir := openTempDir(t)
	copyProgram(t, dir+"/process.test")
	if err := os.Mkdir(dir+"/tmp", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir+"/tmp", 0o777); err != nil {
		t.Fatal(err)
	}
	suite := exec.CommandContext(t.Context(), dir+"/process.test", "-test.v=false")
	suite.Dir = dir + "/tmp"
	suite.Env = append(os.Environ(), "TMPDIR="+dir+"/tmp", "HOME="+dir+"/tmp")
	suite.SysProcAttr = asNobody()
	if out, err := suite.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
