package agent_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/boot/agent"
)

// Real processes: what they are given, and where their words go.
func TestProcesses(t *testing.T) {
	t.Parallel()
	h := newHost(t, "web: sh dump.sh web\nclock: sh dump.sh clock\nworker: MODE=fast sh dump.sh worker\n")
	h.userData.Role, h.userData.Ready = "all", "test -e all-are-up"
	h.userData.Commit = "4567cdef" // the image was baked for a commit with the same sources
	h.userData.PublicHosts = []string{"shop.example.com", "www.example.com"}
	h.userData.Ports = map[string]int{"worker": 9000}
	h.userData.SettingsPaths = []string{"/shop", "/shop/staging"}
	h.settings["/shop"] = [][2]string{{"log-level", "info"}, {"mail.host", "mx"}, {"PORT", "1"}, {"role", "root"}}
	h.settings["/shop/staging"] = [][2]string{{"log-level", "debug"}}
	h.Environ = append(h.Environ, "PORT_BASE=20000", "AWS_ENDPOINT_URL=http://cloud")
	// The dump is renamed into place, so that it is never read half written.
	h.file(t, "opt/app/dump.sh", `trap 'echo $1 is told to end; exit 0' TERM
env > $1.new; mv $1.new $1.env
echo "$1 in $(pwd)"; echo "$1 on stderr" >&2
while :; do sleep 0.02; done
`)
	stop := h.play(t)
	app := filepath.Join(h.Root, "opt/app")
	env := map[string][]string{}
	for _, name := range []string{"web", "clock", "worker"} {
		h.eventually(t, name+" runs", h.says(name+": "+name+" on stderr\n"))
		data, err := os.ReadFile(filepath.Join(app, name+".env"))
		if err != nil {
			t.Fatal(err)
		}
		env[name] = strings.Split(string(data), "\n")
	}
	for _, want := range []string{
		"HOST=127.0.0.1", "PUBLIC_HOSTS=shop.example.com,www.example.com", "APP_ROOT=" + app, "COMMIT=4567cdef", "APPLICATION=shop",
		"ENVIRONMENT=staging", "ROLE=all", "LOG_LEVEL=debug", "MAIL_HOST=mx", "AWS_REGION=eu-central-1", "AWS_ENDPOINT_URL=http://cloud", "PORT=20000",
	} {
		if !slices.Contains(env["web"], want) {
			t.Errorf("%s is not in the environment of web: %q", want, env["web"])
		}
	}
	for name, want := range map[string]string{"clock": "PORT=20100", "worker": "PORT=21000"} {
		if !slices.Contains(env[name], want) {
			t.Errorf("%s: no %s in %q", name, want, env[name])
		}
	}
	if slices.ContainsFunc(env["web"], func(v string) bool { return strings.HasPrefix(v, "PORT_BASE=") }) || !slices.Contains(env["worker"], "MODE=fast") {
		t.Errorf("web %q\nworker %q", env["web"], env["worker"])
	}
	h.eventually(t, "not ready", h.says("not ready: the ready command fails: exit code 1"))
	h.file(t, "opt/app/all-are-up", "")
	h.eventually(t, "ready", func() bool { return strings.Contains(h.object("all/i-0abc.json"), `"ready":true`) })
	if err := stop(); err != nil {
		t.Error(err)
	}
	log := h.object("all/i-0abc.log")
	for _, want := range []string{
		"web: web in " + app + "\n", "boot: web started with PORT 20000\n", "web: web is told to end\n", "worker: worker is told to end\n",
		"boot: the setting PORT is ignored", "boot: the setting ROLE is ignored", "boot: everything has ended\n",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in the log:\n%s", want, log)
		}
	}
}

// What does not end when it is told to is killed after the drain time, with
// its children.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	h := newHost(t, "web: sh stubborn.sh\n")
	h.userData.Drain = 1
	h.file(t, "opt/app/stubborn.sh", "trap '' TERM\nsleep 1000 &\necho child $!\nwait\nwhile :; do sleep 1; done\n")
	stop := h.play(t)
	h.eventually(t, "web runs", h.says("web: child "))
	if err := stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(h.said(), "everything has ended") {
		t.Errorf("log:\n%s", h.said())
	}
}

// Children of a process that died are ended before it is started again.
func TestOrphansAreEnded(t *testing.T) {
	t.Parallel()
	h := newHost(t, "web: sh parent.sh\n")
	h.file(t, "opt/app/parent.sh", `[ ! -e begun ] || [ -e ended ] || echo it is still there
rm -f ended
sh -c 'trap "touch ended; exit" TERM; touch begun; while :; do sleep 0.02; done' &
until [ -e begun ]; do sleep 0.02; done
echo again; exit 4
`)
	stop := h.play(t)
	h.eventually(t, "a second life", func() bool { return strings.Count(h.said(), "web: again\n") >= 2 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	if strings.Contains(h.said(), "still there") || !strings.Contains(h.said(), "(exit code 4), starts again in 1s") {
		t.Errorf("log:\n%s", h.said())
	}
}

func TestHowProcessesEnd(t *testing.T) {
	t.Parallel()
	for shell, want := range map[string]string{
		"exit 0": "", "exit 7": "exit code 7", "kill -KILL $$": "killed, most likely because the memory ran out",
		"kill -USR1 $$": "ended by signal: user defined signal 1", "exec no-such-program": "exit code 127",
	} {
		p, err := agent.System(nil)(agent.Call{Shell: shell, Dir: t.TempDir(), Environ: os.Environ(), Out: &strings.Builder{}})
		if err != nil {
			t.Fatal(err)
		}
		err = p.Wait()
		p.End(0)
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %q", shell, err, want)
		}
	}
	if _, err := agent.System(nil)(agent.Call{Shell: "true", Dir: "/nowhere", Out: &strings.Builder{}}); err == nil {
		t.Error("started in a directory that does not exist")
	}
}
