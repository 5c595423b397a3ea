package process

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
)

func TestReplacer(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"", ""},
		{"nothing here", "nothing here"},
		{"/m1/disk", "/m0/disk"},
		{"a /m1/disk/opt:/m1/disk/bin /m1/dis /m1/diskette", "a /m0/disk/opt:/m0/disk/bin /m1/dis /m0/diskette"},
		{"/m/m1/disk/m1/dis", "/m/m0/disk/m1/dis"},
		{strings.Repeat("x", 70_000) + "/m1/disk", strings.Repeat("x", 70_000) + "/m0/disk"},
	}
	for _, test := range tests {
		for name, reader := range map[string]io.Reader{
			"at once": strings.NewReader(test.in), "byte by byte": iotest.OneByteReader(strings.NewReader(test.in)),
			"in halves": iotest.HalfReader(strings.NewReader(test.in)),
		} {
			var out bytes.Buffer
			r := newReplacer(&out, "/m1/disk", "/m0/disk")
			if _, err := io.Copy(struct{ io.Writer }{r}, reader); err != nil {
				t.Fatal(err)
			}
			if err := r.flush(); err != nil || out.String() != test.want {
				t.Errorf("%s: %.60q, %v", name, out.String(), err)
			}
		}
	}
}

func TestGuestUser(t *testing.T) {
	t.Parallel()
	if u, err := guestUser(1000, false); u != nil || err != nil {
		t.Errorf("ordinary user: %v, %v", u, err)
	}
	if u, err := guestUser(0, true); u == nil || u.uid == 0 || u.gid == 0 || err != nil {
		t.Errorf("root in a container: %v, %v", u, err)
	}
	if u, err := guestUser(0, false); u != nil || err == nil {
		t.Errorf("root on a computer: %v, %v", u, err)
	}
}

// Where 127.0.0.1 is the only address, servers get blocks of ports.
func TestSharedAddress(t *testing.T) {
	t.Parallel()
	d, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	d.shared = true
	bases := map[string]bool{}
	for _, instance := range []string{"i-1", "i-2"} {
		address, err := d.Create(instance, "")
		if err != nil || address != "127.0.0.1" {
			t.Fatalf("address %q, %v", address, err)
		}
		read, write := io.Pipe()
		m, err := d.Start(machine.Boot{Instance: instance, FirstBoot: true, Console: write,
			UserData: []byte("#!/bin/sh\necho base=$PORT_BASE\n")})
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(read)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "base=") {
			continue // the cloud's own words may come first
		}
		bases[lines.Text()] = true
		go func() { _, _ = io.Copy(io.Discard, read) }() // until the test ends
		m.Stop()
		_ = write.Close()
	}
	if len(bases) != 2 || bases["base="] || bases[""] {
		t.Errorf("port bases %v", bases)
	}
}

// A place that somebody on this computer has is not taken twice.
func TestClaims(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{false, true} {
		if !shared && !ownAddresses(t.Context()) {
			continue
		}
		first, err := claim(t.Context(), shared)
		if err != nil {
			t.Fatal(err)
		}
		second, err := claim(t.Context(), shared)
		if err != nil {
			t.Fatal(err)
		}
		if first.endpoint == second.endpoint {
			t.Errorf("%s was taken twice", first.endpoint)
		}
		first.release()
		second.release()
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"5": 5 * time.Second, "0.5": 500 * time.Millisecond, "2s": 2 * time.Second, "100ms": 100 * time.Millisecond,
		"1min 30s": 90 * time.Second, "2 sec": 2 * time.Second, "1h": time.Hour,
	} {
		if got, err := span(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "soon", "-1", "-1s"} {
		if got, err := span(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// By default five starts in ten seconds are the last ones, as systemd has it.
func TestStartLimit(t *testing.T) {
	t.Parallel()
	u, _, err := parseUnit("app.service", "[Service]\nExecStart=/bin/app\n")
	if err != nil {
		t.Fatal(err)
	}
	for pause, want := range map[time.Duration]int{0: 6, 2*time.Second - 1: 6, 2 * time.Second: 0} {
		var starts []time.Time
		got := 0 // the start that is refused
		for n := 1; n <= 20 && got == 0; n++ {
			starts = append(starts, time.Unix(0, 0).Add(time.Duration(n)*pause))
			if u.tooOften(starts) {
				got = n
			}
		}
		if got != want {
			t.Errorf("every %s: start %d is refused, want %d", pause, got, want)
		}
	}
}

// Numbers of processes are used again; nobody else's may be ended.
func TestLiving(t *testing.T) {
	t.Parallel()
	sessions := []identity{{10, 1}, {20, 2}, {30, 3}, {40, 4}}
	tasks := []task{
		{identity: identity{10, 1}, session: 10},               // its leader lives
		{identity: identity{21, 5}, session: 20},               // the leader has gone, a member lives
		{identity: identity{30, 9}, session: 30},               // another process leads a session of this number
		{identity: identity{40, 4}, session: 40, zombie: true}, // all have ended
		{identity: identity{50, 6}, session: 50},               // somebody else's
	}
	want := map[int]bool{10: true, 20: true, 30: false, 40: false}
	if diff := cmp.Diff(want, living(tasks, sessions)); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
}

// A cloud may be killed before it has told the guardian of a group: a process that carries
// the marker of a disk gives away those of its group that do not.
func TestGuardianWasNotTold(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("processes cannot be looked into here")
	}
	s, root := newSpawner(), t.TempDir()
	g, err := newGuardian(s, root, nil)
	if err != nil {
		t.Fatal(err)
	}
	guest := exec.CommandContext(t.Context(), "/bin/sh", "-c", "sleep 1000 & env -i /bin/sh -c 'echo here; exec sleep 1000' &")
	guest.Env = []string{"PATH=" + defaultPath, "MACHINE_ROOT=" + root + "/m00001/disk"}
	guest.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	output, err := guest.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := guest.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(output)
	if line, err := lines.ReadString('\n'); line != "here\n" {
		t.Fatalf("%q, %v", line, err)
	}
	g.close()
	s.close()
	if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil { // it ends with the last of them
		t.Errorf("%q, %v", rest, err)
	}
	if err := guest.Wait(); err != nil && err.Error() != "signal: killed" {
		t.Error(err)
	}
}

// The guardian ends the groups it was told of, but not those that it was told
// to forget.
func TestGuardianForgets(t *testing.T) {
	t.Parallel()
	s := newSpawner()
	g, err := newGuardian(s, "/no/such/disks", nil)
	if err != nil {
		t.Fatal(err)
	}
	var sleepers [3]*exec.Cmd
	for i := range sleepers {
		sleepers[i] = exec.CommandContext(t.Context(), "sleep", "1000")
		sleepers[i].SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := sleepers[i].Start(); err != nil {
			t.Fatal(err)
		}
		g.knows(sleepers[i].Process.Pid)
	}
	g.forgets(sleepers[1].Process.Pid)
	g.forgets(sleepers[1].Process.Pid) // unknown by now
	g.close()
	s.close()
	for _, i := range []int{0, 2} {
		if err := sleepers[i].Wait(); err == nil || err.Error() != "signal: killed" {
			t.Errorf("group %d: %v", i, err)
		}
	}
	if err := sleepers[1].Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the forgotten group: %v", err)
	}
	_ = sleepers[1].Process.Kill() // it was alive just now
	_ = sleepers[1].Wait()
}
