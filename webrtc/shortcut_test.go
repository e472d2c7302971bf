package webrtc

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	pion "github.com/pion/webrtc/v4"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/udp"
)

// passesPion reports whether the sound of a call goes past pion, both ways.
func (w *wire) passesPion() bool {
	w.sending.Lock()
	defer w.sending.Unlock()
	return w.short.state.Load() == open && w.short.own
}

// chat lets the browser talk until it has heard n packets of the echo.
func (b *browser) chat(n int) {
	b.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go b.talk(ctx, 960)
	for range n {
		b.hear(patience)
	}
}

// connected is a browser that the switch echoes. before runs before the browser
// learns of the switch.
func connected(t *testing.T, before func(*wire)) (*browser, *peer) {
	t.Helper()
	b := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p, err := newPeer(testNetwork(t))
	must(t, err)
	t.Cleanup(func() { p.wire.Close() })
	echo(p.wire)
	before(p.wire)
	d, at, a := negotiated(t, b.offer(), testPrefs(t, "opus,PCMU"))
	text, err := p.answer(context.Background(), d, at, &a, d.sections[at].cands)
	must(t, err)
	b.accept(text)
	if !p.wait(context.Background(), patience) {
		t.Fatal("not connected")
	}
	return b, p
}

func TestShortcut_BrowserOffers_SoundGoesPastPion(t *testing.T) {
	b, p := connected(t, func(*wire) {})
	b.chat(20)
	if !p.wire.passesPion() {
		t.Errorf("state %d", p.wire.short.state.Load())
	}
}

func TestShortcut_SwitchOffers_SoundGoesPastPion(t *testing.T) {
	b := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p, err := newPeer(testNetwork(t))
	must(t, err)
	defer p.wire.Close()
	echo(p.wire)
	prefs := testPrefs(t, "opus")
	text, err := p.offer(context.Background(), offered(prefs), 20)
	must(t, err)
	d, at, a := negotiated(t, b.answer(text), prefs)
	must(t, p.answered(&d.sections[at], &a, d.sections[at].cands))
	if !p.wait(context.Background(), patience) {
		t.Fatal("not connected")
	}
	b.chat(20)
	if !p.wire.passesPion() {
		t.Errorf("state %d", p.wire.short.state.Load())
	}
}

// A hello or a secret that is not the handshake's own opens nothing, and costs
// the call nothing.
func TestShortcut_ForeignSecret_SoundGoesThroughPion(t *testing.T) {
	b, p := connected(t, func(w *wire) {
		fmt.Fprintf(&w.short, "CLIENT_RANDOM %s %s\n", strings.Repeat("01", 32), strings.Repeat("02", 48))
	})
	b.chat(maxMisses + 10)
	p.wire.receiving.Lock()
	defer p.wire.receiving.Unlock()
	if state := p.wire.short.state.Load(); state != tried || p.wire.short.remote != nil {
		t.Errorf("state %d after %d packets", state, maxMisses+10)
	}
}

func TestShortcut_KeyLogOfOtherKindsIsIgnored(t *testing.T) {
	for _, line := range []string{"", "CLIENT_RANDOM\n", "CLIENT_RANDOM zz 00\n", "CLIENT_RANDOM 00 zz\n",
		"SERVER_TRAFFIC_SECRET_0 00 11\n", "CLIENT_RANDOM 00 11 22\n"} {
		var s shortcut
		if n, err := s.Write([]byte(line)); n != len(line) || err != nil || s.secret != nil {
			t.Errorf("%q: %d %v, secret %x", line, n, err, s.secret)
		}
	}
}

// sink is a path that keeps what was sent last.
type sink struct{ last []byte }

func (s *sink) WriteToAddrPort(b []byte, _ netip.AddrPort) (int, error) {
	s.last = append(s.last[:0], b...)
	return len(b), nil
}

var testKey, testSalt = []byte("0123456789abcdef"), []byte("0123456789ab")

