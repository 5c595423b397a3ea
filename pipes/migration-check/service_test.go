package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// service starts a PostgreSQL as a service container is one: on a port of this machine, with
// a password. Its address is in SERVICE, host and port of that in SERVICE_HOST; it ends with
// the story.
func service(ts *testscript.TestScript, _ bool, _ []string) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("there is no PostgreSQL here: apt-get install postgresql")
	}
	bin := found[len(found)-1]
	dir, err := os.MkdirTemp("", "service-")
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(dir) })
	who := unprivileged(ts)
	password := filepath.Join(dir, "password")
	ts.Check(os.WriteFile(password, []byte("s3cret\n"), 0o644)) //nolint:gosec // of a test
	if who != nil {
		ts.Check(os.Chown(dir, int(who.Uid), int(who.Gid)))
	}
	attributes := &syscall.SysProcAttr{Credential: who}
	initdb := exec.CommandContext(context.Background(), filepath.Join(bin, "initdb"), "-A", "scram-sha-256", "--pwfile", password, "-U", "postgres", "-E", "UTF8", "--locale=C", "-N", "-D", filepath.Join(dir, "data"))
	initdb.Dir, initdb.SysProcAttr = dir, attributes
	if out, err := initdb.CombinedOutput(); err != nil {
		ts.Fatalf("%v: %s", err, out)
	}
	port := freePort(ts)
	control := func(arguments ...string) {
		cmd := exec.CommandContext(context.Background(), filepath.Join(bin, "pg_ctl"), append([]string{"-D", filepath.Join(dir, "data"), "-l", filepath.Join(dir, "log"), "-w"}, arguments...)...)
		cmd.Dir, cmd.SysProcAttr = dir, attributes
		if out, err := cmd.CombinedOutput(); err != nil {
			ts.Fatalf("%v: %s", err, out)
		}
	}
	control("-o", fmt.Sprintf("-c listen_addresses=127.0.0.1 -c port=%d -c unix_socket_directories= -c fsync=off", port), "start")
	ts.Defer(func() { control("-m", "immediate", "stop") })
	ts.Setenv("SERVICE_HOST", fmt.Sprintf("127.0.0.1:%d", port))
	ts.Setenv("SERVICE", "postgres://postgres:s3cret@"+ts.Getenv("SERVICE_HOST")+"/postgres")
}

// unprivileged is who may run a PostgreSQL; nil is whoever we are.
func unprivileged(ts *testscript.TestScript) *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	account, err := user.Lookup("postgres")
	ts.Check(err)
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	ts.Check(err)
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	ts.Check(err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func freePort(ts *testscript.TestScript) int {
	socket, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	ts.Check(err)
	defer socket.Close()
	return socket.Addr().(*net.TCPAddr).Port
}
