package agent_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/boot/agent"
	"bitbucket.org/fearless/pipes/shared/contract"
)

// postgres skips where the computer has none, as most developers' do.
func postgres(t *testing.T) {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if _, err := exec.LookPath("initdb"); err != nil && len(found) == 0 {
		t.Skip("there is no PostgreSQL server on this computer")
	}
}

// A real PostgreSQL: it is there before the release process, the seed command finds what
// that has made, and both are gone with the server.
func TestDatabaseOnTheServer(t *testing.T) {
	t.Parallel()
	postgres(t)
	const psql = `psql -qAt -v ON_ERROR_STOP=1 "$DATABASE_URL" -c `
	h := newHost(t, "release: "+psql+"'create table goods (name text)'\nweb: "+psql+"'select count(*) || name from goods group by name' && exec sleep 600\n")
	h.userData.Role, h.userData.Processes, h.userData.Database = "all", []string{"release", "web"}, "server"
	h.userData.Seed = psql + `"insert into goods values ('teapot')"`
	h.userData.Ready = "true"
	// A port that nobody has, since this test has no address of its own.
	port := freePort(t)
	h.Environ = append(h.Environ, fmt.Sprintf("PORT_BASE=%d", port-5432+contract.PortBase))
	if os.Getuid() == 0 { // PostgreSQL does not run as root
		h.Start = agent.System(&syscall.Credential{Uid: 65534, Gid: 65534})
		own(t, h.Root, 65534)
	}
	stop := h.play(t)
	h.eventually(t, "ready", func() bool { return strings.Contains(h.object("all/i-0abc.json"), `"ready":true`) })
	h.eventually(t, "what was seeded", h.says("web: 1teapot\n"))
	if state := h.object("all/i-0abc.json"); !strings.Contains(state, `"knows":["database","seed"]`) {
		t.Error(state)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if log := h.said(); !strings.Contains(log, fmt.Sprintf("boot: the database answers at postgresql://app@127.0.0.1:%d/app?sslmode=disable\n", port)) {
		t.Errorf("the log:\n%s", log)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	socket, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	return socket.Addr().(*net.TCPAddr).Port
}

// own gives a folder, and the way to it, to the user who runs the processes.
func own(t *testing.T, root string, user int) {
	t.Helper()
	if err := filepath.Walk(root, func(path string, _ os.FileInfo, err error) error {
		return errors.Join(err, os.Chown(path, user, user))
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
}

// Without PostgreSQL in the image the server says so, and starts nothing.
func TestNoDatabaseInTheImage(t *testing.T) {
	t.Parallel()
	simulate(t, "web: bin/web\n", func(t *testing.T, h *host, p *troupe) {
		h.userData.Role, h.userData.Processes, h.userData.Database = "all", []string{"web"}, "server"
		p.life = func(string, int) (time.Duration, error) { return time.Millisecond, errors.New("exit code 1") }
		stop := h.play(t)
		pass(3 * time.Minute)
		if state := h.state(t); state.Ready || !strings.Contains(state.Reason, "database ends again and again: exit code 1") {
			t.Errorf("%+v", state)
		}
		if p.started("exec bin/web") != nil {
			t.Error("web was started")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// The seed command runs once, after the release process and before the others.
func TestSeed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		how    error
		ready  bool
		reason string
	}{
		"good": {nil, true, ""},
		"bad":  {errors.New("exit code 4"), false, "the seed command failed: exit code 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, withRelease, func(t *testing.T, h *host, p *troupe) {
				h.userData.Role, h.userData.Processes, h.userData.Seed = "all", []string{"release", "web"}, "bin/seed --all"
				p.life = func(shell string, _ int) (time.Duration, error) {
					switch shell {
					case "exec bin/web":
						return 0, nil
					case "exec bin/seed --all":
						return 5 * time.Second, test.how
					}
					return 5 * time.Second, nil
				}
				for range 2 { // boot is started again
					stop := h.play(t)
					pass(time.Minute)
					if state := h.state(t); state.Ready != test.ready || state.Reason != test.reason {
						t.Errorf("%+v", state)
					}
					if err := stop(); err != nil {
						t.Error(err)
					}
				}
				release, seed, web := p.started("exec bin/migrate"), p.started("exec bin/seed --all"), p.started("exec bin/web")
				if len(release) != 1 || len(seed) != 1 || seed[0] <= release[0] {
					t.Errorf("release %v, seed %v", release, seed)
				}
				if test.ready && (len(web) != 2 || web[0] <= seed[0]) || !test.ready && web != nil {
					t.Errorf("web was started %v", web)
				}
			})
		})
	}
}
