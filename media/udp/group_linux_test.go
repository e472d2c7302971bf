//go:build !386 && !s390x

package udp

import (
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// Each leg has a socket for sound and one for RTCP: the sound is spread evenly.
func TestGroup_SpreadsTheLoad(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	}
	var g Group
	nothing := func([]byte, netip.AddrPort, time.Time) {}
	for range 2*full + 100 {
		s, _ := listen(t, &g, local4, nothing)
		b, err := s.Beside(netip.AddrPortFrom(local4, 0), nothing)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		if b.reader != s.reader {
			t.Fatal("not read together")
		}
	}
	if len(g.readers) < 2 {
		t.Fatalf("%d reader", len(g.readers))
	}
	a, b := g.readers[0].weight(), g.readers[1].weight()
	if d := a - b; d < -1 || d > full {
		t.Errorf("%d and %d sockets", a, b)
	}
	if len(g.readers) == 2 && a != b {
		t.Errorf("%d and %d sockets", a, b)
	}
}
