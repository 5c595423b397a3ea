package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/process"
)

// Exit codes, those of our pipes.
const (
	done    = 0
	invalid = 2
	unable  = 3
)

// region is the only one that the local cloud plays.
const region = "us-east-1"

// run serves until the context ends, and returns the exit code.
func run(ctx context.Context, args []string, out io.Writer, path string) int {
	s, err := parse(args, out)
	if err != nil {
		fmt.Fprintf(out, "localcloud: %v\n", err)
		return invalid
	}
	if err := serve(ctx, s, out, path); err != nil {
		fmt.Fprintf(out, "localcloud: %v\n", err)
		return unable
	}
	return done
}

func serve(ctx context.Context, s settings, out io.Writer, path string) (err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.listen)
	if err != nil {
		return err
	}
	endpoint := "http://" + listener.Addr().String()
	cloud, err := open(s, endpoint, path)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: &front{cloud: cloud, out: out}, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprint(out, exports(endpoint))
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "closing: servers are switched off, disks are removed")
	case err = <-served:
	}
	return errors.Join(err, server.Close(), cloud.Close())
}

func open(s settings, endpoint, path string) (*localcloud.Cloud, error) {
	machines, err := process.New(process.Options{Dir: s.dir, Path: path})
	if err != nil {
		return nil, err
	}
	cloud, err := localcloud.New(localcloud.Options{Region: region, Timing: s.timing, Machines: machines, Endpoint: endpoint})
	if err != nil {
		return nil, errors.Join(err, machines.Close())
	}
	return cloud, nil
}

// exports are lines for a shell. What is unset would be stronger than what is
// set, or would not fit to it.
func exports(endpoint string) string {
	return fmt.Sprintf(`export AWS_ENDPOINT_URL=%s
export AWS_ACCESS_KEY_ID=AKIALOCALCLOUDEXAMPL
export AWS_SECRET_ACCESS_KEY=any-will-do
export AWS_DEFAULT_REGION=%s
export AWS_EC2_METADATA_DISABLED=true
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_REGION
`, endpoint, region)
}
