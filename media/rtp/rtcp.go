package rtp

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/switchlet/switchlet/media"
)

// RTCP packet types (RFC 3550 §12.1).
const (
	typeSR   = 200
	typeRR   = 201
	typeSDES = 202
	typeBYE  = 203
)

// block is a reception report (RFC 3550 §6.4.1).
type block struct {
	ssrc     uint32
	fraction uint8 // lost, of 256
	lost     int32 // cumulative
	highest  uint32
	jitter   uint32 // in RTP clock units
	lsr      uint32 // middle of the NTP time of the last SR
	dlsr     uint32 // since then, in 1/65536 s
}

// report is what a compound RTCP packet tells us.
type report struct {
	ssrc   uint32
	sender bool   // an SR was in it
	ntp    uint64 // of the SR
	blocks []block
	bye    bool
}

// maxPackets bounds the packets of one compound.
const maxPackets = 32

// parseRTCP reads a compound packet; blocks go to r.blocks[:0]. It reports false
// when a length does not fit.
func parseRTCP(b []byte, r *report) bool {
	*r = report{blocks: r.blocks[:0]}
	for n := 0; len(b) > 0; n++ {
		if len(b) < 8 || b[0]>>6 != 2 || n == maxPackets {
			return false
		}
		size := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if size > len(b) || size < 8 {
			return false
		}
		if !r.packet(b[:size]) {
			return false
		}
		b = b[size:]
	}
	return true
}

func (r *report) packet(b []byte) bool {
	count := int(b[0] & 0x1F)
	at := 8
	switch b[1] {
	case typeSR:
		if len(b) < 28 {
			return false
		}
		r.sender, r.ntp, at = true, binary.BigEndian.Uint64(b[8:]), 28
	case typeRR:
	case typeBYE:
		r.bye = true
		return true
	default:
		return true
	}
	r.ssrc = binary.BigEndian.Uint32(b[4:])
	if len(b) < at+24*count {
		return false
	}
	for range count {
		r.blocks = append(r.blocks, block{
			ssrc: binary.BigEndian.Uint32(b[at:]), fraction: b[at+4],
			lost:    int32(binary.BigEndian.Uint32(b[at+4:])<<8) >> 8,
			highest: binary.BigEndian.Uint32(b[at+8:]), jitter: binary.BigEndian.Uint32(b[at+12:]),
			lsr: binary.BigEndian.Uint32(b[at+16:]), dlsr: binary.BigEndian.Uint32(b[at+20:]),
		})
		at += 24
	}
	return true
}

// ownReport is what we tell the far end.
type ownReport struct {
	ssrc    uint32
	cname   string
	sender  bool
	ntp     uint64
	ts      uint32
	packets uint32
	octets  uint32
	block   *block // of what we receive; nil: nothing
	bye     bool
}

// append writes the compound packet: SR or RR, SDES, and BYE at the end.
func (o ownReport) append(b []byte) []byte {
	start := len(b)
	kind, count := byte(typeRR), byte(0)
	if o.sender {
		kind = typeSR
	}
	if o.block != nil {
		count = 1
	}
	b = append(b, 0x80|count, kind, 0, 0)
	b = binary.BigEndian.AppendUint32(b, o.ssrc)
	if o.sender {
		b = binary.BigEndian.AppendUint64(b, o.ntp)
		b = binary.BigEndian.AppendUint32(b, o.ts)
		b = binary.BigEndian.AppendUint32(b, o.packets)
		b = binary.BigEndian.AppendUint32(b, o.octets)
	}
	if k := o.block; k != nil {
		b = binary.BigEndian.AppendUint32(b, k.ssrc)
		b = binary.BigEndian.AppendUint32(b, uint32(k.fraction)<<24|uint32(k.lost)&0xFFFFFF)
		b = binary.BigEndian.AppendUint32(b, k.highest)
		b = binary.BigEndian.AppendUint32(b, k.jitter)
		b = binary.BigEndian.AppendUint32(b, k.lsr)
		b = binary.BigEndian.AppendUint32(b, k.dlsr)
	}
	putLength(b[start:])
	start = len(b)
	b = append(b, 0x81, typeSDES, 0, 0)
	b = binary.BigEndian.AppendUint32(b, o.ssrc)
	cname := o.cname[:min(len(o.cname), 255)]
	b = append(b, 1, byte(len(cname)))
	b = append(b, cname...)
	b = append(b, 0)
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	putLength(b[start:])
	if o.bye {
		b = append(b, 0x81, typeBYE, 0, 1)
		b = binary.BigEndian.AppendUint32(b, o.ssrc)
	}
	return b
}

func putLength(b []byte) { binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1)) }

// ntpTime is t in NTP's format: seconds since 1900 and their fraction.
func ntpTime(t time.Time) uint64 {
	const since1900 = 2208988800
	return uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/1e9
}

// reception is what we know of the stream that comes (RFC 3550, appendix A).
type reception struct {
	begun     bool
	ssrc      uint32
	base      uint32
	highest   uint32
	received  uint32
	expected0 uint32 // at the last report
	received0 uint32
	jitter    float64
	transit   int64
	timed     bool
	lsr       uint32
	lsrAt     time.Time
}

func (r *reception) arrive(p *media.Packet, now time.Time, clock int) {
	if !r.begun || r.ssrc != p.SSRC {
		*r = reception{begun: true, ssrc: p.SSRC, base: uint32(p.Sequence), highest: uint32(p.Sequence)}
	}
	r.received++
	if ahead := int16(p.Sequence - uint16(r.highest)); ahead > 0 {
		r.highest += uint32(ahead)
	}
	transit := now.UnixNano()/1000*int64(clock)/1e6 - int64(p.Timestamp)
	if d := math.Abs(float64(int32(transit - r.transit))); r.timed && d < float64(clock) {
		r.jitter += (d - r.jitter) / 16
	}
	r.transit, r.timed = transit, true
}

// block makes our reception report and begins the next interval.
func (r *reception) block(now time.Time) *block {
	if !r.begun {
		return nil
	}
	expected := r.highest - r.base + 1
	lost := int64(expected) - int64(r.received)
	in, got := expected-r.expected0, r.received-r.received0
	r.expected0, r.received0 = expected, r.received
	b := &block{
		ssrc: r.ssrc, lost: int32(max(min(lost, 0x7FFFFF), -0x800000)),
		highest: r.highest, jitter: uint32(r.jitter), lsr: r.lsr,
	}
	if in > got {
		b.fraction = uint8(min(uint64(in-got)*256/uint64(in), 255))
	}
	if r.lsr != 0 {
		b.dlsr = uint32(now.Sub(r.lsrAt) * 65536 / time.Second)
	}
	return b
}

// roundTrip is the time from our SR to the far end and back (RFC 3550 §6.4.1); 0
// if the report does not say.
func (k block) roundTrip(now time.Time) time.Duration {
	if k.lsr == 0 {
		return 0
	}
	units := uint32(ntpTime(now)>>16) - k.lsr - k.dlsr
	if units > 60*65536 { // more than a minute, or negative
		return 0
	}
	return time.Duration(units) * time.Second / 65536
}
