package rtp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/switchlet/switchlet/media"
)

// Latch says whether and how the far end's real address is learned from its
// packets, for peers behind NAT (symmetric RTP; spec/sip.md §9.5).
//
// A packet from the address in the SDP ends the search. Another source is a
// candidate only if the SDP's address is private, or is the candidate's own but
// for the port, or if the signalling came from the candidate's host. It wins with
// Threshold packets in sequence, of one SSRC and of a negotiated payload type,
// within its first 20. The search happens once: it begins anew with SetRemote, or
// when the known source was silent for a while.
type Latch struct {
	// Off never learns: only the SDP's address is heard (disable-rtp-auto-adjust).
	Off bool
	// Signalling is the host from which the SDP came.
	Signalling netip.Addr
	// Threshold is how many packets win; 0 means 10 (rtp_auto_adjust_threshold).
	Threshold int
	// PayloadTypes are those negotiated, of audio and events.
	PayloadTypes []uint8
}

const (
	latchThreshold = 10
	latchWindow    = 20              // packets of one candidate
	latchSilence   = 5 * time.Second // after which a known source may be replaced
	candidates     = 4               // that are watched at once
	comfortNoise   = 13              // does not count: silent phones send it, attackers could
	maxStep        = 8               // a larger leap of sequence numbers is no sequence
)

// candidate is a source that may be the far end.
type candidate struct {
	from     netip.AddrPort
	ssrc     uint32
	sequence uint16
	run      int // packets in sequence
	seen     int
}

// latch decides for each packet whether it comes from the far end.
type latch struct {
	policy   Latch
	reported netip.AddrPort // by the SDP
	remote   netip.AddrPort // where we send, and from where we listen
	learned  bool
	open     bool // still searching
	last     time.Time
	rivals   [candidates]candidate
	turn     int // which candidate is replaced next
}

// set takes what an SDP says.
func (l *latch) set(addr netip.AddrPort, p Latch) {
	if !l.learned || addr != l.reported {
		l.remote, l.learned = addr, false
	}
	if p.Threshold <= 0 {
		p.Threshold = latchThreshold
	}
	p.PayloadTypes = slices.Clone(p.PayloadTypes)
	l.policy, l.reported = p, addr
	l.reopen()
}

func (l *latch) reopen() {
	l.open = !l.policy.Off
	l.rivals, l.turn = [candidates]candidate{}, 0
}

// admit reports whether the packet is accepted, and whether its source has just
// become the far end.
func (l *latch) admit(from netip.AddrPort, p *media.Packet, now time.Time) (accept, moved bool) {
	if from == l.remote {
		l.open, l.last = false, now
		return true, false
	}
	if l.policy.Off || !l.reported.IsValid() || !l.eligible(from.Addr()) {
		return false, false
	}
	if !l.open {
		if l.last.IsZero() || now.Sub(l.last) < latchSilence {
			return false, false
		}
		l.reopen()
	}
	if p.PayloadType == comfortNoise || !slices.Contains(l.policy.PayloadTypes, p.PayloadType) {
		return false, false
	}
	c := l.candidate(from, p)
	if c.run < l.policy.Threshold {
		// The signalling's own host is believed while it is being watched, so that
		// the first words are not lost.
		return from.Addr() == l.policy.Signalling && c.seen <= latchWindow && c.run > 1, false
	}
	l.remote, l.learned, l.open, l.last = from, true, false, now
	return true, true
}

// eligible reports whether a packet from host could be the far end's.
func (l *latch) eligible(host netip.Addr) bool {
	return host == l.policy.Signalling || host == l.reported.Addr() || Private(l.reported.Addr())
}

// candidate notes a packet of a source that may become the far end.
func (l *latch) candidate(from netip.AddrPort, p *media.Packet) *candidate {
	var c *candidate
	for i := range l.rivals {
		if l.rivals[i].from == from {
			c = &l.rivals[i]
		}
	}
	if c == nil {
		c = &l.rivals[l.turn]
		l.turn = (l.turn + 1) % candidates
		*c = candidate{from: from}
	}
	c.seen++
	step := p.Sequence - c.sequence
	switch {
	case c.seen > max(latchWindow, l.policy.Threshold):
		c.run = 0
	case c.run > 0 && c.ssrc == p.SSRC && step >= 1 && step <= maxStep:
		c.run++
	default:
		c.run = 1
	}
	c.ssrc, c.sequence = p.SSRC, p.Sequence
	return c
}

// Private reports whether an address cannot be reached from the Internet: RFC
// 1918 and 4193, shared (RFC 6598), loopback, link-local and unspecified ones.
func Private(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() ||
		a.Is4() && a.As4()[0] == 100 && a.As4()[1]&0xC0 == 64
}
