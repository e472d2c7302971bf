package webrtc

import (
	"sync"
	"time"

	"github.com/pion/rtcp"

	"github.com/switchlet/switchlet/media"
)

// reportInterval is the time between two RTCP reports of a call.
const reportInterval = 5 * time.Second

// ntpEpoch is 1900, where NTP time begins, before the Unix epoch in seconds.
const ntpEpoch = 2208988800

// ntp is t as a 64-bit NTP time (RFC 3550 §4).
func ntp(t time.Time) uint64 {
	return uint64(t.Unix()+ntpEpoch)<<32 | uint64(t.Nanosecond())<<32/1_000_000_000
}

// reception counts what a browser sends, for the receiver reports (RFC 3550
// §A.3, §A.8) that let it show the quality of its own sound.
type reception struct {
	mu    sync.Mutex
	clock int // of the codec in Hz
	source
}

// source is one stream that a browser sends.
type source struct {
	ssrc     uint32
	begun    bool
	base     uint32 // extended sequence number of the first packet
	highest  uint32 // extended
	received uint32
	jitter   float64 // in clock units
	transit  float64
	expectedBefore,
	receivedBefore uint32
	sr   uint32 // middle of the NTP time of the last sender report
	srAt time.Time
}

func (r *reception) packet(p *media.Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.begun || p.SSRC != r.ssrc {
		r.source = source{ssrc: p.SSRC, begun: true, base: uint32(p.Sequence), highest: uint32(p.Sequence)}
	}
	r.received++
	if step := int16(p.Sequence - uint16(r.highest)); step > 0 {
		r.highest += uint32(step)
	}
	arrival := float64(p.Arrived.UnixMicro()%(1<<40)) * float64(r.clock) / 1e6
	transit := arrival - float64(p.Timestamp)
	if r.received > 1 {
		d := transit - r.transit
		if d < 0 {
			d = -d
		}
		if d < float64(r.clock)*10 { // a wrap or a new source of timestamps is no jitter
			r.jitter += (d - r.jitter) / 16
		}
	}
	r.transit = transit
}

// report makes the reception report since the last one; false before the first
// packet.
func (r *reception) report(now time.Time) (rtcp.ReceptionReport, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.begun {
		return rtcp.ReceptionReport{}, false
	}
	expected := r.highest - r.base + 1
	lost := int64(expected) - int64(r.received)
	interval := expected - r.expectedBefore
	lostNow := int64(interval) - int64(r.received-r.receivedBefore)
	r.expectedBefore, r.receivedBefore = expected, r.received
	var fraction uint8
	if interval > 0 && lostNow > 0 {
		fraction = uint8(min(lostNow<<8/int64(interval), 255))
	}
	out := rtcp.ReceptionReport{
		SSRC: r.ssrc, FractionLost: fraction, TotalLost: uint32(min(max(lost, 0), 1<<23-1)),
		LastSequenceNumber: r.highest, Jitter: uint32(r.jitter), LastSenderReport: r.sr,
	}
	if r.sr != 0 {
		out.Delay = uint32(now.Sub(r.srAt).Seconds() * 65536)
	}
	return out, true
}

// reports takes the RTCP of a browser: what it tells of its own stream, and how
// it receives ours.
func (w *wire) reports(b []byte) {
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		return
	}
	now := time.Now()
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			w.in.mu.Lock()
			w.in.sr, w.in.srAt = uint32(p.NTPTime>>16), now
			w.in.mu.Unlock()
			w.received(p.Reports, now)
		case *rtcp.ReceiverReport:
			w.received(p.Reports, now)
		}
	}
}

func (w *wire) received(list []rtcp.ReceptionReport, now time.Time) {
	ours := w.outSSRC()
	for i := range list {
		if list[i].SSRC == ours {
			w.out.reported(&list[i], now)
		}
	}
}

// transmission counts what we send, and keeps what the browser reports of it.
type transmission struct {
	mu      sync.Mutex
	packets uint32
	octets  uint32
	stamp   uint32 // RTP timestamp of the last packet
	at      time.Time

	loss   float64 // share of our packets that the browser missed lately, 0 to 1
	rtt    time.Duration
	jitter uint32
}

// quality is what the browser reported last: the share of our packets that it
// missed, and the round trip.
func (t *transmission) quality() (loss float64, rtt time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.loss, t.rtt
}

func (t *transmission) count(stamp uint32, octets int) {
	t.mu.Lock()
	t.packets++
	t.octets += uint32(octets)
	t.stamp, t.at = stamp, time.Now()
	t.mu.Unlock()
}

func (t *transmission) reported(r *rtcp.ReceptionReport, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.loss, t.jitter = float64(r.FractionLost)/256, r.Jitter
	if r.LastSenderReport == 0 {
		return
	}
	if units := uint32(ntp(now)>>16) - r.LastSenderReport - r.Delay; units < 60<<16 {
		t.rtt = time.Duration(units) * time.Second >> 16
	}
}

// report sends one compound RTCP packet about both directions.
func (w *wire) report(now time.Time) {
	w.sending.Lock()
	ssrc, ready := w.ssrc, w.writer != nil
	w.sending.Unlock()
	if !ready || ssrc == 0 {
		return
	}
	var reports []rtcp.ReceptionReport
	if r, ok := w.in.report(now); ok {
		reports = []rtcp.ReceptionReport{r}
	}
	t := &w.out
	t.mu.Lock()
	sent, octets, stamp, at := t.packets, t.octets, t.stamp, t.at
	t.mu.Unlock()
	var first rtcp.Packet = &rtcp.ReceiverReport{SSRC: ssrc, Reports: reports}
	if sent > 0 && now.Sub(at) < 2*reportInterval {
		elapsed := now.Sub(at).Seconds() * float64(w.in.rate())
		first = &rtcp.SenderReport{SSRC: ssrc, NTPTime: ntp(now), RTPTime: stamp + uint32(elapsed),
			PacketCount: sent, OctetCount: octets, Reports: reports}
	} else if len(reports) == 0 {
		return
	}
	// A report that cannot be sent is not missed: the next one says the same.
	_ = w.peer.pc.WriteRTCP([]rtcp.Packet{first, &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: ssrc, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: w.peer.cname}}}}}})
}

func (r *reception) rate() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clock
}

func (r *reception) setClock(hz int) {
	r.mu.Lock()
	r.clock = hz
	r.mu.Unlock()
}
