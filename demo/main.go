// Command demo plays pipelines on this computer: ami-bake bakes three commits of the
// sample application on the local cloud, a server of each of the first two images answers
// with its own version, and deploy-env releases all three to staging, under the requests
// of a client; the third does not start and is taken back, and rollback brings the first
// one back. Meanwhile test-env shows the first two side by side, each at its own address.
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
