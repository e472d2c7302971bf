package rtp

import (
	"context"
	"net/netip"
	"time"
)

// report sends an RTCP report each interval.
func (s *Session) report(ctx context.Context) {
	t := time.NewTicker(s.opts.RTCP)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			s.sendReport(false)
		}
	}
}

func (s *Session) goodbye() { s.sendReport(true) }

func (s *Session) sendReport(bye bool) {
	now := time.Now()
	s.mu.Lock()
	k := s.from.block(now)
	s.mu.Unlock()
	s.send.Lock()
	defer s.send.Unlock()
	if !s.rtcpTo.IsValid() || s.rtcpTo.Port() == 0 {
		return
	}
	o := ownReport{
		ssrc: s.opts.SSRC, cname: s.opts.CNAME, sender: s.sent > 0, ntp: ntpTime(now),
		packets: s.sent, octets: s.octets, block: k, bye: bye,
	}
	if o.sender {
		o.ts = s.lastTS + uint32(now.Sub(s.lastSent)*time.Duration(s.clock)/time.Second)
	}
	conn := s.rtcp
	if conn == nil || s.mux {
		conn = s.conn
	}
	b := o.append(s.buf[:0])
	if s.seal != nil {
		var err error
		if b, err = s.seal.rtcp(b); err != nil {
			return
		}
	}
	// A report that cannot be sent is not missed: the next comes soon.
	_ = conn.Send(b, s.rtcpTo)
}

// control takes an RTCP packet, if it comes from the far end's host.
func (s *Session) control(b []byte, from netip.AddrPort, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opts.RTCP <= 0 || from.Addr().Unmap() != s.latch.remote.Addr() {
		s.counts.Foreign++
		s.heard = from
		return
	}
	var space [4]block
	r := report{blocks: space[:0]}
	if o := s.opensRTCP.Load(); o != nil {
		b = o.rtcp(b)
	}
	if !parseRTCP(b, &r) {
		s.counts.Malformed++
		return
	}
	s.counts.RTCP++
	s.counts.RTCPBytes += uint64(len(b))
	if r.sender && s.from.begun && r.ssrc == s.from.ssrc {
		s.from.lsr, s.from.lsrAt = uint32(r.ntp>>16), now
	}
	for _, k := range r.blocks {
		if k.ssrc != s.opts.SSRC {
			continue
		}
		s.counts.RemoteLost = k.lost
		s.counts.RemoteLoss = float64(k.fraction) * 100 / 256
		s.counts.RemoteJitter = time.Duration(k.jitter) * time.Second / time.Duration(s.fromClock)
		if d := k.roundTrip(now); d > 0 {
			s.counts.RoundTrip = d
		}
	}
}
