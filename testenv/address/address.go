// Package address finds loopback addresses for what listens later, or again and
// again: a service that a test starts by its configuration, a broker that is
// taken away and brought back.
//
// An address got by listening on port 0 and closing is anybody's until then: the
// system gives such ports to connections going out and to whoever asks for port
// 0 next. These are below that range, and two who ask never get the same.
package address

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// The ports are between what services are known by and what systems give away
// by themselves (Linux from 32768, others from 49152).
const first, last = 10_000, 30_000

// Reserved is an address that nobody else gets from this package, in whatever
// process, before it is released.
type Reserved struct {
	// Addr is host and port to listen on with TCP.
	Addr string
	// The port of the same number for UDP, which nobody here listens on, says
	// that the address is taken.
	mark net.PacketConn
}

// Reserve finds an address that nobody listens on. It is reserved until it is
// released, the process ends, or nothing refers to what is returned.
func Reserve() (*Reserved, error) {
	var refused error
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(last-first))
		mark, err := new(net.ListenConfig).ListenPacket(context.Background(), "udp", addr)
		if err != nil {
			refused = err
			continue
		}
		l, err := net.Listen("tcp", addr)
		if err == nil {
			err = l.Close()
		}
		if err == nil {
			return &Reserved{Addr: addr, mark: mark}, nil
		}
		refused = errors.Join(err, mark.Close())
	}
	return nil, fmt.Errorf("find a free address: %w", refused)
}

// Release gives the address back.
func (r *Reserved) Release() error { return r.mark.Close() }
