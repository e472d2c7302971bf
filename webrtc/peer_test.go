package webrtc

import (
	"context"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	pion "github.com/pion/webrtc/v4"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// browser is a pion peer that behaves as a page does: it gathers on loopback and
// exchanges whole descriptions.
type browser struct {
	t     *testing.T
	pc    *pion.PeerConnection
	track *pion.TrackLocalStaticRTP
	heard chan *rtp.Packet
	lost  atomic.Int64
	rtcp  atomic.Int64
	level func(seq uint16) []byte // of the audio level extension, with the id that was agreed; nil: not sent
}

func newBrowser(t *testing.T, mime string, clock uint32, channels uint16) *browser {
	t.Helper()
	engine := &pion.MediaEngine{}
	pt := map[string]pion.PayloadType{pion.MimeTypeOpus: 111, pion.MimeTypePCMU: 0, pion.MimeTypeG722: 9}[mime]
	must(t, engine.RegisterCodec(pion.RTPCodecParameters{PayloadType: pt, RTPCodecCapability: pion.RTPCodecCapability{
		MimeType: mime, ClockRate: clock, Channels: channels, SDPFmtpLine: "minptime=10;useinbandfec=1"}}, pion.RTPCodecTypeAudio))
	must(t, engine.RegisterCodec(pion.RTPCodecParameters{PayloadType: 110, RTPCodecCapability: pion.RTPCodecCapability{
		MimeType: "audio/telephone-event", ClockRate: 48000}}, pion.RTPCodecTypeAudio))
	must(t, engine.RegisterHeaderExtension(pion.RTPHeaderExtensionCapability{URI: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"}, pion.RTPCodecTypeAudio))
	var s pion.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeUDP4})
	s.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	return browserWith(t, pion.NewAPI(pion.WithMediaEngine(engine), pion.WithSettingEngine(s)), mime, clock, channels)
}

func browserWith(t *testing.T, api *pion.API, mime string, clock uint32, channels uint16) *browser {
	t.Helper()
	pc, err := api.NewPeerConnection(pion.Configuration{})
	must(t, err)
	b := &browser{t: t, pc: pc, heard: make(chan *rtp.Packet, 1000)}
	b.track, err = pion.NewTrackLocalStaticRTP(pion.RTPCodecCapability{MimeType: mime, ClockRate: clock, Channels: channels}, "audio", "page")
	must(t, err)
	sender, err := pc.AddTrack(b.track)
	must(t, err)
	go func() {
		for {
			packets, _, err := sender.ReadRTCP()
			if err != nil {
				return
			}
			b.rtcp.Add(int64(len(packets)))
		}
	}()
	pc.OnTrack(func(t *pion.TrackRemote, _ *pion.RTPReceiver) {
		for {
			p, _, err := t.ReadRTP()
			if err != nil {
				return
			}
			select {
			case b.heard <- p:
			default:
				b.lost.Add(1)
			}
		}
	})
	t.Cleanup(func() { pc.Close() })
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// offer is the page's own offer, complete with candidates.
func (b *browser) offer() string {
	b.t.Helper()
	o, err := b.pc.CreateOffer(nil)
	must(b.t, err)
	done := pion.GatheringCompletePromise(b.pc)
	must(b.t, b.pc.SetLocalDescription(o))
	<-done
	return b.pc.LocalDescription().SDP
}

// accept takes the switch's answer.
func (b *browser) accept(answer string) {
	b.t.Helper()
	must(b.t, b.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeAnswer, SDP: answer}))
}

// answer answers the switch's offer.
func (b *browser) answer(offer string) string {
	b.t.Helper()
	must(b.t, b.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeOffer, SDP: offer}))
	a, err := b.pc.CreateAnswer(nil)
	must(b.t, err)
	done := pion.GatheringCompletePromise(b.pc)
	must(b.t, b.pc.SetLocalDescription(a))
	<-done
	return b.pc.LocalDescription().SDP
}

// talk sends numbered packets every 20 ms until ctx ends.
func (b *browser) talk(ctx context.Context, step uint32) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 1000, Timestamp: 5000}}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p.SequenceNumber++
		p.Timestamp += step
		p.Payload = []byte{0xf8, 0xff, 0xfe, byte(p.SequenceNumber)}
		if b.level != nil {
			said := b.level(p.SequenceNumber)
			if err := p.SetExtension(said[0], said[1:]); err != nil {
				b.t.Error(err)
				return
			}
		}
		if b.track.WriteRTP(p) != nil {
			return
		}
	}
}

// hear waits for a packet.
func (b *browser) hear(limit time.Duration) *rtp.Packet {
	b.t.Helper()
	select {
	case p := <-b.heard:
		return p
	case <-time.After(limit):
		b.t.Fatal("the browser hears nothing")
		return nil
	}
}

func testNetwork(t *testing.T) *network {
	t.Helper()
	n, err := listenNetwork([]netip.Addr{loopback}, nil, 0, 0)
	must(t, err)
	t.Cleanup(n.close)
	return n
}

func testPrefs(t *testing.T, list string) []codec.Pref {
	t.Helper()
	prefs, skipped := codec.ParseList(codec.Table(), list)
	if len(skipped) > 0 {
		t.Fatalf("skipped %v", skipped)
	}
	return prefs
}