func testContext(t testing.TB) *srtp.Context {
	t.Helper()
	c, err := srtp.CreateContext(testKey, testSalt, srtp.ProtectionProfileAeadAes128Gcm, srtp.SRTPReplayProtection(64))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shortened is a wire whose shortcut has its keys.
func shortened(t testing.TB) (*wire, *sink) {
	out := &sink{}
	w := &wire{ssrc: 7, writer: &sunk{}}
	w.in.clock = 48000
	w.short.remote, w.short.local = testContext(t), testContext(t)
	w.short.state.Store(tried)
	w.short.route.Store(&route{path: out})
	return w, out
}

func sealed(t testing.TB, c *srtp.Context, seq uint16, ssrc uint32) []byte {
	t.Helper()
	plain, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 111, SequenceNumber: seq, Timestamp: uint32(seq) * 960, SSRC: ssrc},
		Payload: make([]byte, 80)}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.EncryptRTP(nil, plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestShortcut_ReplayedAndForgedPacketsAreDropped(t *testing.T) {
	w, _ := shortened(t)
	far := testContext(t)
	var got []uint16
	w.Receive(func(p *media.Packet) { got = append(got, p.Sequence) })
	first, second := sealed(t, far, 1, 9), sealed(t, far, 2, 9)
	forged := append([]byte(nil), second...)
	forged[20]++
	for i, c := range []struct {
		packet []byte
		taken  bool
	}{
		{append([]byte(nil), forged...), false}, // nothing was authentic yet: pion may try
		{append([]byte(nil), first...), true},
		{append([]byte(nil), first...), true},
		{append([]byte(nil), forged...), true},
		{append([]byte(nil), second...), true},
		{append([]byte(nil), second...), true},
		{[]byte{0x80, 111, 0, 3}, true},
	} {
		if taken := w.take(c.packet, time.Now()); taken != c.taken {
			t.Errorf("packet %d: taken %v", i, taken)
		}
	}
	if fmt.Sprint(got) != "[1 2]" {
		t.Errorf("delivered %v", got)
	}
}

func TestShortcut_StreamsOfOneBrowserAreBounded(t *testing.T) {
	w, _ := shortened(t)
	far := testContext(t)
	heard := map[uint32]int{}
	w.Receive(func(p *media.Packet) { heard[p.SSRC]++ })
	for round := range 2 {
		for ssrc := range uint32(3 * maxTracks) {
			w.take(sealed(t, far, uint16(10+round), ssrc), time.Now())
		}
	}
	if len(heard) != maxTracks || heard[0] != 2 || len(w.short.ssrcs) != maxTracks {
		t.Errorf("heard %v", heard)
	}
}

func TestShortcut_GoesOnWherePionStopped(t *testing.T) {
	w, out := shortened(t)
	far, theirs := testContext(t), testContext(t)
	pions := testContext(t) // what pion encrypts with
	w.Receive(func(*media.Packet) {})
	seq := uint16(65533)
	decrypts := func(b []byte) {
		t.Helper()
		var h rtp.Header
		if _, err := theirs.DecryptRTP(nil, b, &h); err != nil || h.SequenceNumber != seq || h.SSRC != 7 {
			t.Fatalf("packet %d: %v, %+v", seq, err, h)
		}
	}
	for range 6 { // over the rollover
		must(t, w.Send(&media.Packet{PayloadType: 111, Sequence: seq, Payload: make([]byte, 80)}))
		decrypts(sealed(t, pions, seq, 7))
		seq++
	}
	if out.last != nil {
		t.Fatal("sent before the keys were proven")
	}
	w.take(sealed(t, far, 1, 9), time.Now())
	for range 3 {
		must(t, w.Send(&media.Packet{PayloadType: 111, Marker: true, Sequence: seq, Payload: make([]byte, 80)}))
		decrypts(out.last)
		seq++
	}
}

func TestShortcut_PacketsCostNoAllocation(t *testing.T) {
	w, out := shortened(t)
	far := testContext(t)
	var back media.Packet
	w.Receive(func(p *media.Packet) {
		back = media.Packet{PayloadType: p.PayloadType, Sequence: p.Sequence, Timestamp: p.Timestamp, Payload: p.Payload}
		w.Send(&back)
	})
	packets := make([][]byte, 600)
	for i := range packets {
		packets[i] = sealed(t, far, uint16(i), 9)
	}
	out.last = make([]byte, 0, 200)
	w.take(packets[0], time.Now())
	next := 1
	if n := testing.AllocsPerRun(500, func() {
		if !w.take(packets[next], time.Now()) {
			t.Fatal("not taken")
		}
		next++
	}); n != 0 {
		t.Errorf("a packet there and back allocates %v times", n)
	}
}

func BenchmarkShortcut_Echo(b *testing.B) {
	w, _ := shortened(b)
	far := testContext(b)
	var back media.Packet
	w.Receive(func(p *media.Packet) {
		back = media.Packet{PayloadType: p.PayloadType, Sequence: p.Sequence, Timestamp: p.Timestamp, Payload: p.Payload}
		w.Send(&back)
	})
	packets := make([][]byte, 1000)
	buf := make([]byte, 200)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(packets) == 0 {
			b.StopTimer()
			for k := range packets {
				packets[k] = sealed(b, far, uint16(i+k), 9)
			}
			b.StartTimer()
		}
		w.take(buf[:copy(buf, packets[i%len(packets)])], time.Now())
	}
}

