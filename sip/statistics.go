package sip

import (
	"strconv"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media/rtp"
)

// setStatistics sets the rtp_audio_* variables of a finished call (spec/sip.md
// §9.6): the sound's, and what only the socket counts.
func setStatistics(ch *call.Channel, session *rtp.Session) {
	ch.SetMediaStatistics()
	c := session.Counters()
	ch.SetPlain("rtp_audio_out_cng_packet_count", "0") // we make none
	ch.SetPlain("rtp_audio_rtcp_packet_count", strconv.FormatUint(c.RTCP, 10))
	ch.SetPlain("rtp_audio_rtcp_octet_count", strconv.FormatUint(c.RTCPBytes, 10))
}
