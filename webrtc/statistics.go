package webrtc

import (
	"strconv"
	"time"
)

// setStatistics leaves in channel variables what the sound and the browser's
// reports tell.
func (l *leg) setStatistics() {
	l.ch.SetMediaStatistics()
	l.mu.Lock()
	p := l.peer
	l.mu.Unlock()
	if p == nil {
		return
	}
	decimal := func(name string, f float64) { l.ch.SetPlain("rtp_audio_"+name, strconv.FormatFloat(f, 'f', 2, 64)) }
	loss, rtt := p.wire.out.quality()
	decimal("rtcp_loss_rate", 100*loss)
	decimal("rtcp_round_trip_ms", float64(rtt)/float64(time.Millisecond))
}
