package webrtc

import (
	"net/netip"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call/directory"
)

// Limits against strangers (spec/verto.md §13.9, §13.10).
const (
	loginLimit        = 30 * time.Second // to log in after connecting
	maxStrangers      = 64               // sockets of one address that are not logged in
	maxStrangersTotal = 1024
	maxSockets        = 10000
)

// guard counts unauthenticated sockets by source.
type guard struct {
	mu        sync.Mutex
	strangers map[netip.Addr]int
	total     int
}

func newGuard() *guard { return &guard{strangers: map[netip.Addr]int{}} }

// enter counts a new socket that is not logged in; false if there are too many.
func (g *guard) enter(ip netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := directory.Source(ip)
	if g.total >= maxStrangersTotal || g.strangers[key] >= maxStrangers {
		return false
	}
	g.strangers[key]++
	g.total++
	return true
}

// leave takes a socket out of the count: it has logged in or is gone.
func (g *guard) leave(ip netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := directory.Source(ip)
	g.total--
	if g.strangers[key]--; g.strangers[key] <= 0 {
		delete(g.strangers, key)
	}
}
