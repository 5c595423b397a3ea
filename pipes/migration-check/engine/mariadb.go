package engine

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/go-sql-driver/mysql"

	"bitbucket.org/fearless/pipes/pipes/migration-check/scratch"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// startMariaDB starts a private server without a network. It takes about a second.
func startMariaDB(ctx context.Context, o Options, stack *undo.Stack) (Server, error) {
	install, first := find("mariadb-install-db")
	program, second := find("mariadbd")
	if first != nil || second != nil {
		return nil, exit.Unablef("no MariaDB was found to try the migrations on").
			Hint("Run a MariaDB or MySQL as a service of the step and set SCRATCH_DATABASE_URL: mysql://root:password@127.0.0.1:3306/;",
				"or install one into the step's image (Debian: apt-get install mariadb-server).")
	}
	who, found := scratch.User("mysql", "nobody")
	if !found {
		return nil, exit.Unablef("the scratch MariaDB should not run as root, and there is neither a user mysql nor nobody").
			Hint("Add one to the image of the step, or set SCRATCH_DATABASE_URL.")
	}
	p, err := scratch.New(scratch.Options{Name: "MariaDB", Directory: "fearless-mariadb-", User: who, Signal: syscall.SIGKILL}, stack)
	if err != nil {
		return nil, err
	}
	data, socket := "--datadir="+filepath.Join(p.Dir, "data"), filepath.Join(p.Dir, "socket")
	out, err := p.Run(ctx, install, "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db")
	if ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		return nil, exit.Unablef("making the scratch MariaDB: mariadb-install-db: %w: %s", err, scratch.LastLines(out))
	}
	listens := func(ctx context.Context) bool {
		// The socket is there a moment before the server listens to it.
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
		return err == nil && conn.Close() == nil
	}
	if err := p.Start(ctx, stack, listens, program, "--no-defaults", data, "--skip-networking", "--socket="+socket, "--pid-file="+filepath.Join(p.Dir, "pid"),
		"--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-buffer-pool-size=64M",
		"--performance-schema=0", "--default-time-zone=+00:00", "--secure-file-priv="+p.Dir, "--local-infile=0", "--tmpdir="+p.Dir); err != nil {
		return nil, err
	}
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr = "root", "unix", socket
	return connect(ctx, config, o, stack, p)
}

// find looks where distributions keep programs of the system, too.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}
