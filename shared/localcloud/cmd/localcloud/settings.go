package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"

	"bitbucket.org/fearless/pipes/shared/localcloud"
)

// settings are the flags after they were checked.
type settings struct {
	listen string
	dir    string
	timing localcloud.Timing
}

func parse(args []string, out io.Writer) (settings, error) {
	flags := flag.NewFlagSet("localcloud", flag.ContinueOnError)
	flags.SetOutput(out)
	s := settings{timing: localcloud.RealTime()}
	flags.StringVar(&s.listen, "listen", "127.0.0.1:4599", "loopback `address` and port to listen on; port 0 takes a free one")
	flags.StringVar(&s.dir, "dir", "", "`folder` in which the disks are made (default: the system's for temporary files)")
	quick := flags.Bool("quick", false, "servers and images are ready in tenths of seconds (default)")
	cloudlike := flags.Bool("cloudlike", false, "servers and images take as long as on AWS")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	if *quick && *cloudlike {
		return s, errors.New("-quick and -cloudlike exclude each other")
	}
	if *cloudlike {
		s.timing = localcloud.CloudLike()
	}
	return s, loopback(s.listen)
}

// loopback refuses addresses that other computers can reach: whoever reaches
// the local cloud may run any program here, by starting a server.
func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("-listen %s: %w", address, err)
	}
	ip := net.ParseIP(host)
	if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("-listen %s: only loopback addresses such as 127.0.0.1 are served", address)
	}
	return nil
}