// helloRecord is a server's hello, as one record of DTLS 1.2.
func helloRecord(profile uint16) []byte {
	body := append([]byte{254, 253}, strings.Repeat("r", 32)...)
	body = append(body, 2, 1, 2)           // session
	body = append(body, 0xc0, 0x2c, 0)     // suite, compression
	body = append(body, 0, 15)             // extensions
	body = append(body, 0, 23, 0, 0)       // extended master secret
	body = append(body, 0, 14, 0, 5, 0, 2) // use_srtp
	body = binary.BigEndian.AppendUint16(body, profile)
	body = append(body, 0)
	n := byte(len(body))
	b := []byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, n + 12}
	b = append(b, 2, 0, 0, n, 0, 1, 0, 0, 0, 0, 0, n)
	return append(b, body...)
}

func TestServerHello(t *testing.T) {
	plain := helloRecord(7)
	encrypted := append([]byte(nil), plain...)
	encrypted[4] = 1
	fragment := append([]byte(nil), plain...)
	fragment[16]++
	for _, c := range []struct {
		name  string
		b     []byte
		found bool
	}{
		{"a hello", plain, true},
		{"after another record", append([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 9, 9}, plain...), true},
		{"of a later epoch", encrypted, false},
		{"a fragment", fragment, false},
		{"cut short", plain[:len(plain)-1], false},
		{"no SRTP", helloRecord(7)[:13], false},
		{"nothing", nil, false},
	} {
		h, ok := findServerHello(c.b)
		if ok != c.found {
			t.Errorf("%s: found %v", c.name, ok)
		}
		if ok && (h.profile != 7 || h.suite != 0xc02c || string(h.random[:]) != strings.Repeat("r", 32) || h.hash()().Size() != 48) {
			t.Errorf("%s: %+v", c.name, h)
		}
	}
}

// FuzzServerHello holds that no datagram panics, and that only what is inside is
// found.
func FuzzServerHello(f *testing.F) {
	f.Add(helloRecord(1))
	f.Add(append(helloRecord(8), helloRecord(7)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, ok := findServerHello(b); ok && !strings.Contains(string(b), string(h.random[:])) {
			t.Errorf("random %s out of nowhere", hex.EncodeToString(h.random[:]))
		}
	})
}

// stunRequest is a binding request for an ICE user name, as far as the socket reads it.
func stunRequest(user string) []byte {
	for len(user)%4 != 0 {
		user += "x"
	}
	b := []byte{0, 1, 0, byte(4 + len(user)), 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 6, 0, byte(len(user))}
	return append(b, user...)
}

// testSocket is a socket whose reader gets its datagrams from the test.
func testSocket(t *testing.T) *udpSocket {
	t.Helper()
	s, err := listenUDP(new(udp.Group), netip.AddrPortFrom(loopback, 0))
	must(t, err)
	t.Cleanup(s.close)
	return s
}

func TestSocket_ANewCallFromAnOldAddressIsTheNewCall(t *testing.T) {
	s := testSocket(t)
	older, newer := s.open("old", &wire{}), s.open("new", &wire{})
	from := netip.MustParseAddrPort("127.0.0.1:9")
	older.know(from, true)
	s.datagram(stunRequest("new:them"), from, time.Now())
	if len(newer.in) != 1 || len(older.in) != 0 {
		t.Fatalf("waiting: old %d, new %d", len(older.in), len(newer.in))
	}
	newer.know(from, true)
	s.datagram([]byte{22, 254}, from, time.Now())
	if len(newer.in) != 2 || len(older.addrs) != 0 {
		t.Errorf("waiting: %d; the old call has %v", len(newer.in), older.addrs)
	}
	older.Close()
	s.datagram([]byte{22, 254}, from, time.Now())
	if len(newer.in) != 3 {
		t.Error("the old call's end took the address away")
	}
}

func TestSocket_NamingAnAddressDoesNotTakeItFromItsCall(t *testing.T) {
	s := testSocket(t)
	victim, thief := s.open("victim", &wire{}), s.open("thief", &wire{})
	far, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	must(t, err)
	defer far.Close()
	from := far.LocalAddr().(*net.UDPAddr).AddrPort()
	write := func(p *path, b ...byte) *path {
		t.Helper()
		_, err := p.WriteToAddrPort(b, from)
		must(t, err)
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.peers[from]
	}
	if write(victim, 0, 1) != victim {
		t.Error("an address that is nobody's is not taken")
	}
	for _, b := range [][]byte{{0, 1}, {22, 254}, {0x80, 111}, {1, 17}} {
		if write(thief, b...) != victim {
			t.Errorf("sending %x took the address over", b)
		}
	}
	if write(thief, 1, 1) != thief {
		t.Error("a browser that spoke from the address is not heard")
	}
}

