package elb

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	// network is the loopback network that addresses are taken from; servers
	// have another one.
	network = "127.89"

	// claimPort marks an address as taken, on the whole computer.
	claimPort = 1339

	// addressTries bounds the search: other clouds may use some.
	addressTries = 1_000
)

// socket is a listening socket on this computer.
type socket struct {
	address string // host:port
	close   func()
}

// claim takes an address of its own for a load balancer, or 127.0.0.1 where
// that is the only one (macOS).
func claim() (address string, held *socket, err error) {
	for n := range addressTries {
		address = fmt.Sprintf("%s.%d.%d", network, n/250, n%250+1)
		listener, err := listen(address, claimPort)
		if err == nil {
			return address, &socket{listener.Addr().String(), func() { _ = listener.Close() }}, nil
		}
		if n == 0 {
			free, err := listen(address, 0)
			if err != nil {
				return "127.0.0.1", nil, nil
			}
			_ = free.Close() // nothing was accepted
		}
	}
	return "", nil, fmt.Errorf("no free address among %d of %s.0.0/16", addressTries, network)
}

func listen(address string, port int) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(context.Background(), "tcp4", net.JoinHostPort(address, strconv.Itoa(port)))
}

// open listens for a listener, on its own port if that can be had.
func (s *Service) open(l *listener) (*socket, error) {
	if !s.sockets {
		return nil, nil
	}
	listening, err := listen(l.balancer.address, l.port)
	if err != nil {
		if listening, err = listen(l.balancer.address, 0); err != nil {
			return nil, fmt.Errorf("listen for %s: %w", l.arn, err)
		}
	}
	server := &http.Server{
		Handler: &front{service: s, listener: l}, ErrorLog: log.New(io.Discard, "", 0),
		ReadHeaderTimeout: time.Minute, IdleTimeout: l.balancer.idle,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listening) // ends by Close; there is no other listener to try
	}()
	return &socket{listening.Addr().String(), func() {
		_ = server.Close() // reports only listeners that were closed before
		<-done
	}}, nil
}

// shut closes a socket, if there is one.
func (s *socket) shut() {
	if s != nil {
		s.close()
	}
}
