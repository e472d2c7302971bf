package webrtc

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/sdp"
)

// offerPtime is what our offers ask for, in ms.
const offerPtime = 20

// Secure reports whether a description asks for ICE and DTLS-SRTP, as those of
// browsers do, so that a Connection must answer it.
func Secure(description string) bool {
	d, err := parseDescription(description)
	if err != nil {
		return false
	}
	at, ok := d.audio()
	if !ok {
		return false
	}
	_, ok = d.sections[at].secure()
	return ok
}

// Connection is the sound of one call with a browser whose signalling is another
// room's, such as SIP over WebSocket: ICE, DTLS and SRTP on the port that all
// browsers share. Its methods may be called from any goroutine; one negotiation
// runs at a time.
type Connection struct {
	server  *Server
	profile *profile
	from    netip.Addr

	negotiating sync.Mutex

	mu       sync.Mutex
	peer     *peer
	agreed   agreement
	theirs   sdp.Direction
	reported time.Time
	closed   bool
}

var errNotStarted = errors.New("webrtc: the port for browsers is not open")

// Connect makes a Connection with the browser whose signalling comes from an
// address, which tells whether it needs our outer addresses. It fails before
// Start and after Close.
func (s *Server) Connect(from netip.Addr) (*Connection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started || s.ctx.Err() != nil {
		return nil, errNotStarted
	}
	c := &Connection{server: s, from: from.Unmap(), profile: &profile{localNetwork: "localnet.auto"}}
	if len(s.profiles) > 0 {
		c.profile = s.profiles[0]
	}
	s.others[c] = struct{}{}
	return c, nil
}

// Answer answers an offer of the far end, the first or a later one, with one of
// the codecs that we prefer. want is the direction that we allow. A far end that
// shows another certificate gets a new Wire.
func (c *Connection) Answer(ctx context.Context, offer string, prefs []codec.Pref, want sdp.Direction) (string, error) {
	c.negotiating.Lock()
	defer c.negotiating.Unlock()
	d, at, a, cands, err := agree(c.server, c.profile, offer, prefs)
	if err != nil {
		return "", err
	}
	section := &d.sections[at]
	print, _ := section.secure()
	old := c.current()
	p := old
	if old == nil || old.remote != print && old.remote != (fingerprint{}) {
		if p, err = newPeer(c.server.net); err != nil {
			return "", err
		}
	}
	p.near, p.want = c.near(section.cands), want
	text, err := p.answer(ctx, d, at, &a, cands)
	if err == nil {
		err = c.settle(p, a, section)
	}
	if err != nil {
		if p != old {
			p.wire.Close()
		}
		return "", err
	}
	if old != nil && old != p {
		old.wire.Close()
	}
	return text, nil
}

// Offer writes an offer of ours: all codecs that browsers know of those we
// prefer, or the one in force after something was agreed on.
func (c *Connection) Offer(ctx context.Context, prefs []codec.Pref, want sdp.Direction) (string, error) {
	c.negotiating.Lock()
	defer c.negotiating.Unlock()
	p := c.current()
	list := offered(prefs)
	if p == nil {
		var err error
		if p, err = newPeer(c.server.net); err != nil {
			return "", err
		}
		p.near = c.near(nil)
		c.mu.Lock()
		closed := c.closed
		c.peer = p
		c.mu.Unlock()
		if closed {
			p.wire.Close()
			return "", call.ErrHungup
		}
	}
	c.mu.Lock()
	if a := c.agreed; a.format.Codec != nil {
		list = []rtpmap{a.codec}
		if a.events.clock != 0 {
			list = append(list, a.events)
		}
	}
	c.mu.Unlock()
	if len(list) == 0 {
		return "", errNoCodec
	}
	p.want = want
	return p.offer(ctx, list, offerPtime)
}

// Accept takes the far end's answer to our last offer.
func (c *Connection) Accept(answer string, prefs []codec.Pref) error {
	c.negotiating.Lock()
	defer c.negotiating.Unlock()
	d, at, a, cands, err := agree(c.server, c.profile, answer, prefs)
	if err != nil {
		return err
	}
	p := c.current()
	if p == nil {
		return errNotStarted
	}
	section := &d.sections[at]
	p.near = c.near(section.cands)
	if err := p.answered(section, &a, cands); err != nil {
		return err
	}
	return c.settle(p, a, section)
}

func (c *Connection) current() *peer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer
}

// settle records what was agreed on.
func (c *Connection) settle(p *peer, a agreement, s *section) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return call.ErrHungup
	}
	c.peer, c.agreed, c.theirs = p, a, directionOf(s.direction)
	return nil
}

// near reports whether the far end needs none of our outer addresses.
func (c *Connection) near(all []candidate) bool {
	s := c.server
	return s.inside(c.profile, c.from) && !slices.ContainsFunc(all, func(d candidate) bool { return !s.inside(c.profile, d.addr.Addr()) })
}

// Agreed tells what was negotiated last: codec, digits (payload type 0: the far
// end has no telephone-event), and the direction that the far end stated.
func (c *Connection) Agreed() (media.Format, media.DTMF, sdp.Direction) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.agreed.format, c.agreed.dtmf, c.theirs
}

// Wire carries the packets; nil before the first Answer or Offer. Its Close ends
// the sound, the Connection's own Close does that and forgets the call.
func (c *Connection) Wire() media.Wire {
	if p := c.current(); p != nil {
		return p.wire
	}
	return nil
}

// SSRC is that of what we send, 0 while nothing was negotiated.
func (c *Connection) SSRC() uint32 {
	if p := c.current(); p != nil {
		return p.wire.outSSRC()
	}
	return 0
}

// Wait returns when sound can flow, or false when it cannot within a bound or
// before ctx ends.
func (c *Connection) Wait(ctx context.Context) bool {
	p := c.current()
	return p != nil && p.expects() && p.wait(ctx, connectWait)
}

// Quality is what the far end reported last: the share of our packets that it
// missed, 0 to 1, and the round trip.
func (c *Connection) Quality() (loss float64, roundTrip time.Duration) {
	if p := c.current(); p != nil {
		return p.wire.out.quality()
	}
	return 0, 0
}

// tend sends RTCP when it is due.
func (c *Connection) tend(now time.Time) {
	c.mu.Lock()
	p, due := c.peer, now.Sub(c.reported) >= reportInterval
	if due {
		c.reported = now
	}
	c.mu.Unlock()
	if p != nil && due {
		p.wire.report(now)
	}
}

// Close ends the sound. It may be called more than once.
func (c *Connection) Close() error {
	c.mu.Lock()
	p := c.peer
	c.closed = true
	c.mu.Unlock()
	c.server.mu.Lock()
	delete(c.server.others, c)
	c.server.mu.Unlock()
	if p == nil {
		return nil
	}
	return p.wire.Close()
}
