package call

import "strconv"

// SetMediaStatistics writes the counters of the leg's sound to the variables
// rtp_audio_in_* and rtp_audio_out_* (spec/sip.md §9.6).
func (c *Channel) SetMediaStatistics() {
	s := c.port.Stats()
	whole := func(name string, v uint64) { c.vars.Set("rtp_audio_"+name, strconv.FormatUint(v, 10)) }
	real := func(name string, v float64) { c.vars.Set("rtp_audio_"+name, strconv.FormatFloat(v, 'f', 2, 64)) }
	whole("in_raw_bytes", s.InRawBytes)
	whole("in_media_bytes", s.InMediaBytes)
	whole("in_packet_count", s.InPackets)
	whole("in_media_packet_count", s.InMediaPackets)
	whole("in_skip_packet_count", s.InSkipped)
	whole("in_jitter_packet_count", s.InJitterPackets)
	whole("in_dtmf_packet_count", s.InDTMF)
	whole("in_cng_packet_count", s.InCN)
	whole("in_flush_packet_count", s.InFlushed)
	whole("in_largest_jb_size", uint64(s.InLargestJitterBuffer))
	real("in_jitter_min_variance", s.JitterMin)
	real("in_jitter_max_variance", s.JitterMax)
	real("in_jitter_loss_rate", s.LossRate)
	real("in_jitter_burst_rate", s.BurstRate)
	real("in_mean_interval", s.MeanInterval)
	whole("in_flaw_total", s.Flaws)
	real("in_quality_percentage", s.Quality)
	real("in_mos", s.MOS)
	whole("out_raw_bytes", s.OutRawBytes)
	whole("out_media_bytes", s.OutMediaBytes)
	whole("out_packet_count", s.OutPackets)
	whole("out_media_packet_count", s.OutMediaPackets)
	whole("out_skip_packet_count", s.OutSkipped)
	whole("out_dtmf_packet_count", s.OutDTMF)
}
