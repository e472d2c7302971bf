// Package rtp carries the sound of a leg over UDP: RTP and RTCP (RFC 3550), the
// ports they use, and the guard that decides whom to listen to.
//
// A Session is a media.Wire: packets come from the goroutine that reads its socket
// (package udp) and go out from whoever calls Send, without copies or allocations
// in between. It
// knows addresses and headers only; payloads, digits, jitter and the continuity
// of sequence numbers are the Port's. SDP is in media/sdp, ICE and DTLS in webrtc;
// SRTP with keys that the signalling carried is here.
package rtp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/udp"
)

// ErrNoRemote is returned by Send while the far end's address is not known.
var ErrNoRemote = errors.New("rtp: no remote address yet")

const maxDatagram = udp.MaxDatagram

// Options are what a Session needs to know beside its address.
type Options struct {
	// SSRC is our synchronisation source; 0 chooses one at random.
	SSRC uint32
	// ClockRate is the RTP clock in Hz for RTCP's jitter and timestamps; 0 is
	// 8000. SetClockRate changes it.
	ClockRate int
	// RTCP is the interval of reports; 0 turns RTCP off.
	RTCP time.Duration
	// CNAME is what RTCP's SDES calls us; "" makes a random one.
	CNAME string
	// OnLatch is called from the reader's goroutine when the far end turns out to
	// send from another address than the SDP said.
	OnLatch func(from, to netip.AddrPort)
	// Log receives latches and trouble; nil discards them.
	Log *slog.Logger
}

// Counters are what a Session counted since Listen.
type Counters struct {
	Packets   uint64 // RTP packets accepted
	Foreign   uint64 // dropped: from another source than the far end
	Malformed uint64 // dropped: not RTP, or SRTP that does not open
	Sent      uint64
	RTCP      uint64 // RTCP packets accepted
	RTCPBytes uint64
	Latched   bool // the far end's address was learned
	// What the far end's reports say of what we send.
	RemoteLost   int32   // packets, cumulative
	RemoteLoss   float64 // percent, in the last interval
	RemoteJitter time.Duration
	RoundTrip    time.Duration // 0: unknown
}

// Session is one leg's UDP sockets.
type Session struct {
	conn  *udp.Socket
	rtcp  *udp.Socket // nil: off or on the same port
	local netip.AddrPort
	free  func()
	opts  Options
	log   *slog.Logger

	receive   atomic.Pointer[func(*media.Packet)]
	opens     atomic.Pointer[opener] // nil: plain
	opensRTCP atomic.Pointer[opener]
	level     atomic.Uint32 // id of the audio level extension, 0: not agreed

	securing sync.Mutex
	keys     Keys
	cancel   context.CancelFunc
	done     sync.WaitGroup
	closing  sync.Once

	packet media.Packet // the one at hand; the goroutine that reads owns it

	mu        sync.Mutex // latch, reception, counters
	latch     latch
	from      reception
	fromClock int
	counts    Counters
	heard     netip.AddrPort // the last source that was dropped

	send     sync.Mutex
	remote   netip.AddrPort
	rtcpTo   netip.AddrPort
	mux      bool   // RTCP goes to the RTP port
	rtcpPort uint16 // where the SDP wants RTCP, 0: at the port beside RTP's
	buf      [maxDatagram]byte
	sent     uint32
	octets   uint32
	lastTS   uint32
	lastSent time.Time
	clock    int
	seal     *sealer // nil: plain
}

