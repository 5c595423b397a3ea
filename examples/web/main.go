// Command web is a small application with everything that a real one has: a web
// server, a worker, a scheduler, and a step that prepares each release. Which of
// them a process is, the Procfile says.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	// SIGTERM is how a server says that it is about to go.
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if os.Getenv("SHUTDOWN") == "at-once" {
		signals = signals[:1] // SIGTERM ends us in the middle of everything, as it does many programs
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	err := run(ctx, os.Args[1:], os.Getenv)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, env func(string) string) error {
	if len(args) != 1 {
		return fmt.Errorf("expected one of web, worker, scheduler, release, tally")
	}
	spool := Spool{Dir: or(env("DATA_DIR"), "data")}
	switch args[0] {
	case "web":
		return serve(ctx, env("HOST"), or(env("PORT"), "8000"), handler(release(env("COMMIT")), spool))
	case "worker":
		takes, err := duration(env, "JOB_TIME", "100ms")
		if err != nil {
			return err
		}
		abandoned, err := duration(env, "JOB_LIMIT", "1m")
		if err != nil {
			return err
		}
		return worker{spool: spool, name: name(env), pause: time.Second, takes: takes, abandoned: abandoned}.work(ctx)
	case "scheduler":
		every, err := duration(env, "TICK", "10s")
		if err != nil {
			return err
		}
		return scheduler{spool: spool, name: name(env), every: every}.schedule(ctx)
	case "release":
		return spool.Migrate()
	case "tally":
		return tally(spool)
	}
	return fmt.Errorf("%q is not one of web, worker, scheduler, release, tally", args[0])
}

// tally is for people: it fails when something is wrong with the jobs.
func tally(spool Spool) error {
	t, err := spool.Tally()
	if err != nil {
		return err
	}
	fmt.Println(t)
	if len(t.Lost)+len(t.Double)+t.Overlaps > 0 {
		return fmt.Errorf("lost: %v, done twice: %v, overlaps of schedulers: %d", t.Lost, t.Double, t.Overlaps)
	}
	return nil
}

// name is this process, among those of all servers.
func name(env func(string) string) string {
	host := env("HOST")
	if host == "" {
		host, _ = os.Hostname()
	}
	return or(host, "here") + ":" + strconv.Itoa(os.Getpid())
}

func duration(env func(string) string, name, otherwise string) (time.Duration, error) {
	d, err := time.ParseDuration(or(env(name), otherwise))
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s is %q, expected a duration such as %s", name, env(name), otherwise)
	}
	return d, nil
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
