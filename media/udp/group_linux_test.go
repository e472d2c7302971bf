//go:build !386 && !s390x

package udp

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Each leg has a socket for sound and one for RTCP. One reader after the other is
// filled; what is more has goroutines of its own, carries datagrams as well, and
// leaves nothing behind.
func TestGroup_SpreadsTheLoad(t *testing.T) {
	readers := runtime.GOMAXPROCS(0)
	var g Group
	var got atomic.Int64
	count := func([]byte, netip.AddrPort, time.Time) { got.Add(1) }
	before := runtime.NumGoroutine()
	var all []*Socket
	alone := 0
	for range readers*full + 10 {
		s, to := listen(t, &g, local4, count)
		b, err := s.Beside(netip.AddrPortFrom(local4, 0), count)
		if err != nil {
			t.Fatal(err)
		}
		if b.reader != s.reader {
			t.Fatal("not read together")
		}
		if s.reader == nil {
			alone++
		}
		s.Calm(true)
		for _, to := range []netip.AddrPort{to, b.Local()} {
			if err := b.Send([]byte("x"), to); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, s, b)
	}
	if len(g.readers) != readers || alone != 10 {
		t.Errorf("%d readers, %d sockets alone", len(g.readers), alone)
	}
	for _, r := range g.readers {
		if n := r.weight(); n != full {
			t.Errorf("a reader has %d sockets", n)
		}
	}
	eventually(t, "every datagram is read", func() bool { return got.Load() == int64(len(all)) })
	for _, s := range all {
		s.Close()
		if err := s.Send([]byte("x"), s.Local()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send after Close: %v", err)
		}
	}
	eventually(t, "all goroutines ended", func() bool { return runtime.NumGoroutine() <= before })
}
