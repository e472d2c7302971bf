package udp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var local4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// listen opens a Socket on a free port.
func listen(tb testing.TB, g *Group, ip netip.Addr, receive Receive) (*Socket, netip.AddrPort) {
	tb.Helper()
	s, err := g.Listen(netip.AddrPortFrom(ip, 0), receive)
	switch {
	case err != nil && ip.Is6():
		tb.Skipf("no IPv6 here: %v", err)
	case err != nil:
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s, s.Local()
}

// eventually waits until ok, for half a minute at most.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for range 6000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	tb.Fatalf("not within half a minute: %s", what)
}

// own begins the datagrams of tests that count: a program beside them may still send to
// a port that was its peer's and is now ours.
var own = fmt.Appendf(nil, "test %d ", os.Getpid())

func TestSocket_CarriesDatagramsOfBothFamilies(t *testing.T) {
	for _, ip := range []netip.Addr{local4, netip.IPv6Loopback()} {
		var g Group
		type datagram struct {
			b    []byte
			from netip.AddrPort
			at   time.Time
		}
		got := make(chan datagram, 10)
		before := time.Now() // the reader's turn may begin before a datagram is sent
		a, from := listen(t, &g, ip, func([]byte, netip.AddrPort, time.Time) {})
		_, to := listen(t, &g, ip, func(b []byte, from netip.AddrPort, at time.Time) {
			got <- datagram{bytes.Clone(b), from, at}
		})
		long := bytes.Repeat([]byte{7}, MaxDatagram+100)
		for _, b := range [][]byte{[]byte("hello"), {}, long} {
			if err := a.Send(b, to); err != nil {
				t.Fatal(err)
			}
			d := <-got
			if want := b[:min(len(b), MaxDatagram)]; !bytes.Equal(d.b, want) || d.from != from {
				t.Errorf("%d bytes from %s, want %d from %s", len(d.b), d.from, len(want), from)
			}
			if d.at.Before(before) || time.Since(d.at) < 0 {
				t.Errorf("read at %s, after %s", d.at, before)
			}
		}
		other := netip.AddrPortFrom(local4, 9)
		if ip.Is4() {
			other = netip.AddrPortFrom(netip.IPv6Loopback(), 9)
		}
		if err := a.Send([]byte("x"), other); err == nil {
			t.Errorf("a socket of %s sends to %s", ip, other)
		}
	}
}

func TestSocket_UnspecifiedStandsForBothFamilies(t *testing.T) {
	var g Group
	type datagram struct {
		s    string
		from netip.AddrPort
	}
	got := make(chan datagram, 1)
	receive := func(b []byte, from netip.AddrPort, _ time.Time) { got <- datagram{string(b), from} }
	both, at := listen(t, &g, netip.IPv6Unspecified(), receive)
	four, from := listen(t, &g, local4, receive)
	if err := four.Send([]byte("there"), netip.AddrPortFrom(local4, at.Port())); err != nil {
		t.Fatal(err)
	}
	if d := <-got; d.s != "there" || d.from != from {
		t.Errorf("%v, want it from %s", d, from)
	}
	if err := both.Send([]byte("back"), from); err != nil {
		t.Fatal(err)
	}
	if d := <-got; d.s != "back" || d.from != netip.AddrPortFrom(local4, at.Port()) {
		t.Errorf("%v, want it from 127.0.0.1 port %d", d, at.Port())
	}
}

func TestSocket_PortIsTaken(t *testing.T) {
	var g Group
	_, addr := listen(t, &g, local4, nil)
	if s, err := g.Listen(addr, nil); err == nil {
		s.Close()
		t.Error("two sockets on one port")
	}
}

