// Command cluster writes the cluster that migration-check starts its PostgreSQL on, made by
// the newest server of this machine, so that no run of the pipe has to make one:
//
//	cluster <folder of the server>/cluster.tar
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
		os.Exit(1)
	}
}

// run leaves no half of a file.
func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("expected: the file to write, such as /usr/lib/postgresql/15/" + server.Prepared)
	}
	file, err := os.Create(args[0])
	if err != nil {
		return err
	}
	if err := errors.Join(server.Prepare(ctx, "", file), file.Close()); err != nil {
		return errors.Join(err, os.Remove(args[0]))
	}
	return nil
}
