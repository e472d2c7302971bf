package server

import (
	"net/netip"
	"sync"
	"time"
)

// Limits of guessing passwords.
const (
	maxGuesses  = 5 // wrong passwords of one address in guessWindow
	guessWindow = time.Minute
	maxGuessers = 1000 // addresses remembered; all are forgotten when there are more
)

// guesses counts wrong passwords by address. Programs on this machine may be wrong as
// often as they like. The zero value is ready.
type guesses struct {
	mu    sync.Mutex
	wrong map[netip.Addr][]time.Time
}

// guesser is what counts as one address: a host of IPv4, a network of IPv6.
func guesser(ip netip.Addr) netip.Addr {
	if ip = ip.Unmap(); ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return ip
}

// tooMany reports whether an address is not believed any more, whatever it says.
func (g *guesses) tooMany(ip netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.wrong[guesser(ip)]
	return len(list) >= maxGuesses && now.Sub(list[len(list)-maxGuesses]) < guessWindow
}

// add counts a wrong password.
func (g *guesses) add(ip netip.Addr, now time.Time) {
	if ip.Unmap().IsLoopback() || !ip.IsValid() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	key := guesser(ip)
	if g.wrong == nil || len(g.wrong) >= maxGuessers && g.wrong[key] == nil {
		g.wrong = map[netip.Addr][]time.Time{}
	}
	list := append(g.wrong[key], now)
	g.wrong[key] = list[max(0, len(list)-maxGuesses):]
}