func TestSocket_ReadsWhatComesInAHurry(t *testing.T) {
	const sockets, each = 300, 40
	var (
		g     Group
		count [sockets]atomic.Int64
		to    [sockets]netip.AddrPort
	)
	for i := range sockets {
		_, to[i] = listen(t, &g, local4, func(b []byte, _ netip.AddrPort, _ time.Time) {
			if bytes.Equal(b, own) {
				count[i].Add(1)
			}
		})
	}
	from, _ := listen(t, &g, local4, nil)
	for range each {
		for i := range sockets {
			if err := from.Send(own, to[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range sockets {
		eventually(t, "every datagram read once", func() bool { return count[i].Load() == each })
	}
}

// A process that gets no processor for a while finds what came meanwhile: half a
// second of a hundred calls.
func TestListenShared_HoldsWhatComesWhileNothingReads(t *testing.T) {
	const calls, packets = 100, 25
	var g Group
	var got atomic.Int64
	busy, free := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s, err := g.ListenShared(netip.AddrPortFrom(local4, 0), func(b []byte, _ netip.AddrPort, _ time.Time) {
		if !bytes.HasSuffix(b, own) {
			return
		}
		once.Do(func() { close(busy); <-free })
		got.Add(1)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	limit, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	if most, wrong := strconv.Atoi(string(bytes.TrimSpace(limit))); err != nil || wrong != nil || most < sharedBuffer {
		t.Skipf("this system allows buffers of %s bytes: %v", bytes.TrimSpace(limit), err)
	}
	far, _ := listen(t, &g, local4, func([]byte, netip.AddrPort, time.Time) {})
	packet := append(make([]byte, 172-len(own)), own...)
	if err := far.Send(packet, s.Local()); err != nil {
		t.Fatal(err)
	}
	<-busy
	for range calls * packets {
		if err := far.Send(packet, s.Local()); err != nil {
			t.Fatal(err)
		}
	}
	close(free)
	eventually(t, "all packets are there", func() bool { return got.Load() == 1+calls*packets })
}

func TestClose_WaitsForReceiveAndEndsIt(t *testing.T) {
	var g Group
	in, leave := make(chan bool), make(chan bool)
	var calls atomic.Int64
	s, to := listen(t, &g, local4, func([]byte, netip.AddrPort, time.Time) {
		if calls.Add(1) == 1 {
			in <- true
			<-leave
		}
	})
	from, _ := listen(t, &g, local4, nil)
	for range 5 {
		if err := from.Send([]byte("x"), to); err != nil {
			t.Fatal(err)
		}
	}
	<-in
	closed := make(chan bool)
	go func() { s.Close(); close(closed) }()
	select {
	case <-closed:
		t.Error("closed while a datagram is being handled")
	case <-time.After(20 * time.Millisecond):
	}
	leave <- true
	<-closed
	n := calls.Load()
	_ = from.Send([]byte("x"), to)
	time.Sleep(20 * time.Millisecond)
	if calls.Load() != n {
		t.Error("receive was called after Close")
	}
	if err := s.Send([]byte("x"), to); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Send after Close: %v", err)
	}
	if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close twice: %v", err)
	}
}

// descriptors counts what this process has open.
func descriptors(tb testing.TB) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Skip(err)
	}
	return len(list)
}

func TestGroup_LeavesNothingBehind(t *testing.T) {
	var g Group
	warm, _ := listen(t, &g, local4, nil) // Go's poller, too, has descriptors
	warm.Close()
	eventually(t, "the reader ended", func() bool { return !running() })
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	for range 20 {
		var open []*Socket
		for range 10 {
			s, to := listen(t, &g, local4, func([]byte, netip.AddrPort, time.Time) {})
			_ = s.Send([]byte("x"), to)
			open = append(open, s)
		}
		for _, s := range open {
			s.Close()
		}
	}
	eventually(t, "goroutines and descriptors are back", func() bool {
		return runtime.NumGoroutine() <= goroutines && descriptors(t) <= files
	})
}

// running reports whether a Group's goroutine is alive.
func running() bool {
	buf := make([]byte, 1<<20)
	return bytes.Contains(buf[:runtime.Stack(buf, true)], []byte("media/udp.(*"))
}

// Calm sockets are asked seldom, but Read finds what has come, and both at once
// hand out every datagram once and in order.
func TestGroup_ReadTakesWhatHasCome(t *testing.T) {
	const sockets, each = 20, 200
	var (
		g    Group
		next [sockets]atomic.Int64
		to   [sockets]netip.AddrPort
	)
	for i := range sockets {
		var s *Socket
		s, to[i] = listen(t, &g, local4, func(b []byte, _ netip.AddrPort, _ time.Time) {
			n, ok := bytes.CutPrefix(b, own)
			if !ok {
				return
			}
			if want := next[i].Load(); int64(n[0]) != want {
				t.Errorf("socket %d: datagram %d, want %d", i, n[0], want)
			}
			next[i].Add(1)
		})
		s.Calm(true, false)
		s.Calm(true, false)
	}
	from, _ := listen(t, &g, local4, nil)
	from.Calm(true, false)
	for n := range each {
		for i := range sockets {
			if err := from.Send(append(own[:len(own):len(own)], byte(n)), to[i]); err != nil {
				t.Fatal(err)
			}
		}
		g.Read(time.Now().Add(time.Millisecond), time.Millisecond)
		for i := range sockets {
			// On loopback what was sent has come; the reader may have taken it just now.
			eventually(t, "it is handed on", func() bool { return next[i].Load() == int64(n)+1 })
		}
	}
	from.Calm(false, false)
}

func TestBeside_IsReadAndLeavesNothingBehind(t *testing.T) {
	var g Group
	got := make(chan string, 1)
	s, _ := listen(t, &g, local4, func([]byte, netip.AddrPort, time.Time) {})
	b, err := s.Beside(netip.AddrPortFrom(local4, 0), func(b []byte, _ netip.AddrPort, _ time.Time) { got <- string(b) })
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send([]byte("report"), b.Local()); err != nil {
		t.Fatal(err)
	}
	if text := <-got; text != "report" {
		t.Errorf("%q", text)
	}
	s.Close()
	if err := b.Send([]byte("again"), b.Local()); err != nil {
		t.Fatal(err)
	}
	<-got
	b.Close()
	eventually(t, "the goroutine ended", func() bool { return !running() })
}

// Sockets come and go while others have traffic, and descriptors' numbers are used
// again at once: no datagram may reach the wrong socket.
func TestGroup_SocketsComeAndGo(t *testing.T) {
	var g Group
	stop := make(chan bool)
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var heard atomic.Int64
				s, to := listen(t, &g, local4, func(b []byte, _ netip.AddrPort, _ time.Time) {
					whose, ok := bytes.CutPrefix(b, own)
					if !ok {
						return
					}
					if len(whose) != 1 || whose[0] != byte(k) {
						t.Errorf("socket of %d heard %v", k, b)
					}
					heard.Add(1)
				})
				s.Calm(k%2 == 0, false)
				g.Read(time.Time{}, 0)
				for range 5 {
					_ = s.Send(append(own[:len(own):len(own)], byte(k)), to)
				}
				eventually(t, "what was sent is heard", func() bool { return heard.Load() > 0 })
				s.Close()
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	close(stop)
	wg.Wait()
}

// BenchmarkRelay_Batch is a datagram to one socket and from there on to another, in
// batches of as many as there are sockets.
func BenchmarkRelay_Batch(b *testing.B) {
	const sockets = 40
	var (
		g  Group
		to [sockets]netip.AddrPort
		n  atomic.Int64
	)
	through := make(chan bool, 1)
	_, sink := listen(b, &g, local4, func([]byte, netip.AddrPort, time.Time) {
		if n.Add(1)%sockets == 0 {
			through <- true
		}
	})
	for i := range sockets {
		var s *Socket
		var ready sync.WaitGroup
		ready.Add(1)
		s, to[i] = listen(b, &g, local4, func(p []byte, _ netip.AddrPort, _ time.Time) {
			ready.Wait()
			_ = s.Send(p, sink)
		})
		ready.Done()
	}
	from, _ := listen(b, &g, local4, nil)
	packet := make([]byte, 172)
	b.ReportAllocs()
	for b.Loop() {
		for i := range to {
			if err := from.Send(packet, to[i]); err != nil {
				b.Fatal(err)
			}
		}
		<-through
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/sockets, "ns/datagram")
}