// echo returns every packet that comes, as the relay gear does.
func echo(w *wire) {
	var out media.Packet
	w.Receive(func(p *media.Packet) {
		out = media.Packet{PayloadType: p.PayloadType, Marker: p.Marker, Sequence: p.Sequence, Timestamp: p.Timestamp, Payload: p.Payload}
		w.Send(&out)
	})
}

func negotiated(t *testing.T, text string, prefs []codec.Pref) (*description, int, agreement) {
	t.Helper()
	d, err := parseDescription(text)
	must(t, err)
	at, ok := d.audio()
	if !ok {
		t.Fatal("no audio")
	}
	a, err := choose(&d.sections[at], prefs)
	must(t, err)
	return d, at, a
}

func TestPeer_BrowserOffers_SoundGoesBothWays(t *testing.T) {
	n := testNetwork(t)
	b := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p, err := newPeer(n)
	must(t, err)
	defer p.wire.Close()
	echo(p.wire)
	offer := b.offer()
	began := time.Now()
	d, at, a := negotiated(t, offer, testPrefs(t, "opus,PCMU"))
	text, err := p.answer(context.Background(), d, at, &a, d.sections[at].cands)
	must(t, err)
	took := time.Since(began)
	t.Logf("answer after %v:\n%s", took, text)
	b.accept(text)
	if !p.wait(context.Background(), patience) {
		t.Fatal("not connected")
	}
	t.Logf("connected after %v", time.Since(began))
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go b.talk(ctx, 960)
	for range 10 {
		got := b.hear(patience)
		if got.PayloadType != 111 || len(got.Payload) != 4 {
			t.Fatalf("heard %v", got)
		}
	}
	if local, remote := p.wire.Addresses(); !strings.HasPrefix(local, "127.0.0.1:") || !strings.HasPrefix(remote, "127.0.0.1:") {
		t.Errorf("addresses %q %q", local, remote)
	}
	p.wire.report(time.Now())
	deadline := time.Now().Add(patience)
	for b.rtcp.Load() == 0 && time.Now().Before(deadline) {
		b.hear(patience)
	}
	if b.rtcp.Load() == 0 {
		t.Error("no receiver report came")
	}
}

func TestPeer_SwitchOffers_SoundGoesBothWays(t *testing.T) {
	n := testNetwork(t)
	b := newBrowser(t, pion.MimeTypePCMU, 8000, 1)
	p, err := newPeer(n)
	must(t, err)
	defer p.wire.Close()
	echo(p.wire)
	prefs := testPrefs(t, "opus,G722,PCMU,PCMA")
	text, err := p.offer(context.Background(), offered(prefs), 20)
	must(t, err)
	t.Log(text)
	answer := b.answer(text)
	d, at, a := negotiated(t, answer, prefs)
	must(t, p.answered(&d.sections[at], &a, d.sections[at].cands))
	if !p.wait(context.Background(), patience) {
		t.Fatal("not connected")
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go b.talk(ctx, 160)
	if got := b.hear(patience); got.PayloadType != 0 {
		t.Fatalf("heard %v", got)
	}
}

// agreedLevel is the id of the audio level extension that a browser sends.
func (b *browser) agreedLevel() byte {
	b.t.Helper()
	for _, e := range b.pc.GetSenders()[0].GetParameters().HeaderExtensions {
		if e.URI == "urn:ietf:params:rtp-hdrext:ssrc-audio-level" {
			return byte(e.ID)
		}
	}
	b.t.Fatal("no audio level was agreed")
	return 0
}

// wantLevels listens for what browser b marks silent: every third packet.
func wantLevels(t *testing.T, b *browser, p *peer) {
	t.Helper()
	if !p.wait(context.Background(), patience) {
		t.Fatal("not connected")
	}
	id := b.agreedLevel()
	b.level = func(seq uint16) []byte {
		if seq%3 == 0 {
			return []byte{id, 127}
		}
		return []byte{id, 0x80 | 40}
	}
	heard := make(chan media.Packet, 100)
	p.wire.Receive(func(k *media.Packet) {
		select {
		case heard <- *k:
		default:
		}
	})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go b.talk(ctx, 960)
	deadline := time.After(patience)
	for range 12 {
		select {
		case k := <-heard:
			if want := k.Sequence%3 == 0; k.Silent != want {
				t.Errorf("packet %d: silent %v", k.Sequence, k.Silent)
			}
		case <-deadline:
			t.Fatal("nothing heard")
		}
	}
	if p.wire.short.state.Load() != open {
		t.Error("the shortcut is not open")
	}
}

func TestPeer_BrowserOffers_ItsLevelIsRead(t *testing.T) {
	b := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p, err := newPeer(testNetwork(t))
	must(t, err)
	defer p.wire.Close()
	d, at, a := negotiated(t, b.offer(), testPrefs(t, "opus,PCMU"))
	text, err := p.answer(context.Background(), d, at, &a, d.sections[at].cands)
	must(t, err)
	b.accept(text)
	wantLevels(t, b, p)
}

func TestPeer_SwitchOffers_ItsLevelIsRead(t *testing.T) {
	b := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p, err := newPeer(testNetwork(t))
	must(t, err)
	defer p.wire.Close()
	prefs := testPrefs(t, "opus,PCMU")
	text, err := p.offer(context.Background(), offered(prefs), 20)
	must(t, err)
	d, at, a := negotiated(t, b.answer(text), prefs)
	must(t, p.answered(&d.sections[at], &a, d.sections[at].cands))
	wantLevels(t, b, p)
}
