package directory

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits of guessing passwords.
const (
	MaxGuesses  = 5 // wrong passwords of one source in GuessWindow
	GuessWindow = time.Minute
	maxGuessers = 10000 // sources remembered; all are forgotten when there are more
)

// Source is what counts as one source of requests: a host of IPv4, a network of IPv6,
// whose hosts have addresses as many as they like.
func Source(ip netip.Addr) netip.Addr {
	if ip = ip.Unmap(); ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return ip
}

// Guesses counts wrong passwords by source. The zero value is ready; its methods may be
// called from any goroutine.
type Guesses struct {
	mu    sync.Mutex
	wrong map[netip.Addr][]guess
}

type guess struct {
	at    time.Time
	login string
}

// loginKey is as much of a login as a guess keeps.
func loginKey(login string) string { return strings.Clone(login[:min(len(login), 64)]) }

// recent are the guesses that still count. mu is held.
func (g *Guesses) recent(key netip.Addr, now time.Time) []guess {
	list := g.wrong[key]
	for len(list) > 0 && now.Sub(list[0].at) >= GuessWindow {
		list = list[1:]
	}
	return list
}

// Locked reports whether a source is not believed for now, whatever it says.
func (g *Guesses) Locked(ip netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.recent(Source(ip), now)) >= MaxGuesses
}

// Failed counts a wrong password for a login; "" where there are no logins.
func (g *Guesses) Failed(ip netip.Addr, login string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := Source(ip)
	if g.wrong == nil {
		g.wrong = map[netip.Addr][]guess{}
	}
	if g.wrong[key] == nil && len(g.wrong) >= maxGuessers {
		for k := range g.wrong {
			if len(g.recent(k, now)) == 0 {
				delete(g.wrong, k)
			}
		}
		if len(g.wrong) >= maxGuessers {
			clear(g.wrong)
		}
	}
	list := append(g.recent(key, now), guess{now, loginKey(login)})
	g.wrong[key] = list[max(0, len(list)-MaxGuesses):]
}

// Passed forgives the guesses at that login: who has an account must not be able to
// guess at those of others without end.
func (g *Guesses) Passed(ip netip.Addr, login string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := Source(ip)
	list := slices.DeleteFunc(g.wrong[key], func(a guess) bool { return a.login == loginKey(login) })
	if len(list) == 0 {
		delete(g.wrong, key)
		return
	}
	g.wrong[key] = list
}
