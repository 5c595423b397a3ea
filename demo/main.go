// Command demo plays a pipeline on this computer: it bakes two commits of the sample
// application with the real ami-bake program on the local cloud, starts a server of
// each image, and asks both for their versions.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// longest bounds the whole demo. The first run on a machine compiles everything.
const longest = 20 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, longest)
	err := play(ctx, os.Stdout)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}
