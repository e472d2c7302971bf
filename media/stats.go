package media

import (
	"math"
	"time"
)

// inbound counts what comes from a far end. Interarrival jitter and loss are
// those of RFC 3550, appendix A.
type inbound struct {
	packets, bytes    uint64
	media, mediaBytes uint64
	dtmf, noise       uint64
	wrong             uint64
	wrongType         uint8
	undecodable       uint64

	begun    bool
	ssrc     uint32
	sources  int
	base     uint32 // extended sequence numbers
	highest  uint32
	previous uint64 // expected from sources before this one
	counted  uint64 // packets of this source
	earlier  uint64 // packets of sources before this one

	transit  int64 // in RTP clock units
	timed    bool
	jitter   float64 // in RTP clock units
	minVar   float64 // ms
	maxVar   float64
	interval float64 // mean, ms
	at       time.Time
	bursts   uint64 // losses of more than one packet in a row
	clock    int
}

// arrive counts k and reports whether it comes from a new source.
func (s *inbound) arrive(k *Packet, f Format) (fresh bool) {
	s.packets++
	s.bytes += uint64(len(k.Payload)) + rtpHeader
	if !s.begun || k.SSRC != s.ssrc {
		fresh = s.begun
		s.previous += s.expected()
		s.earlier += s.counted
		s.begun, s.ssrc, s.timed, s.counted = true, k.SSRC, false, 0
		s.sources++
		s.base, s.highest = uint32(k.Sequence), uint32(k.Sequence)
	}
	s.counted++
	ahead := int16(k.Sequence - uint16(s.highest))
	if ahead > 0 {
		s.highest += uint32(ahead)
		if ahead > 2 {
			s.bursts++
		}
	}
	if f.Codec == nil || k.PayloadType != f.Receives() {
		s.timed = false
		return fresh
	}
	s.clock = f.Codec.ClockRate
	arrival := k.Arrived.UnixNano() / 1000 * int64(s.clock) / 1e6
	transit := arrival - int64(k.Timestamp)
	if s.timed && ahead > 0 {
		d := math.Abs(float64(int32(transit - s.transit)))
		if d < float64(s.clock) { // a leap of a second or more is a pause
			s.jitter += (d - s.jitter) / 16
			ms := s.jitter * 1000 / float64(s.clock)
			if s.minVar == 0 || ms < s.minVar {
				s.minVar = ms
			}
			s.maxVar = max(s.maxVar, ms)
			gap := float64(k.Arrived.Sub(s.at)) / float64(time.Millisecond)
			if s.interval == 0 {
				s.interval = gap
			}
			s.interval += (gap - s.interval) / 16
		}
	}
	if ahead >= 0 {
		s.transit, s.timed, s.at = transit, true, k.Arrived
	}
	return fresh
}

func (s *inbound) expected() uint64 {
	if !s.begun {
		return 0
	}
	return uint64(s.highest-s.base) + 1
}

func (s *inbound) lost() uint64 {
	expected, got := s.previous+s.expected(), s.earlier+s.counted
	if got >= expected {
		return 0
	}
	return expected - got
}

// outbound counts what is sent to a far end.
type outbound struct {
	packets, bytes    uint64
	media, mediaBytes uint64
	dtmf, skipped     uint64
	failed            uint64
	failure           error
}

// Stats are the counters of one leg since its Port was made, as needed for the
// rtp_audio_* variables of spec/sip.md §9.6. Bytes of "raw" count RTP headers.
type Stats struct {
	InRawBytes, InMediaBytes                uint64
	InPackets, InMediaPackets               uint64
	InSkipped                               uint64 // lost on the way
	InJitterPackets                         uint64 // came too late, twice, or too many at once
	InDTMF, InCN, InFlushed                 uint64
	InWrongType                             uint64  // of a payload type that was not negotiated
	InLargestJitterBuffer                   int     // packets
	JitterMin, JitterMax, Jitter            float64 // ms, RFC 3550
	LossRate                                float64 // percent
	BurstRate                               float64 // percent of packets that began a run of losses
	MeanInterval                            float64 // ms
	Flaws                                   uint64  // lost, late and undecodable packets
	Quality                                 float64 // percent
	MOS                                     float64 // 1 to 4.5
	OutRawBytes, OutMediaBytes              uint64
	OutPackets, OutMediaPackets, OutSkipped uint64
	OutDTMF, OutFailed                      uint64
	OutFailure                              error // what the Wire said last
}

// Stats returns the leg's counters.
func (p *Port) Stats() Stats {
	p.in.mu.Lock()
	in := p.in.stats
	jb := p.in.past
	if p.in.jitter != nil {
		jb.add(p.in.jitter.stats)
	}
	p.in.mu.Unlock()
	p.out.mu.Lock()
	out := p.out.sums
	p.out.mu.Unlock()
	s := Stats{
		InRawBytes: in.bytes, InMediaBytes: in.mediaBytes, InPackets: in.packets, InMediaPackets: in.media,
		InSkipped: in.lost(), InJitterPackets: jb.late + jb.duplicate + jb.overflow, InDTMF: in.dtmf, InCN: in.noise,
		InFlushed: jb.restarts, InWrongType: in.wrong, InLargestJitterBuffer: jb.largest,
		JitterMin: in.minVar, JitterMax: in.maxVar, MeanInterval: in.interval,
		OutRawBytes: out.bytes, OutMediaBytes: out.mediaBytes, OutPackets: out.packets, OutMediaPackets: out.media,
		OutSkipped: out.skipped, OutDTMF: out.dtmf, OutFailed: out.failed, OutFailure: out.failure,
	}
	if in.clock > 0 {
		s.Jitter = in.jitter * 1000 / float64(in.clock)
	}
	s.Flaws = s.InSkipped + jb.late + in.undecodable
	s.Quality, s.MOS = 100, mos(100)
	if expected := in.packets + s.InSkipped; expected > 0 {
		s.LossRate = 100 * float64(s.InSkipped) / float64(expected)
		s.BurstRate = 100 * float64(in.bursts) / float64(expected)
		s.Quality = max(100-100*float64(s.Flaws)/float64(expected), 0)
		s.MOS = mos(s.Quality)
	}
	return s
}

// mos estimates the mean opinion score from a quality R of 0 to 100, by the
// formula of ITU-T G.107, annex B.
func mos(r float64) float64 {
	return max(1+0.035*r+0.000007*r*(r-60)*(100-r), 1)
}

func (s *jitterStats) add(t jitterStats) {
	s.late += t.late
	s.duplicate += t.duplicate
	s.overflow += t.overflow
	s.lost += t.lost
	s.restarts += t.restarts
	s.largest = max(s.largest, t.largest)
}
