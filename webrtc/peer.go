package webrtc

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	pion "github.com/pion/webrtc/v4"

	"github.com/switchlet/switchlet/media/sdp"
)

// negotiationLimit bounds what pion does locally for one description.
const negotiationLimit = 3 * time.Second

// peer is one PeerConnection with a browser: ICE, DTLS and SRTP of one call. A
// call gets a new one when the browser comes back with another connection.
type peer struct {
	net    *network
	pc     *pion.PeerConnection
	sender *pion.RTPSender
	wire   *wire
	cname  string
	msid   string

	session int64
	version int64 // of the last description sent

	want   sdp.Direction // of the sound, as far as it is ours to say
	role   string        // ours in DTLS, active or passive, "" before there is one
	mid    string        // of the audio section, "" before there is one
	remote fingerprint   // of the browser's certificate, to know it again
	near   bool          // the browser is in our own network and needs no outer address
	blind  atomic.Bool   // the browser named no address at all: what comes is not waited for

	once      sync.Once
	connected chan struct{} // closed when sound can flow
	failOnce  sync.Once
	failed    chan struct{} // closed when it never will again
}

// token returns n random characters of an ICE-safe alphabet.
func token(n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// newPeer makes a connection that has negotiated nothing yet.
func newPeer(n *network) (*peer, error) {
	p := &peer{net: n, cname: token(16), msid: token(32), session: time.Now().Unix(),
		connected: make(chan struct{}), failed: make(chan struct{})}
	p.version = p.session
	p.wire = &wire{peer: p, id: "a0", stream: p.msid}
	p.wire.in.clock = 48000
	pc, err := n.api(p.wire).NewPeerConnection(pion.Configuration{
		Certificates: []pion.Certificate{n.cert}, BundlePolicy: pion.BundlePolicyMaxBundle})
	if err != nil {
		return nil, fmt.Errorf("webrtc: peer connection: %w", err)
	}
	p.pc = pc
	pc.OnConnectionStateChange(func(s pion.PeerConnectionState) {
		switch s {
		case pion.PeerConnectionStateConnected:
			p.once.Do(func() { close(p.connected) })
		case pion.PeerConnectionStateFailed, pion.PeerConnectionStateClosed:
			p.failOnce.Do(func() { close(p.failed) })
		}
	})
	t, err := pc.AddTransceiverFromTrack(p.wire, pion.RTPTransceiverInit{Direction: pion.RTPTransceiverDirectionSendrecv})
	if err != nil {
		pc.Close()
		return nil, fmt.Errorf("webrtc: peer connection: %w", err)
	}
	p.sender = t.Sender()
	p.sender.Transport().OnStateChange(p.wire.short.handshake)
	p.sender.Transport().ICETransport().OnSelectedCandidatePairChange(p.wire.chosen)
	return p, nil
}

func (w *wire) outSSRC() uint32 {
	w.sending.Lock()
	defer w.sending.Unlock()
	return w.ssrc
}

// answer takes a browser's offer and returns our answer to it. It may be called
// again for an offer of the same browser connection (updateMedia, ICE restart).
func (p *peer) answer(ctx context.Context, offer *description, audio int, a *agreement, cands []candidate) (string, error) {
	ctx, stop := context.WithTimeout(ctx, negotiationLimit)
	defer stop()
	s := &offer.sections[audio]
	maps := []rtpmap{a.codec}
	if a.events.clock != 0 {
		maps = append(maps, a.events)
	}
	mid := p.mid // once there is one it stays: pion keeps whatever it hears of
	if mid == "" {
		mid = orElse(s.mid, "0")
	}
	setup, ours := "actpass", "active"
	if s.setup == "active" {
		setup, ours = "active", "passive"
	} else if s.setup == "passive" {
		setup = "passive"
	} else if p.role == "passive" {
		// Who began DTLS stays who did (RFC 8842 §5.5).
		setup, ours = "active", "passive"
	}
	p.wire.in.setClock(a.format.Codec.ClockRate)
	p.wire.level.Store(uint32(s.level.ID))
	err := p.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeOffer, SDP: remoteText(s, maps, cands, mid, setup)})
	if err != nil {
		return "", fmt.Errorf("webrtc: offer: %w", err)
	}
	local, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("webrtc: answer: %w", err)
	}
	if err := gathered(ctx, p.pc, func() error { return p.pc.SetLocalDescription(local) }); err != nil {
		return "", fmt.Errorf("webrtc: answer: %w", err)
	}
	p.remote, _ = s.secure()
	p.blind.Store(len(s.cands) == 0 && s.dropped == 0)
	t, err := p.transport(ours)
	if err != nil {
		return "", err
	}
	p.mid, p.role = mid, ours
	return t.answerText(offer, audio, a, directionOf(s.direction).Reverse().And(p.want).String()), nil
}

