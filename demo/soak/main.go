// Command soak replaces images under traffic for minutes: releases, rollbacks, deploys that
// fail or are cancelled, servers that die. It fails when a request does, and shows what clients
// saw. What must hold exactly is said in package proof.
//
//	go run ./demo/soak [-for 5m] [-story rollbacks]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"bitbucket.org/fearless/pipes/demo/proof"
)

// longest is how much longer than asked for it may take: to compile, to bake, to end
// what has begun.
const longest = 20 * time.Minute

func main() {
	length := flag.Duration("for", 5*time.Minute, "how long stories are told again; 0 is once")
	story := flag.String("story", "", "the one story to tell; blank: all of them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, *length+longest)
	err := soak(ctx, os.Stdout, *length, *story)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "soak: %v\n", err)
		os.Exit(1)
	}
}

func soak(ctx context.Context, out io.Writer, length time.Duration, story string) error {
	fmt.Fprintln(out, "compiling, then baking four versions of the sample application …")
	began := time.Now()
	p, err := proof.Open(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "the images are there after %.1f s\n", time.Since(began).Seconds())
	err = p.Prove(ctx, out, length, story)
	if closed := p.Close(); err == nil {
		err = closed
	}
	return err
}
