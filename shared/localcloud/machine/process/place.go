package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// metadataPort is where a server's metadata service listens on the server's
	// own address. 169.254.169.254 cannot be had without being root.
	metadataPort = 1338
	// network is the loopback network that addresses are taken from.
	network = "127.88"
	// Where servers share 127.0.0.1, each has a block of ports; the last of a
	// block is its metadata service.
	firstBlock, blockSize, blocks = 10_000, 1_000, 50
	// tries bounds the search for an address: other clouds may use some.
	tries = 1_000
)

// place is where a server can be reached. The metadata listener claims it on
// the whole computer, for as long as the disk exists: clouds of other
// processes then choose other addresses.
type place struct {
	address  string
	portBase int // 0 when the address is the server's own
	endpoint string
	server   *http.Server
	handler  atomic.Pointer[http.Handler]
	served   chan struct{}
}

// ownAddresses tells whether this computer answers on all of 127.0.0.0/8, as
// Linux does. macOS has 127.0.0.1 only.
func ownAddresses(ctx context.Context) bool {
	listener, err := listen(ctx, network+".255.254", 0)
	if err != nil {
		return false
	}
	_ = listener.Close() // nothing was accepted
	return true
}

func listen(ctx context.Context, address string, port int) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(ctx, "tcp4", net.JoinHostPort(address, strconv.Itoa(port)))
}

func claim(ctx context.Context, shared bool) (*place, error) {
	if shared {
		for n := range blocks {
			base := firstBlock + n*blockSize
			found, err := claimAt(ctx, "127.0.0.1", base, base+blockSize-1)
			if err != nil || found != nil {
				return found, err
			}
		}
		return nil, fmt.Errorf("no free block of %d ports on 127.0.0.1 from %d on", blockSize, firstBlock)
	}
	for n := range tries {
		found, err := claimAt(ctx, fmt.Sprintf("%s.%d.%d", network, n/250, n%250+1), 0, metadataPort)
		if err != nil || found != nil {
			return found, err
		}
	}
	return nil, fmt.Errorf("no free address among %d of %s.0.0/16", tries, network)
}

// claimAt takes a place, or returns nil when somebody has it.
func claimAt(ctx context.Context, address string, portBase, port int) (*place, error) {
	listener, err := listen(ctx, address, port)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listen for metadata: %w", err)
	}
	p := &place{address: address, portBase: portBase, endpoint: "http://" + listener.Addr().String(), served: make(chan struct{})}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(p.served)
		_ = p.server.Serve(listener) // ends by Close; there is no other listener to try
	}()
	return p, nil
}

// ServeHTTP asks the metadata service of the server that is on.
func (p *place) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handler := p.handler.Load(); handler != nil && *handler != nil {
		(*handler).ServeHTTP(w, r)
		return
	}
	http.Error(w, "the server is off", http.StatusServiceUnavailable)
}

func (p *place) release() {
	_ = p.server.Close() // reports only listeners that were closed before
	<-p.served
}
