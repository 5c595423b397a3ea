// Command localcloud runs the local cloud alone, for the AWS CLI or any other
// client on this computer:
//
//	localcloud [-listen 127.0.0.1:4599] [-dir DIR] [-quick | -cloudlike]
//
// It prints what to export, then a line for every API call, and removes
// everything when it is interrupted. Servers are processes of the user who
// runs it, and anybody on this computer may start some: it listens on loopback
// addresses only, and turns web pages away.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Getenv("PATH"))
	stop()
	os.Exit(code)
}
