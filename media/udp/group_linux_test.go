//go:build !386 && !s390x

package udp

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"syscall"
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
	count := func(b []byte, _ netip.AddrPort, _ time.Time) {
		if bytes.Equal(b, own) {
			got.Add(1)
		}
	}
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
		s.Calm(true, false)
		for _, to := range []netip.AddrPort{to, b.Local()} {
			if err := b.Send(own, to); err != nil {
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

// What waits in a calm socket is told the time at which it came, and is read in the end
// though a promise to call Read was broken.
func TestCalm_SaysWhenADatagramCame(t *testing.T) {
	for _, ip := range []netip.Addr{local4, netip.IPv6Loopback()} {
		var g Group
		got, waited := make(chan time.Time, 10), make(chan bool)
		s, to := listen(t, &g, ip, func(_ []byte, from netip.AddrPort, at time.Time) {
			if from.Addr() != ip {
				t.Errorf("from %s", from)
			}
			got <- at
			<-waited
		})
		s.Calm(true, false)
		if !s.stamped.Load() {
			t.Skip("the system stamps nothing")
		}
		stamping(t, ip)
		from, _ := listen(t, &g, ip, nil)
		from.Calm(true, false)
		g.Read(time.Now().Add(20*time.Millisecond), 20*time.Millisecond) // which is not kept
		send := func() (before, after time.Time) {
			before = time.Now()
			if err := from.Send([]byte("x"), to); err != nil {
				t.Fatal(err)
			}
			return before, time.Now()
		}
		check := func(before, after time.Time) {
			at := <-got
			if time.Since(before) > maxAge {
				after = time.Now() // the machine stood still, and the stamp is not believed any more
			}
			if at.Before(before.Add(-time.Millisecond)) || at.After(after.Add(time.Millisecond)) {
				t.Errorf("came at %s, sent between %s and %s", at, before, after)
			}
		}
		check(send())           // read at once, and held
		before, after := send() // comes while the reader is held
		time.Sleep(30 * time.Millisecond)
		waited <- true
		check(before, after)
		close(waited)
		for range 5 {
			check(send())
		}
	}
}

// stamping waits until the system stamps datagrams as they come: where no socket asked
// for it before, it begins a little later, and until then says when they were read.
func stamping(t *testing.T, ip netip.Addr) {
	t.Helper()
	fd, err := bind(netip.AddrPortFrom(ip, 0), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	to, err := boundTo(fd)
	if err == nil {
		err = stampArrivals(fd)
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "datagrams are stamped as they come", func() bool {
		if err := sendTo(fd, []byte("x"), to, !ip.Is4()); err != nil {
			t.Fatal(err)
		}
		sent := time.Now().UnixNano()
		time.Sleep(2 * time.Millisecond)
		_, _, at, err := receiveStamped(fd, make([]byte, 10))
		if err != nil {
			t.Fatal(err)
		}
		return at <= sent
	})
}

// Datagrams are let come together from one a period on, as long as they do.
func TestPace_IsThatOfTheLastWindow(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		what  string
		gap   time.Duration // between datagrams
		lasts time.Duration
		quick bool
	}{
		{"nothing", window, window, false},
		{"few", 2 * period, 10 * window, false},
		{"one a period", period, 2 * window, true},
		{"many", period / 4, window, true},
		{"a burst now and then", 3 * window, 12 * window, false},
	} {
		var p pace
		for _, before := range []bool{false, true} {
			if before { // whatever came long ago
				p.add(now, 10*many)
				now = now.Add(3 * window)
			}
			var quick bool
			for end := now.Add(c.lasts); now.Before(end); now = now.Add(c.gap) {
				quick = p.add(now, 1)
			}
			if quick != c.quick {
				t.Errorf("%s: quick is %t", c.what, quick)
			}
		}
	}
	// While they come quickly, a window that has just begun changes nothing.
	var p pace
	for i := range 10 * many {
		if quick := p.add(now, 4); quick != (i >= many/4-1) {
			t.Fatalf("after %d: quick is %t", i, quick)
		}
		now = now.Add(period)
	}
	for i := range 3 * many {
		quick := p.add(now, 0)
		if i < many && !quick || i >= 2*many && quick {
			t.Fatalf("%d periods after the last: quick is %t", i, quick)
		}
		now = now.Add(period)
	}
}

// Beside a caller of Read, the reader looks once a period, shortly before it, where
// that is wanted, and else only for broken promises.
func TestPause_LeavesMostToTheCallerOfRead(t *testing.T) {
	const every = 20 * time.Millisecond
	now := time.Now()
	for _, c := range []struct {
		what        string
		calm, early int
		next        time.Duration // from now
		wait, usual time.Duration
	}{
		{"not all are calm", 1, 1, 15 * time.Millisecond, period, period},
		{"before the early look", 2, 1, 15 * time.Millisecond, 10 * time.Millisecond, every},
		{"at the early look", 2, 1, 4 * time.Millisecond, 19 * time.Millisecond, every},
		{"Read is late", 2, 1, -4 * time.Millisecond, 11 * time.Millisecond, every},
		{"no early look", 2, 0, 15 * time.Millisecond, 95 * time.Millisecond, 95 * time.Millisecond},
		{"nobody calls Read", 2, 0, -30 * time.Millisecond, calmPeriod, calmPeriod},
	} {
		r := &reader{sockets: map[int32]*Socket{1: {}, 2: {}}, calm: c.calm, early: c.early, next: now.Add(c.next), every: every, took: true}
		wait, usual, took := r.pause(now, now)
		if usual != c.usual || wait != c.wait {
			t.Errorf("%s: %v, usually %v; want %v, %v", c.what, wait, usual, c.wait, c.usual)
		}
		if _, _, again := r.pause(now, now); !took || again {
			t.Errorf("%s: what Read took is told %t, %t", c.what, took, again)
		}
	}
}

// A socket whose datagrams may wait no longer is read at once, though the reader had
// leave to sleep.
func TestCalm_EndsThePause(t *testing.T) {
	var g Group
	got := make(chan bool, 10)
	s, to := listen(t, &g, local4, func([]byte, netip.AddrPort, time.Time) { got <- true })
	s.Calm(true, false)
	if !s.stamped.Load() {
		t.Skip("the system stamps nothing")
	}
	from, _ := listen(t, &g, local4, nil)
	from.Calm(true, false)
	const every = time.Hour // longer than any test
	g.Read(time.Now().Add(every), every)
	for range 3 { // the first two come through the gate; with the third the reader sleeps
		if err := from.Send([]byte("x"), to); err != nil {
			t.Fatal(err)
		}
		select {
		case <-got:
		case <-time.After(50 * time.Millisecond):
		}
	}
	s.Calm(false, false)
	if err := from.Send([]byte("x"), to); err != nil {
		t.Fatal(err)
	}
	<-got
	s.Calm(true, true)
	s.Calm(true, false)
	g.Read(time.Now(), 0)
	s.Close()
	from.Close()
	eventually(t, "the goroutine ended", func() bool { return !running() })
}

// What a caller of Read has no time for is taken by the goroutine, though it had leave
// to sleep.
func TestGroup_ReadIsHelpedOut(t *testing.T) {
	var g Group
	var got atomic.Int64
	s, err := g.ListenShared(netip.AddrPortFrom(local4, 0), func([]byte, netip.AddrPort, time.Time) {
		got.Add(1)
		time.Sleep(period / 4)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Calm(true, false)
	from, _ := listen(t, &g, local4, nil)
	from.Calm(true, false)
	const every, many = time.Hour, 200 // longer than any test; more than Read has time for
	g.Read(time.Now().Add(every), every)
	for range many {
		if err := from.Send(sound, s.Local()); err != nil {
			t.Fatal(err)
		}
	}
	g.Read(time.Now().Add(every), every)
	eventually(t, "all is read", func() bool { return got.Load() == many })
}

var sound = []byte{0x80, 0, 0, 1}

// Of what comes to a shared socket RTP alone waits for the clock.
func TestListenShared_KeepsRTPApart(t *testing.T) {
	for _, ip := range []netip.Addr{local4, netip.IPv6Loopback()} {
		var g Group
		got := make(chan byte, 100)
		s, err := g.ListenShared(netip.AddrPortFrom(ip, 0), func(b []byte, _ netip.AddrPort, _ time.Time) {
			if len(b) == 0 {
				b = []byte{0}
			}
			got <- b[len(b)-1]
		})
		if err != nil && ip.Is6() {
			t.Skipf("no IPv6 here: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if s.rest == nil {
			t.Skip("the system keeps nothing apart")
		}
		if again, err := g.ListenShared(s.Local(), nil); err == nil {
			again.Close()
			t.Error("the port of another is opened")
		}
		from, _ := listen(t, new(Group), ip, nil)
		send := func(b ...byte) {
			if err := from.Send(b, s.Local()); err != nil {
				t.Fatal(err)
			}
		}
		s.Calm(true, false)
		const every = time.Hour // longer than any test
		read := func() { g.Read(time.Now().Add(every), every) }
		comes := func(want byte) {
			t.Helper()
			select {
			case x := <-got:
				if x != want {
					t.Fatalf("%x instead of %x", x, want)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%x waits", want)
			}
		}
		// STUN, DTLS, RTCP, TURN's channels, and what is nothing
		for _, b := range [][]byte{{}, {1}, {0, 1, 2}, {20, 3}, {63, 4}, {0x80}, {0x80, 192, 5}, {0x90, 200, 6}, {0xbf, 223, 7}, {0x40, 8}, {0xc0, 9}, {0xff, 10}} {
			send(b...)
			if len(b) == 0 {
				b = []byte{0}
			}
			comes(b[len(b)-1])
		}
		for _, b := range [][]byte{{0x80, 0, 11}, {0x90, 111, 12}, {0xbf, 191, 13}, {0x80, 224, 14}, {0x80, 255, 15}} {
			waited := false
			for range 100 { // the reader finishes what it is at before it rests
				read()
				send(b...)
				select {
				case <-got:
					continue
				case <-time.After(20 * time.Millisecond):
				}
				read()
				comes(b[2])
				waited = true
				break
			}
			if !waited {
				t.Errorf("%x does not wait", b)
			}
		}
	}
}

// A socket that is closed changes nothing about the one that has its descriptor now.
func TestCalm_AfterCloseTouchesNobodyElse(t *testing.T) {
	var g Group
	for range 20 {
		s, err := g.Listen(netip.AddrPortFrom(local4, 0), func([]byte, netip.AddrPort, time.Time) {})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		s.Calm(true, true)
		stamps, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, soTimestampns)
		syscall.Close(fd)
		if err != nil {
			t.Skip("the system does not tell")
		}
		if stamps != 0 {
			t.Fatal("another socket stamps what it gets")
		}
		if fd == s.fd {
			return
		}
	}
	t.Skip("the descriptor is not used again")
}