func TestSocket_StraysAreDroppedAndQueuesAreBounded(t *testing.T) {
	s := testSocket(t)
	p := s.open("user", &wire{})
	from := netip.MustParseAddrPort("127.0.0.1:9")
	for _, b := range [][]byte{{22}, {0x80, 0}, {0}, stunRequest("other:them"), {255}} {
		s.datagram(b, from, time.Now())
	}
	if len(p.in) != 0 {
		t.Errorf("%d strays", len(p.in))
	}
	p.know(from, true)
	for range 2 * pathQueue {
		s.datagram([]byte{0x80, 200, 1, 2}, from, time.Now())
	}
	if len(p.in) != pathQueue {
		t.Errorf("%d wait", len(p.in))
	}
	for i := range 2 * maxAddresses {
		p.know(netip.AddrPortFrom(loopback, uint16(1000+i)), true)
	}
	if len(p.addrs) != maxAddresses || len(s.peers) != maxAddresses || s.peers[from] != nil {
		t.Errorf("%d addresses, %d in the table", len(p.addrs), len(s.peers))
	}
	p.Close()
	if len(s.peers)+len(s.users)+len(p.wire.paths.list) != 0 {
		t.Errorf("left: %v %v", s.peers, s.users)
	}
	if _, err := p.WriteToAddrPort([]byte{1}, from); err == nil {
		t.Error("a closed path sends")
	}
	p.know(from, true)
	if len(s.peers) != 0 {
		t.Error("a closed path gets an address")
	}
}

// Sound waits for the clock while no call on the port wants it at once; the rest never does.
func TestSocket_SoundWaitsWhenNoCallIsInAHurry(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH == "386" || runtime.GOARCH == "s390x" {
		t.Skip("packets are read at once here")
	}
	var group udp.Group
	s, err := listenUDP(&group, netip.AddrPortFrom(loopback, 0))
	must(t, err)
	defer s.close()
	far, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	must(t, err)
	defer far.Close()
	settled, other := &wire{}, &wire{}
	settled.Calm(true, true)
	p := s.open("settled", settled)
	p.know(far.LocalAddr().(*net.UDPAddr).AddrPort(), true)
	const hour = time.Hour
	read := func() { group.Read(time.Now().Add(hour), hour) }
	send := func(b ...byte) {
		_, err := far.WriteToUDPAddrPort(b, s.local)
		must(t, err)
	}
	arrives := func(limit time.Duration) bool {
		select {
		case <-p.in:
			return true
		case <-time.After(limit):
			return false
		}
	}
	comes := func(what string) {
		t.Helper()
		if !arrives(patience) {
			t.Fatalf("%s waits", what)
		}
	}
	sound := []byte{0x80, 111, 0, 1}
	// The reader finishes what it is at before it rests.
	waits := func(what string) {
		t.Helper()
		for range 100 {
			read()
			if send(sound...); !arrives(20 * time.Millisecond) {
				read()
				comes("what Read takes")
				return
			}
		}
		t.Fatalf("%s: sound is read at once", what)
	}
	settled.Calm(true, false)
	waits("one call that waits")
	send(0, 1, 2)
	comes("STUN")
	send(0x80, 200, 0, 0)
	comes("RTCP")
	q := s.open("other", other)
	send(sound...)
	comes("sound beside a new call")
	other.Calm(true, false)
	waits("two calls that wait")
	other.Calm(false, false)
	send(sound...)
	comes("sound beside a call in a hurry")
	q.Close()
	if m := s.moods.calls; m != [anyMood]int{inTime: 1} {
		t.Errorf("calls by mood: %v", m)
	}
	p.Close()
	if m := s.moods.calls; m != [anyMood]int{} {
		t.Errorf("calls by mood at the end: %v", m)
	}
}

// FuzzDatagram holds that no datagram, from a stranger or from a call's own
// address, panics or fills more than its queue.
func FuzzDatagram(f *testing.F) {
	f.Add(stunRequest("user:them"))
	f.Add(helloRecord(7))
	f.Add([]byte{0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 1, 2, 3})
	f.Add([]byte{0x80, 200})
	s, err := listenUDP(new(udp.Group), netip.AddrPortFrom(loopback, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.close)
	known := netip.MustParseAddrPort("127.0.0.1:9")
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return // nothing of no length is handed on
		}
		w, _ := shortened(t)
		p := s.open("user", w)
		defer p.Close()
		s.datagram(b, netip.MustParseAddrPort("127.0.0.1:10"), time.Now())
		if len(p.in) > 1 {
			t.Errorf("%d wait", len(p.in))
		}
		p.know(known, true)
		s.datagram(b, known, time.Now())
		if len(p.in) > 2 {
			t.Errorf("%d wait", len(p.in))
		}
	})
}
