package server

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"bitbucket.org/fearless/pipes/pipes/migration-check/scratch"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

const superuser = "postgres"

// begin makes the cluster and starts the server on it.
func begin(ctx context.Context, o Options, stack *undo.Stack) (*scratch.Process, error) {
	bin, err := Binaries(o.Binaries)
	if err != nil {
		return nil, err
	}
	p, err := place(o.Parent, stack)
	if err != nil {
		return nil, err
	}
	if err := cluster(ctx, bin, p); err != nil {
		return nil, err
	}
	return p, p.Start(ctx, stack, func(context.Context) bool { return ready(p) }, filepath.Join(bin, "postgres"), arguments(p)...)
}

// place is where a server can run: PostgreSQL refuses to do so as root.
func place(parent string, stack *undo.Stack) (*scratch.Process, error) {
	who, found := scratch.User("postgres", "nobody")
	if !found {
		return nil, exit.Unablef("the scratch PostgreSQL cannot run as root, and there is neither a user postgres nor nobody").
			Hint("Add one to the image of the step, or use the pipe's own image.")
	}
	// SIGQUIT ends it without a checkpoint, and ends those that it has started, too.
	return scratch.New(scratch.Options{Name: "PostgreSQL", Directory: "fearless-postgres-", Parent: parent, User: who, Signal: syscall.SIGQUIT}, stack)
}

// data is the folder of a server's cluster.
func data(p *scratch.Process) string { return filepath.Join(p.Dir, "data") }

// arguments of the server: no network, nothing that makes data survive a crash.
func arguments(p *scratch.Process) []string {
	arguments := []string{"-D", data(p)}
	for _, setting := range []string{
		"listen_addresses=", "unix_socket_directories=" + p.Dir, "unix_socket_permissions=0700",
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off",
		"wal_level=minimal", "max_wal_senders=0", "max_wal_size=64MB", "jit=off",
		"shared_buffers=64MB", "max_connections=50", "dynamic_shared_memory_type=mmap",
		"log_min_messages=warning", "timezone=UTC", "temp_file_limit=1GB",
	} {
		arguments = append(arguments, "-c", setting)
	}
	return arguments
}

// ready is the server's own word, the eighth line of its pid file.
func ready(p *scratch.Process) bool {
	text, err := os.ReadFile(filepath.Join(data(p), "postmaster.pid"))
	lines := strings.Split(string(text), "\n")
	return err == nil && len(lines) > 7 && strings.HasPrefix(lines[7], "ready")
}
