package webrtc

import (
	"strconv"
	"time"
)

// setStatistics leaves what the reports tell in channel variables.
func (l *leg) setStatistics() {
	s := l.ch.Port().Stats()
	number := func(name string, n uint64) { l.ch.Set("rtp_audio_"+name, strconv.FormatUint(n, 10)) }
	decimal := func(name string, f float64) { l.ch.Set("rtp_audio_"+name, strconv.FormatFloat(f, 'f', 2, 64)) }
	number("in_raw_bytes", s.InRawBytes)
	number("in_media_bytes", s.InMediaBytes)
	number("in_packet_count", s.InPackets)
	number("in_media_packet_count", s.InMediaPackets)
	number("in_skip_packet_count", s.InSkipped)
	number("in_jitter_packet_count", s.InJitterPackets)
	number("in_dtmf_packet_count", s.InDTMF)
	number("in_cng_packet_count", s.InCN)
	number("in_flush_packet_count", s.InFlushed)
	number("in_largest_jb_size", uint64(max(s.InLargestJitterBuffer, 0)))
	decimal("in_jitter_min_variance", s.JitterMin)
	decimal("in_jitter_max_variance", s.JitterMax)
	decimal("in_jitter_loss_rate", s.LossRate)
	decimal("in_jitter_burst_rate", s.BurstRate)
	decimal("in_mean_interval", s.MeanInterval)
	number("in_flaw_total", s.Flaws)
	decimal("in_quality_percentage", s.Quality)
	decimal("in_mos", s.MOS)
	number("out_raw_bytes", s.OutRawBytes)
	number("out_media_bytes", s.OutMediaBytes)
	number("out_packet_count", s.OutPackets)
	number("out_media_packet_count", s.OutMediaPackets)
	number("out_skip_packet_count", s.OutSkipped)
	number("out_dtmf_packet_count", s.OutDTMF)
	l.mu.Lock()
	p := l.peer
	l.mu.Unlock()
	if p != nil {
		loss, rtt := p.wire.out.quality()
		decimal("rtcp_loss_rate", 100*loss)
		decimal("rtcp_round_trip_ms", float64(rtt)/float64(time.Millisecond))
	}
}
