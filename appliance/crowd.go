package appliance

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
)

// Limits of connections to the web's ports, WebSockets left out, which have limits
// of their own. A browser opens six at once; behind one address there may be many.
const (
	maxWebConns     = 4096
	maxWebConnsFrom = 1024 // of one address off this machine
	crowdedPause    = time.Second
)

// crowd bounds the connections to the web's ports.
type crowd struct {
	log *call.Log

	mu   sync.Mutex
	open map[net.Conn]netip.Addr
	from map[netip.Addr]int
	told time.Time
}

func newCrowd(log *call.Log) *crowd {
	return &crowd{log: log, open: map[net.Conn]netip.Addr{}, from: map[netip.Addr]int{}}
}

// follow is told of each connection what becomes of it (http.Server.ConnState). One
// too many is closed.
func (c *crowd) follow(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if !c.enter(conn) {
			conn.Close()
		}
	case http.StateHijacked, http.StateClosed:
		c.leave(conn)
	}
}

func (c *crowd) enter(conn net.Conn) bool {
	// An address that cannot be read is one among others.
	at, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
	source := directory.Source(at.Addr())
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) >= maxWebConns || c.from[source] >= maxWebConnsFrom && !source.IsLoopback() {
		if now := time.Now(); now.Sub(c.told) >= crowdedPause {
			c.told = now
			c.log.Printf(call.LogWarning, "web: too many connections, %d of %d from %s; the newest is closed", c.from[source], len(c.open), source)
		}
		return false
	}
	c.open[conn] = source
	c.from[source]++
	return true
}

func (c *crowd) leave(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	source, ok := c.open[conn]
	if !ok {
		return // it was one too many
	}
	delete(c.open, conn)
	if c.from[source]--; c.from[source] == 0 {
		delete(c.from, source)
	}
}
