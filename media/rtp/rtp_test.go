package rtp

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/switchlet/switchlet/media"
)

var loopback = netip.MustParseAddr("127.0.0.1")

func newPorts(t testing.TB) *Ports {
	t.Helper()
	p, err := NewPorts(30000, 39999)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func listen(t testing.TB, p *Ports, o Options) *Session {
	t.Helper()
	s, err := Listen(loopback, p, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// patience bounds every wait of a test: only a broken machine misses it.
const patience = 30 * time.Second

// await receives within it.
func await[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("no %s", what)
	}
	return v
}

func collect(s *Session) <-chan media.Packet {
	c := make(chan media.Packet, 100)
	s.Receive(func(p *media.Packet) {
		k := *p
		k.Payload, k.Buf = append([]byte(nil), p.Payload...), nil
		c <- k
	})
	return c
}

func TestSession_CarriesPackets(t *testing.T) {
	ports := newPorts(t)
	a, b := listen(t, ports, Options{SSRC: 77}), listen(t, ports, Options{})
	a.SetRemote(b.Local(), Latch{})
	b.SetRemote(a.Local(), Latch{})
	got := collect(b)
	if err := a.Send(&media.Packet{PayloadType: 8, Marker: true, Sequence: 65535, Timestamp: 1 << 31, Payload: []byte("sound")}); err != nil {
		t.Fatal(err)
	}
	k := await(t, got, "packet")
	if k.PayloadType != 8 || !k.Marker || k.Sequence != 65535 || k.Timestamp != 1<<31 || k.SSRC != 77 || string(k.Payload) != "sound" {
		t.Errorf("got %+v", k)
	}
	if a.Local().Port()%2 != 0 {
		t.Errorf("port %d is odd", a.Local().Port())
	}
}

func TestSession_DropsOtherSources(t *testing.T) {
	ports := newPorts(t)
	a, b, stranger := listen(t, ports, Options{}), listen(t, ports, Options{}), listen(t, ports, Options{})
	b.SetRemote(a.Local(), Latch{Off: true})
	a.SetRemote(b.Local(), Latch{})
	stranger.SetRemote(b.Local(), Latch{})
	got := collect(b)
	for i := range 30 {
		stranger.Send(&media.Packet{Sequence: uint16(i), Payload: []byte("noise")})
	}
	a.Send(&media.Packet{Payload: []byte("voice")})
	if k := await(t, got, "packet"); string(k.Payload) != "voice" {
		t.Errorf("got %q", k.Payload)
	}
	if c := b.Counters(); c.Foreign != 30 || c.Packets != 1 || c.Latched {
		t.Errorf("counters %+v", c)
	}
}

func TestSession_LatchesToTheRealSource(t *testing.T) {
	ports := newPorts(t)
	moved := make(chan netip.AddrPort, 1)
	a, b := listen(t, ports, Options{}), listen(t, ports, Options{OnLatch: func(_, to netip.AddrPort) { moved <- to }})
	b.SetRemote(netip.MustParseAddrPort("10.1.2.3:4000"), Latch{PayloadTypes: []uint8{0}})
	a.SetRemote(b.Local(), Latch{})
	for i := range 12 {
		a.Send(&media.Packet{Sequence: uint16(i), Payload: []byte("x")})
	}
	if to := await(t, moved, "latch"); to != a.Local() {
		t.Errorf("moved to %s, not %s", to, a.Local())
	}
	got := collect(a)
	b.Send(&media.Packet{Payload: []byte("back")})
	if k := await(t, got, "answer"); string(k.Payload) != "back" {
		t.Errorf("got %q", k.Payload)
	}
}

func TestLatch_Guard(t *testing.T) {
	sdp := netip.MustParseAddrPort("198.51.100.1:4000")
	other := netip.MustParseAddrPort("203.0.113.9:5000")
	for _, c := range []struct {
		name   string
		sdp    netip.AddrPort
		latch  Latch
		change func(i int, p *media.Packet)
		after  int // packets until it moves; 0: never
	}{
		{"public SDP address: never", sdp, Latch{}, nil, 0},
		{"private SDP address", netip.MustParseAddrPort("192.168.1.5:4000"), Latch{}, nil, 10},
		{"signalling from the same host", sdp, Latch{Signalling: other.Addr()}, nil, 10},
		{"own threshold", sdp, Latch{Signalling: other.Addr(), Threshold: 3}, nil, 3},
		{"off", netip.MustParseAddrPort("192.168.1.5:4000"), Latch{Off: true}, nil, 0},
		{"the SSRC changes all the time", netip.MustParseAddrPort("192.168.1.5:4000"), Latch{}, func(i int, p *media.Packet) { p.SSRC = uint32(i) }, 0},
		{"out of sequence", netip.MustParseAddrPort("192.168.1.5:4000"), Latch{}, func(i int, p *media.Packet) { p.Sequence = uint16(i * 1000) }, 0},
		{"a payload type that was not negotiated", netip.MustParseAddrPort("192.168.1.5:4000"), Latch{}, func(i int, p *media.Packet) { p.PayloadType = 96 }, 0},
		{"comfort noise does not count", netip.MustParseAddrPort("192.168.1.5:4000"), Latch{}, func(i int, p *media.Packet) { p.PayloadType = 13 }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l latch
			c.latch.PayloadTypes = []uint8{0}
			l.set(c.sdp, c.latch)
			at := 0
			for i := range 40 {
				p := &media.Packet{Sequence: uint16(i)}
				if c.change != nil {
					c.change(i, p)
				}
				if _, moved := l.admit(other, p, time.Unix(int64(i), 0)); moved {
					at = i + 1
					break
				}
			}
			if at != c.after {
				t.Errorf("moved after %d packets, want %d", at, c.after)
			}
		})
	}
}

func TestLatch_ConfirmedAddressStays(t *testing.T) {
	sdp := netip.MustParseAddrPort("192.168.1.5:4000")
	other := netip.MustParseAddrPort("203.0.113.9:5000")
	var l latch
	l.set(sdp, Latch{PayloadTypes: []uint8{0}})
	now := time.Unix(0, 0)
	if ok, _ := l.admit(sdp, &media.Packet{}, now); !ok {
		t.Fatal("the SDP's own address is refused")
	}
	for i := range 100 {
		if ok, _ := l.admit(other, &media.Packet{Sequence: uint16(i)}, now.Add(time.Second)); ok {
			t.Fatal("another source is heard after the address was confirmed")
		}
	}
	// The far end fell silent: its new address may be learned.
	moved := false
	for i := range 20 {
		_, m := l.admit(other, &media.Packet{Sequence: uint16(i)}, now.Add(10*time.Second))
		moved = moved || m
	}
	if !moved || l.remote != other {
		t.Error("the new address was not learned after silence")
	}
	// The same SDP again keeps what was learned, another one does not.
	l.set(sdp, Latch{})
	if l.remote != other {
		t.Error("re-INVITE with the same address forgot the real one")
	}
	l.set(netip.MustParseAddrPort("192.168.1.6:4000"), Latch{})
	if l.learned || l.remote.Port() != 4000 {
		t.Error("re-INVITE with a new address kept the old one")
	}
}

func TestPorts_AreEvenAndAllUsedBeforeOneIsReused(t *testing.T) {
	p, err := NewPorts(10001, 10010)
	if err != nil {
		t.Fatal(err)
	}
	if p.Len() != 4 { // 10002 10004 10006 10008; 10010 would need 10011
		t.Fatalf("%d ports", p.Len())
	}
	seen := map[uint16]bool{}
	for range 4 {
		n, err := p.take(loopback)
		if err != nil || n%2 != 0 || seen[n] {
			t.Fatalf("port %d: %v", n, err)
		}
		seen[n] = true
		p.release(loopback, n)
	}
	for range 4 {
		if _, err := p.take(loopback); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.take(loopback); !errors.Is(err, ErrNoPorts) {
		t.Errorf("a fifth port: %v", err)
	}
	if p.InUse() != 4 {
		t.Errorf("%d in use", p.InUse())
	}
	for _, bad := range [][2]uint16{{0, 100}, {20, 10}, {11, 12}} {
		if _, err := NewPorts(bad[0], bad[1]); err == nil {
			t.Errorf("range %v is accepted", bad)
		}
	}
}

func TestRTCP_ReportsReachEachOther(t *testing.T) {
	for _, mux := range []bool{false, true} {
		ports := newPorts(t)
		o := Options{RTCP: 20 * time.Millisecond}
		a, b := listen(t, ports, o), listen(t, ports, o)
		a.SetControl(0, mux)
		b.SetControl(a.Local().Port()+1, mux)
		a.SetRemote(b.Local(), Latch{})
		b.SetRemote(a.Local(), Latch{})
		got := collect(b)
		for i := range 10 {
			if i != 4 { // one is lost on the way
				a.Send(&media.Packet{Sequence: uint16(i), Timestamp: uint32(160 * i), Payload: make([]byte, 160)})
				await(t, got, "packet")
			}
		}
		deadline := time.Now().Add(patience)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for a.Counters().RemoteLost != 1 || a.Counters().RoundTrip == 0 {
			if time.Now().After(deadline) {
				t.Fatalf("mux %v: %+v", mux, a.Counters())
			}
			<-tick.C
		}
	}
}

func TestSession_CloseGivesThePortBack(t *testing.T) {
	ports := newPorts(t)
	s, err := Listen(loopback, ports, Options{RTCP: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Close()
	if ports.InUse() != 0 {
		t.Error("the port is still taken")
	}
	if err := s.conn.Send(nil, netip.AddrPortFrom(loopback, 9)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the socket is still open: %v", err)
	}
}

func TestParse(t *testing.T) {
	head := func(first byte) []byte { return []byte{first, 0x80 | 8, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4} }
	for _, c := range []struct {
		name string
		in   []byte
		want string
		ok   bool
	}{
		{"plain", append(head(0x80), "abc"...), "abc", true},
		{"no payload", head(0x80), "", true},
		{"two CSRC", append(head(0x82), "12345678abc"...), "abc", true},
		{"extension", append(head(0x90), 0xBE, 0xDE, 0, 1, 9, 9, 9, 9, 'a'), "a", true},
		{"padding", append(head(0xA0), 'a', 0, 0, 3), "a", true},
		{"padding longer than the packet", append(head(0xA0), 200), "", false},
		{"padding of nothing", append(head(0xA0), 0), "", false},
		{"extension beyond the end", append(head(0x90), 0xBE, 0xDE, 0xFF, 0xFF), "", false},
		{"CSRC beyond the end", head(0x8F), "", false},
		{"version 1", append(head(0x40), "abc"...), "", false},
		{"short", []byte{0x80, 0}, "", false},
	} {
		var p media.Packet
		if ok := parse(c.in, &p); ok != c.ok || string(p.Payload) != c.want && ok {
			t.Errorf("%s: %q %v", c.name, p.Payload, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{0x90, 8, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0xBE, 0xDE, 0, 1, 9, 9, 9, 9, 'a'})
	f.Add([]byte{0x91, 8, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4, 5, 5, 5, 5, 0x10, 0, 0, 1, 0, 1, 1, 127, 'a'})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p media.Packet
		for id := range 256 {
			// What follows the packet must not be read.
			if _, ok := audioLevel(b[:len(b):len(b)], uint8(id)); ok && (id == 0 || b[0]&0x10 == 0) {
				t.Fatalf("level %d without an extension", id)
			}
		}
		if !parse(b, &p) {
			return
		}
		if len(p.Payload)+headerLen > len(b) || len(p.Buf) < len(p.Payload)+headerLen {
			t.Fatalf("payload of %d in %d", len(p.Payload), len(b))
		}
		var q media.Packet
		c := append(make([]byte, headerLen), p.Payload...)
		putHeader(c, &p, p.SSRC)
		if !parse(c, &q) || q.Sequence != p.Sequence || q.Timestamp != p.Timestamp || q.SSRC != p.SSRC || q.PayloadType != p.PayloadType || q.Marker != p.Marker || string(q.Payload) != string(p.Payload) {
			t.Fatalf("%+v became %+v", p, q)
		}
	})
}

func FuzzParseRTCP(f *testing.F) {
	f.Add(ownReport{ssrc: 1, cname: "x", sender: true, block: &block{ssrc: 2, lost: -1}, bye: true}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r report
		if parseRTCP(b, &r) && len(r.blocks) > len(b)/24 {
			t.Fatalf("%d blocks in %d bytes", len(r.blocks), len(b))
		}
	})
}

func TestRTCP_WhatWeWriteIsWhatWeRead(t *testing.T) {
	want := block{ssrc: 2, fraction: 3, lost: -4, highest: 5, jitter: 6, lsr: 7, dlsr: 8}
	var r report
	if !parseRTCP(ownReport{ssrc: 1, cname: "me", sender: true, ntp: 9, block: &want, bye: true}.append(nil), &r) {
		t.Fatal("not parsed")
	}
	if r.ssrc != 1 || !r.sender || r.ntp != 9 || !r.bye || len(r.blocks) != 1 || r.blocks[0] != want {
		t.Errorf("got %+v", r)
	}
}

// Where the reports of a Session go: beside RTP, to the port that the SDP names, or
// to RTP's own.
func TestRTCP_GoesWhereTheFarEndWantsIt(t *testing.T) {
	for _, way := range []string{"beside", "named", "mux"} {
		ports := newPorts(t)
		far, named := listen(t, ports, Options{RTCP: time.Hour}), udpSocket(t)
		s := listen(t, ports, Options{RTCP: 10 * time.Millisecond})
		switch way {
		case "named":
			s.SetControl(named.LocalAddr().(*net.UDPAddr).AddrPort().Port(), false)
		case "mux":
			far.rtcp.Close()
			s.SetControl(0, true)
		}
		s.SetRemote(far.Local(), Latch{})
		far.SetRemote(s.Local(), Latch{})
		if way == "named" {
			b := make([]byte, 1500)
			named.SetReadDeadline(time.Now().Add(patience))
			if n, _, err := named.ReadFromUDPAddrPort(b); err != nil || !isRTCP(b[:n]) {
				t.Errorf("the named port got %x, %v", b[:n], err)
			}
			continue
		}
		deadline := time.Now().Add(patience)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for far.Counters().RTCP == 0 {
			if time.Now().After(deadline) {
				t.Fatalf("%s: no report", way)
			}
			<-tick.C
		}
	}
}

func udpSocket(t *testing.T) *net.UDPConn {
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
