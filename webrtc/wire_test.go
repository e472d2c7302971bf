package webrtc

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtp"
	pion "github.com/pion/webrtc/v4"

	"github.com/switchlet/switchlet/media"
)

// sunk swallows what a wire sends.
type sunk struct{ packets int }

func (s *sunk) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	s.packets++
	return len(payload), nil
}
func (s *sunk) Write(b []byte) (int, error) { return len(b), nil }

func TestWire_PacketsCostNoAllocation(t *testing.T) {
	out := &sunk{}
	w := &wire{writer: out, ssrc: 7}
	w.in.clock = 48000
	p := &media.Packet{PayloadType: 111, Sequence: 1, Timestamp: 960, Payload: make([]byte, 80)}
	if n := testing.AllocsPerRun(1000, func() {
		p.Sequence++
		if w.Send(p) != nil {
			t.Fatal("send")
		}
	}); n != 0 {
		t.Errorf("sending allocates %v times", n)
	}
	raw := append([]byte{0x90, 0xef, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 0xbe, 0xde, 0, 1, 1, 2, 3, 4}, make([]byte, 60)...)
	var got media.Packet
	at := time.Now()
	if n := testing.AllocsPerRun(1000, func() {
		raw[3]++
		if !parseRTP(raw, &got) {
			t.Fatal("parse")
		}
		got.Arrived = at
		w.in.packet(&got)
	}); n != 0 {
		t.Errorf("receiving allocates %v times", n)
	}
	if got.SSRC != 9 || got.PayloadType != 111 || !got.Marker || len(got.Payload) != 60 {
		t.Errorf("parsed %+v", got)
	}
}

func TestReception_CountsLossAndJitter(t *testing.T) {
	r := &reception{clock: 8000}
	start := time.Now()
	for i := range 100 {
		if i%10 == 3 {
			continue
		}
		r.packet(&media.Packet{SSRC: 5, Sequence: uint16(65500 + i), Timestamp: uint32(i * 160),
			Arrived: start.Add(time.Duration(i) * 20 * time.Millisecond)})
	}
	rep, ok := r.report(start)
	if !ok || rep.TotalLost != 10 || rep.FractionLost != 25 || rep.LastSequenceNumber != 65599 || rep.Jitter > 8 {
		t.Errorf("report %+v", rep)
	}
	if rep, _ = r.report(start); rep.FractionLost != 0 || rep.TotalLost != 10 {
		t.Errorf("second report %+v", rep)
	}
}

// FuzzRTP holds that no datagram panics or leads outside of itself.
func FuzzRTP(f *testing.F) {
	f.Add([]byte{0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 1, 2, 3})
	f.Add([]byte{0xbf, 0xef, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 0xbe, 0xde, 0, 1, 1, 2, 3, 200})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p media.Packet
		if parseRTP(b, &p) && len(p.Payload) > len(p.Buf) {
			t.Errorf("payload of %d bytes in a packet of %d", len(p.Payload), len(p.Buf))
		}
		w := &wire{}
		w.level.Store(1)
		w.in.clock = 48000
		w.deliver(b, time.Now())
	})
}

func TestPeer_OnlyTCP_SoundGoesBothWays(t *testing.T) {
	// Any free TCP port of the moment serves, which may be taken the next moment.
	var n *network
	until(t, "a port", func() bool {
		l, err := listenLoopback("tcp", "")
		must(t, err)
		port := int(netip.MustParseAddrPort(l.Addr().String()).Port())
		l.Close()
		n, err = listenNetwork([]netip.Addr{loopback}, nil, 0, port)
		return err == nil
	})
	t.Cleanup(n.close)

	engine := &pion.MediaEngine{}
	must(t, engine.RegisterDefaultCodecs())
	var s pion.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeTCP4})
	b := browserWith(t, pion.NewAPI(pion.WithMediaEngine(engine), pion.WithSettingEngine(s)), pion.MimeTypeOpus, 48000, 2)
	p, err := newPeer(n)
	must(t, err)
	defer p.wire.Close()
	echo(p.wire)
	d, at, a := negotiated(t, b.offer(), testPrefs(t, "opus,PCMU"))
	text, err := p.answer(context.Background(), d, at, &a, nil)
	must(t, err)
	b.accept(text)
	if !p.wait(context.Background(), patience) {
		t.Fatal("not connected")
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go b.talk(ctx, 960)
	for range 10 {
		b.hear(patience)
	}
	if !p.wire.passesPion() {
		t.Errorf("the shortcut's state is %d", p.wire.short.state.Load())
	}
}
