package webrtc

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits against strangers (spec/verto.md §13.9, §13.10).
const (
	maxFailures       = 5
	failureWindow     = 60 * time.Second
	loginLimit        = 30 * time.Second // to log in after connecting
	maxStrangers      = 64               // sockets of one address that are not logged in
	maxStrangersTotal = 1024
	maxSockets        = 10000
	maxRemembered     = 10000 // addresses with failures
)

// guard counts failed logins and unauthenticated sockets by address.
type guard struct {
	mu        sync.Mutex
	failures  map[netip.Addr][]attempt
	strangers map[netip.Addr]int
	total     int
}

// attempt is one failed login.
type attempt struct {
	at    time.Time
	login string
}

// loginKey is as much of a login as an attempt keeps.
func loginKey(login string) string { return strings.Clone(login[:min(len(login), 64)]) }

func newGuard() *guard {
	return &guard{failures: map[netip.Addr][]attempt{}, strangers: map[netip.Addr]int{}}
}

// source is what counts as one address: a host of IPv4, a network of IPv6.
func guardKey(ip netip.Addr) netip.Addr {
	if ip.Is6() && !ip.Is4In6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return ip.Unmap()
}

// locked reports whether an address has failed too often lately.
func (g *guard) locked(ip netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.recent(guardKey(ip), now)) >= maxFailures
}

func (g *guard) recent(key netip.Addr, now time.Time) []attempt {
	list := g.failures[key]
	for len(list) > 0 && now.Sub(list[0].at) > failureWindow {
		list = list[1:]
	}
	if len(list) == 0 {
		delete(g.failures, key)
	} else {
		g.failures[key] = list
	}
	return list
}

func (g *guard) failed(ip netip.Addr, login string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := guardKey(ip)
	list := g.recent(key, now)
	if len(list) > maxFailures || len(list) == 0 && len(g.failures) >= maxRemembered {
		return
	}
	g.failures[key] = append(list, attempt{now, loginKey(login)})
}

// succeeded forgives the failures of that login: who has an account must not be able
// to guess at those of others without end.
func (g *guard) succeeded(ip netip.Addr, login string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := guardKey(ip)
	list := slices.DeleteFunc(g.failures[key], func(a attempt) bool { return a.login == loginKey(login) })
	if len(list) == 0 {
		delete(g.failures, key)
		return
	}
	g.failures[key] = list
}

// forget drops what is too old to count.
func (g *guard) forget(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key := range g.failures {
		g.recent(key, now)
	}
}

// enter counts a new socket that is not logged in; false if there are too many.
func (g *guard) enter(ip netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := guardKey(ip)
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
	key := guardKey(ip)
	g.total--
	if g.strangers[key]--; g.strangers[key] <= 0 {
		delete(g.strangers, key)
	}
}
