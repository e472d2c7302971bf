package directory

import (
	"net/netip"
	"testing"
	"time"
)

func TestGuesses_LockASourceForAWhile(t *testing.T) {
	var g Guesses
	now := time.Unix(1e9, 0)
	a, neighbour, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8:1::1")
	for range MaxGuesses {
		if g.Locked(a, now) {
			t.Fatal("locked too early")
		}
		g.Failed(a, "", now)
	}
	if !g.Locked(neighbour, now) || g.Locked(other, now) {
		t.Error("a network of IPv6 is one source")
	}
	if g.Locked(a, now.Add(GuessWindow)) {
		t.Error("still locked after the window")
	}
	mapped := netip.MustParseAddr("::ffff:192.0.2.1")
	for range MaxGuesses {
		g.Failed(mapped, "", now)
	}
	if !g.Locked(netip.MustParseAddr("192.0.2.1"), now) {
		t.Error("a mapped address is its IPv4 address")
	}
}

func TestGuesses_AnAccountIsNoHelpInGuessingAtOthers(t *testing.T) {
	var g Guesses
	ip, now := netip.MustParseAddr("192.0.2.1"), time.Unix(1e9, 0)
	for range MaxGuesses - 1 {
		g.Failed(ip, "1000", now)
	}
	g.Passed(ip, "1001")
	g.Failed(ip, "1000", now)
	if !g.Locked(ip, now) {
		t.Error("a login of one's own forgave guesses at another's")
	}
	g.Passed(ip, "1000")
	if g.Locked(ip, now) || len(g.wrong) != 0 {
		t.Error("the right password forgives the guesses before it")
	}
}

func TestGuesses_RememberABoundedNumber(t *testing.T) {
	var g Guesses
	now := time.Unix(1e9, 0)
	for n := range 3 * maxGuessers {
		g.Failed(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), "", now)
	}
	if len(g.wrong) > maxGuessers {
		t.Errorf("%d sources", len(g.wrong))
	}
	for range 100 * MaxGuesses {
		g.Failed(netip.MustParseAddr("192.0.2.1"), "", now)
	}
	if n := len(g.wrong[netip.MustParseAddr("192.0.2.1")]); n > MaxGuesses {
		t.Errorf("%d guesses of one source", n)
	}
}
