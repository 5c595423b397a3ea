// Command boot is the program inside every image. On a build server it turns
// the server into an image (boot provision), on every other server it plays
// the server's role (boot run).
//
//	boot provision /opt/fearless/bake.json
//	boot run
//
// With MACHINE_ROOT the server's disk is that directory instead of /.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := world{
		args: os.Args[1:], environ: os.Environ(), root: os.Getenv("MACHINE_ROOT"),
		uid: os.Geteuid(), container: inContainer(os.Getenv), out: os.Stdout,
	}.boot(ctx)
	stop()
	os.Exit(int(code))
}