// directionOf is what a description's attribute says; none is both ways.
func directionOf(attribute string) sdp.Direction {
	for _, d := range []sdp.Direction{sdp.SendOnly, sdp.RecvOnly, sdp.Inactive} {
		if d.String() == attribute {
			return d
		}
	}
	return sdp.SendRecv
}

// offer returns our own offer with the given payload types.
func (p *peer) offer(ctx context.Context, maps []rtpmap, ptime int) (string, error) {
	ctx, stop := context.WithTimeout(ctx, negotiationLimit)
	defer stop()
	local, err := p.pc.CreateOffer(nil)
	if err != nil {
		return "", fmt.Errorf("webrtc: offer: %w", err)
	}
	if err := gathered(ctx, p.pc, func() error { return p.pc.SetLocalDescription(local) }); err != nil {
		return "", fmt.Errorf("webrtc: offer: %w", err)
	}
	t, err := p.transport("actpass")
	if err != nil {
		return "", err
	}
	if p.mid == "" {
		p.mid = "0"
	}
	return t.offerText(p.mid, maps, ptime, p.want.String()), nil
}

// answered takes the browser's answer to our offer.
func (p *peer) answered(s *section, a *agreement, cands []candidate) error {
	maps := []rtpmap{a.codec}
	if a.events.clock != 0 {
		maps = append(maps, a.events)
	}
	setup, ours := "active", "passive"
	if p.role == "active" || p.role == "" && s.setup == "passive" {
		setup, ours = "passive", "active"
	}
	p.wire.in.setClock(a.format.Codec.ClockRate)
	p.wire.level.Store(uint32(s.level.ID))
	text := remoteText(s, maps, cands, p.mid, setup)
	if err := p.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeAnswer, SDP: text}); err != nil {
		return fmt.Errorf("webrtc: answer: %w", err)
	}
	p.role = ours
	p.remote, _ = s.secure()
	p.blind.Store(len(s.cands) == 0 && s.dropped == 0)
	return nil
}

// transport reads our side from pion's local description.
func (p *peer) transport(setup string) (*transport, error) {
	d, err := parseDescription(p.pc.LocalDescription().SDP)
	if err != nil {
		return nil, err
	}
	s := &d.sections[0]
	print, err := p.net.fingerprint()
	if err != nil {
		return nil, err
	}
	p.version++
	t := &transport{ufrag: s.ufrag, pwd: s.pwd, print: print, setup: setup, candidates: p.net.outer,
		cname: p.cname, msid: p.msid, session: p.session, version: p.version}
	if p.near {
		t.candidates = p.net.locals
	}
	if len(s.ssrcs) > 0 {
		t.ssrc = s.ssrcs[0]
	}
	return t, nil
}

// wait returns when sound can flow, or false when it cannot within the limit or
// before ctx ends.
func (p *peer) wait(ctx context.Context, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.connected:
		return true
	case <-p.failed:
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// expects reports whether the browser can be expected to connect.
func (p *peer) expects() bool { return !p.blind.Load() }

// addresses are the transport addresses of the pair that ICE chose.
func (p *peer) addresses() (local, remote string) {
	pair, err := p.sender.Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return "", ""
	}
	return fmt.Sprintf("%s:%d", pair.Local.Address, pair.Local.Port), fmt.Sprintf("%s:%d", pair.Remote.Address, pair.Remote.Port)
}