// Listen opens an even port of the range for RTP on ip, and the next for RTCP if
// that is wanted, and begins to read. The error is ErrNoPorts if none is free.
func Listen(ip netip.Addr, ports *Ports, o Options) (*Session, error) {
	if o.SSRC == 0 {
		o.SSRC = rand.Uint32() | 1
	}
	if o.ClockRate == 0 {
		o.ClockRate = 8000
	}
	if o.CNAME == "" {
		o.CNAME = fmt.Sprintf("%016x", rand.Uint64())
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Session{opts: o, log: o.Log, clock: o.ClockRate, fromClock: o.ClockRate}
	if err := s.bind(ip.Unmap(), ports); err != nil {
		return nil, err
	}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	if o.RTCP > 0 {
		s.done.Go(func() { s.report(ctx) })
	}
	return s, nil
}

// bind tries the range's ports until one is free on the machine, too.
func (s *Session) bind(ip netip.Addr, ports *Ports) error {
	for range ports.Len() {
		port, err := ports.take(ip)
		if err != nil {
			return err
		}
		s.local = netip.AddrPortFrom(ip, port)
		if s.open(&ports.sockets, port) {
			s.free = func() { ports.release(ip, port) }
			return nil
		}
		ports.release(ip, port)
	}
	return fmt.Errorf("rtp: listen on %s: %w", ip, ErrNoPorts)
}

func (s *Session) open(sockets *udp.Group, port uint16) bool {
	var err error
	if s.conn, err = sockets.Listen(netip.AddrPortFrom(s.local.Addr(), port), s.datagram); err != nil {
		return false
	}
	if s.opts.RTCP > 0 {
		if s.rtcp, err = s.conn.Beside(netip.AddrPortFrom(s.local.Addr(), port+1), s.control); err != nil {
			s.conn.Close()
			return false
		}
	}
	return true
}

// Local returns our RTP address.
func (s *Session) Local() netip.AddrPort { return s.local }

// SSRC returns our synchronisation source.
func (s *Session) SSRC() uint32 { return s.opts.SSRC }

// Remote returns where we send to, and what the SDP said.
func (s *Session) Remote() (actual, reported netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latch.remote, s.latch.reported
}

// SetRemote sets the far end's address as the SDP has it and how to learn a
// better one. It is called again with each re-INVITE; an address learned before
// stays while the SDP says the same.
func (s *Session) SetRemote(addr netip.AddrPort, l Latch) {
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	s.mu.Lock()
	s.latch.set(addr, l)
	actual, learned := s.latch.remote, s.latch.learned
	s.mu.Unlock()
	s.aim(actual, learned)
}

// SetClockRate sets the RTP clock in Hz for RTCP.
func (s *Session) SetClockRate(hz int) {
	s.send.Lock()
	s.clock = hz
	s.send.Unlock()
	s.mu.Lock()
	s.fromClock, s.from.jitter, s.from.timed = hz, 0, false
	s.mu.Unlock()
}

// SetControl sets where the far end wants RTCP: on the RTP port if mux was agreed
// (RFC 5761), else at port of its host (RFC 3605), 0 for the one beside RTP's. A source
// that was learned counts more than what the SDP says. SetRemote is called after it.
func (s *Session) SetControl(port uint16, mux bool) {
	s.send.Lock()
	s.rtcpPort, s.mux = port, mux
	s.send.Unlock()
}

// aim sets where packets are sent, as the SDP has it or as it was learned.
func (s *Session) aim(to netip.AddrPort, learned bool) {
	s.send.Lock()
	s.remote, s.rtcpTo = to, to
	switch {
	case s.mux:
	case s.rtcpPort != 0 && !learned:
		s.rtcpTo = netip.AddrPortFrom(to.Addr(), s.rtcpPort)
	case to.Port() < 65535:
		s.rtcpTo = netip.AddrPortFrom(to.Addr(), to.Port()+1)
	}
	s.send.Unlock()
}

// SetLevel sets the id of the header extension in which the far end says how loud it
// is (RFC 6464); 0 if that was not agreed.
func (s *Session) SetLevel(id uint8) { s.level.Store(uint32(id)) }

// Calm says that packets may wait for a clock's tick (media.CalmWire).
func (s *Session) Calm(calm, early bool) { s.conn.Calm(calm, early) }

// Receive sets who gets the packets.
func (s *Session) Receive(f func(*media.Packet)) {
	if f == nil {
		s.receive.Store(nil)
		return
	}
	s.receive.Store(&f)
}

// Addresses returns our address and where we send to.
func (s *Session) Addresses() (local, remote string) {
	actual, _ := s.Remote()
	if !actual.IsValid() {
		return s.local.String(), ""
	}
	return s.local.String(), actual.String()
}

// Counters returns what was counted so far.
func (s *Session) Counters() Counters {
	s.mu.Lock()
	c := s.counts
	c.Latched = s.latch.learned
	s.mu.Unlock()
	s.send.Lock()
	c.Sent = uint64(s.sent)
	s.send.Unlock()
	return c
}

// Troubles says in words what is wrong with the addresses.
func (s *Session) Troubles() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.latch
	if l.learned {
		out = append(out, fmt.Sprintf("source differs from SDP: packets come from %s, SDP says %s", l.remote, l.reported))
	}
	if s.counts.Foreign > 0 {
		out = append(out, fmt.Sprintf("%d packets from other sources were dropped, the last from %s", s.counts.Foreign, s.heard))
	}
	if s.counts.Malformed > 0 {
		out = append(out, fmt.Sprintf("%d datagrams were not RTP, or not encrypted as agreed", s.counts.Malformed))
	}
	if !l.remote.IsValid() || l.remote.Port() == 0 {
		out = append(out, "the far end's address is not known")
	}
	return out
}

