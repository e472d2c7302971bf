package sip

import (
	"context"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/sdp"
)

// Peer is the sound of a leg whose far end speaks ICE and DTLS-SRTP. Descriptions
// are whole: every candidate is in them.
type Peer interface {
	// Offer writes an offer of ours, Accept takes the answer to it.
	Offer(ctx context.Context, prefs []codec.Pref, want sdp.Direction) (string, error)
	Accept(answer string, prefs []codec.Pref) error
	// Answer answers the far end's offer, the first or a later one.
	Answer(ctx context.Context, offer string, prefs []codec.Pref, want sdp.Direction) (string, error)
	// Agreed is what was negotiated last, and the direction that the far end stated.
	Agreed() (media.Format, media.DTMF, sdp.Direction)
	// Wire carries the packets, nil before the first Answer or Offer. It may be
	// another one after an Answer.
	Wire() media.Wire
	SSRC() uint32
	Close() error
}

// fromBrowser reports whether an offer asks for DTLS-SRTP.
func fromBrowser(s *sdp.Session) bool {
	for i := range s.Media {
		if m := &s.Media[i]; m.Kind == "audio" && m.Port != 0 {
			_, print := m.Attribute("fingerprint")
			if _, whole := s.Attribute("fingerprint"); print || whole {
				return true
			}
			return strings.Contains(strings.ToUpper(m.Proto), "TLS/RTP")
		}
	}
	return false
}

// callsBrowser reports whether our offer must be for a browser: one that comes by
// WebSocket, or that media_webrtc names (spec/verto.md §8).
func (l *leg) callsBrowser(ch *call.Channel) bool {
	l.mu.Lock()
	transport, session := l.target.transport, l.sound.session
	l.mu.Unlock()
	if session != nil || l.profile.stack.NewPeer == nil {
		return false
	}
	if v := ch.Get("media_webrtc"); v != "" {
		return call.True(v)
	}
	return l.outbound && (transport == "ws" || transport == "wss")
}

// connect makes the leg's Peer.
func (l *leg) connect(ch *call.Channel) (Peer, error) {
	l.mu.Lock()
	b, from := l.sound.browser, l.peer
	l.mu.Unlock()
	if b != nil {
		return b, nil
	}
	if l.profile.stack.NewPeer == nil {
		ch.Log(call.LogErr, "sip: the far end wants ICE and DTLS-SRTP, which this switch was not given")
		return nil, call.CauseIncompatibleDestination
	}
	b, err := l.profile.stack.NewPeer(from)
	if err != nil {
		ch.Log(call.LogErr, "sip: %v", err)
		return nil, call.CauseDestinationOutOfOrder
	}
	l.mu.Lock()
	l.sound.browser = b
	l.mu.Unlock()
	ch.SetPlain("media_webrtc", "true")
	return b, nil
}

// want is the direction that we allow.
func (l *leg) want() sdp.Direction {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sound.direction
}

// browserOffer writes an offer to a browser. The error is a cause.
func (l *leg) browserOffer(ch *call.Channel, prefs []codec.Pref) ([]byte, error) {
	b, err := l.connect(ch)
	if err != nil {
		return nil, err
	}
	text, err := b.Offer(ch.Context(), prefs, l.want())
	if err != nil {
		ch.Log(call.LogErr, "sip: %v", err)
		return nil, call.CauseIncompatibleDestination
	}
	l.mu.Lock()
	l.sound.prefs, l.sound.local = prefs, text
	l.mu.Unlock()
	ch.SetPlain("rtp_local_sdp_str", text)
	return []byte(text), nil
}

// browserAnswer answers a browser's offer: writeAnswer returns what it made. The
// error is a cause.
func (l *leg) browserAnswer(ch *call.Channel, offer *sdp.Session, text string) error {
	b, err := l.connect(ch)
	if err != nil {
		return err
	}
	want := sdp.SendRecv
	if l.agreed().Held {
		want = l.want()
	}
	made, err := b.Answer(ch.Context(), text, l.preferences(ch), want)
	if err != nil {
		ch.SetPlain("endpoint_disposition", "CODEC NEGOTIATION ERROR")
		ch.Log(call.LogErr, "CODEC NEGOTIATION ERROR. SDP: %v", err)
		return call.CauseIncompatibleDestination
	}
	l.mu.Lock()
	l.sound.local = made
	l.mu.Unlock()
	l.browserAgreed(b, offer)
	return nil
}

// browserAccept takes a browser's answer to our offer. The error is a cause.
func (l *leg) browserAccept(ch *call.Channel, b Peer, answer *sdp.Session, text string) error {
	l.mu.Lock()
	prefs := l.sound.prefs
	l.mu.Unlock()
	if err := b.Accept(text, prefs); err != nil {
		ch.SetPlain("endpoint_disposition", "CODEC NEGOTIATION ERROR")
		ch.Log(call.LogErr, "CODEC NEGOTIATION ERROR. SDP: %v", err)
		return call.CauseIncompatibleDestination
	}
	l.browserAgreed(b, answer)
	return nil
}

// browserAgreed records what a negotiation came to.
func (l *leg) browserAgreed(b Peer, theirs *sdp.Session) {
	f, d, direction := b.Agreed()
	r := sdp.Result{Format: f, Matches: []media.Format{f}, Digits: d.PayloadType, DigitsReceive: d.ReceiveType, DigitsClock: d.ClockRate,
		Direction: direction.Reverse().And(l.want()), Held: direction == sdp.SendOnly || direction == sdp.Inactive, Mux: true}
	l.mu.Lock()
	l.sound.offer, l.sound.result, l.sound.agreed = theirs, r, true
	l.mu.Unlock()
}
