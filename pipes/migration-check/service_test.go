package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"bitbucket.org/fearless/pipes/pipes/migration-check/scratch"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
)

// service starts a PostgreSQL as a service container is one: on a port of this machine, with
// a password. Its address is in SERVICE, host and port of that in SERVICE_HOST; it ends with
// the story.
func service(ts *testscript.TestScript, _ bool, _ []string) {
	bin, err := server.Binaries("")
	ts.Check(err)
	dir, err := os.MkdirTemp("", "service-")
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(dir) })
	who, found := scratch.User("postgres")
	if !found {
		ts.Fatalf("there is no user postgres here")
	}
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

func freePort(ts *testscript.TestScript) int {
	socket, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	ts.Check(err)
	defer socket.Close()
	return socket.Addr().(*net.TCPAddr).Port
}
