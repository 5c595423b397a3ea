// Command web is a small application with everything that a real one has: a web
// server, a worker, a scheduler, and a step that prepares each release. Which of
// them a process is, the Procfile says.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	// SIGTERM is how a server says that it is about to go.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, env func(string) string) error {
	if len(args) != 1 {
		return fmt.Errorf("expected one of web, worker, scheduler, release")
	}
	spool := Spool{Dir: or(env("DATA_DIR"), "data")}
	switch args[0] {
	case "web":
		return serve(ctx, env("HOST"), or(env("PORT"), "8000"), handler(release(env("COMMIT")), spool))
	case "worker":
		return work(ctx, spool, time.Second)
	case "scheduler":
		every, err := time.ParseDuration(or(env("TICK"), "10s"))
		if err != nil || every <= 0 {
			return fmt.Errorf("TICK is %q, expected a duration such as 10s", env("TICK"))
		}
		return schedule(ctx, spool, every)
	case "release":
		return spool.Migrate()
	}
	return fmt.Errorf("%q is not one of web, worker, scheduler, release", args[0])
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
