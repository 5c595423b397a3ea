package process

import (
	"net"
	"strconv"
)

// firstPort is the port that stands for the first of a server's block where
// servers share an address: what would listen on it listens on PORT_BASE.
const firstPort = 8000

// Reach is where a port of a server can be reached from this computer, as
// host:port; "" when there is no such server.
func (d *Driver) Reach(instance string, port int) string {
	found, err := d.disk(instance)
	if err != nil {
		return ""
	}
	if base := found.place.portBase; base > 0 {
		port += base - firstPort
	}
	return net.JoinHostPort(found.place.address, strconv.Itoa(port))
}
