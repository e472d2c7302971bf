package media

import "math"

// noise is comfort noise: white, from a generator of its own, so that no two ports
// share one.
type noise struct{ seed uint32 }

// fill writes noise of up to peak.
func (n *noise) fill(pcm []int16, peak int) {
	for i := range pcm {
		n.seed = n.seed*1664525 + 1013904223
		pcm[i] = int16(int(int16(n.seed>>16)) * peak >> 15)
	}
}

// Levels of comfort noise in a packet, in -dBov (RFC 3389 §3). What is louder than
// -30 dBov is no background and is taken for that.
const (
	loudestNoise  = 30
	softestNoise  = 90
	noiseLevelMax = 127
)

// noisePeak is the peak of white noise at the level that a CN packet states; 0 for
// silence.
func noisePeak(payload []byte) int {
	level := noiseLevelMax
	if len(payload) > 0 {
		level = int(payload[0] & noiseLevelMax)
	}
	if level > softestNoise {
		return 0
	}
	return int(math.Sqrt(3) * 32767 * math.Pow(10, -float64(max(level, loudestNoise))/20))
}

// ComfortNoise makes the Port send noise while it has nothing to say, as SilenceFill
// sends silence: full-scale noise divided by divisor, as in silence_stream and
// send_silence_when_idle. 0 ends it.
func (p *Port) ComfortNoise(divisor int) {
	p.configure(func() {
		p.fill, p.noise = divisor > 0, 0
		if divisor > 0 {
			p.noise = max(32767/divisor, 1)
		}
	})
}

// background fills the frame that was read with the noise that the far end asked
// for when it paused.
func (c *chain) background() {
	in := &c.port.in
	in.mu.Lock()
	peak := in.background
	in.mu.Unlock()
	if peak == 0 {
		clear(c.read)
		return
	}
	c.hiss.fill(c.read, peak)
	c.heard = true
}