// Send transmits p. A packet that was received by another Session is sent from
// the buffer it came in.
func (s *Session) Send(p *media.Packet) error {
	s.send.Lock()
	defer s.send.Unlock()
	if !s.remote.IsValid() || s.remote.Port() == 0 {
		return ErrNoRemote
	}
	ssrc := p.SSRC
	if ssrc == 0 {
		ssrc = s.opts.SSRC
	}
	var b []byte
	if at := len(p.Buf) - len(p.Payload) - headerLen; at >= 0 && p.Buf != nil {
		b = p.Buf[at:]
	} else {
		if len(p.Payload) > maxDatagram-headerLen {
			return fmt.Errorf("rtp: send: payload of %d bytes", len(p.Payload))
		}
		b = s.buf[:headerLen+copy(s.buf[headerLen:], p.Payload)]
	}
	putHeader(b, p, ssrc)
	if s.seal != nil {
		var err error
		if b, err = s.seal.rtp(b); err != nil {
			return fmt.Errorf("rtp: encrypt: %w", err)
		}
	}
	if err := s.conn.Send(b, s.remote); err != nil {
		return fmt.Errorf("rtp: send to %s: %w", s.remote, err)
	}
	s.sent++
	s.octets += uint32(len(p.Payload))
	if s.opts.RTCP > 0 {
		s.lastTS, s.lastSent = p.Timestamp, time.Now()
	}
	return nil
}

// datagram takes what came to the RTP port.
func (s *Session) datagram(b []byte, from netip.AddrPort, now time.Time) {
	if isRTCP(b) {
		s.control(b, from, now)
		return
	}
	// What has not the far end's seal counts as malformed.
	if o := s.opens.Load(); o != nil {
		b = o.rtp(b)
	}
	pkt := &s.packet
	ok := parse(b, pkt)
	s.mu.Lock()
	if !ok {
		s.counts.Malformed++
		s.mu.Unlock()
		return
	}
	before := s.latch.remote
	accept, moved := s.latch.admit(from, pkt, now)
	if !accept {
		s.counts.Foreign++
		s.heard = from
		s.mu.Unlock()
		return
	}
	s.counts.Packets++
	if s.opts.RTCP > 0 {
		s.from.arrive(pkt, now, s.fromClock)
	}
	s.mu.Unlock()
	if moved {
		s.aim(from, true)
		s.log.Info(fmt.Sprintf("Auto Changing audio port from %s to %s", before, from))
		if s.opts.OnLatch != nil {
			s.opts.OnLatch(before, from)
		}
	}
	if f := s.receive.Load(); f != nil {
		pkt.Arrived, pkt.Silent = now, MarkedSilent(b, uint8(s.level.Load()))
		(*f)(pkt)
	}
}

// RemoteLoss is the share of what we send that the far end missed in its last RTCP
// report, in percent (media.LossReporter).
func (s *Session) RemoteLoss() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts.RemoteLoss
}

// Close ends reading, waits for a packet that is being handled, and gives the port
// back. A function set by Receive must not call it.
func (s *Session) Close() error {
	s.closing.Do(func() {
		if s.opts.RTCP > 0 {
			s.goodbye()
		}
		s.cancel()
		s.conn.Close()
		if s.rtcp != nil {
			s.rtcp.Close()
		}
		s.done.Wait()
		s.free()
	})
	return nil
}
