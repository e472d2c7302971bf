// Package plc conceals lost packets of codecs that have no concealment of their
// own, after the idea of ITU-T G.711 Appendix I.
//
// A Concealer sees every frame of a decoder. When a frame is lost it finds the
// pitch of the last sound, repeats the last period, and fades the repetition out
// between 10 ms and 60 ms; the first frame after the loss is cross-faded with
// the repetition. Nothing is delayed: frames that arrive pass unchanged but for
// that seam. It allocates only in New.
package plc

// Times of the repetition in ms.
const (
	minPitch   = 5  // shortest period looked for (200 Hz)
	maxPitch   = 15 // longest (66 Hz)
	corrWindow = 20 // sound that is compared
	holdTime   = 10 // full level
	fadeEnd    = 60 // silent from here on
	seamTime   = 5  // cross-fade into the first good frame
)

// Concealer is the state of one decoder's output. It is not safe for concurrent use.
type Concealer struct {
	rate    int
	history []int16 // the newest sound, oldest first
	period  []int16 // the period that is repeated
	pitch   int     // samples of period in use; 0 while nothing is lost
	at      int     // next sample of period
	lost    int     // samples concealed since the last good frame
}

// New returns a Concealer for sound at rate Hz.
func New(rate int) *Concealer {
	return &Concealer{
		rate:    rate,
		history: make([]int16, rate*(maxPitch+corrWindow+seamTime)/1000),
		period:  make([]int16, rate*maxPitch/1000),
	}
}

// Good takes a frame that arrived. After a loss its beginning is changed to join
// the concealed sound.
func (c *Concealer) Good(pcm []int16) {
	if c.pitch > 0 {
		n := min(c.rate*seamTime/1000, len(pcm))
		for i := range n {
			old := int(c.next())
			pcm[i] = int16((old*(n-i) + int(pcm[i])*i) / n)
		}
		c.pitch = 0
	}
	c.remember(pcm)
}

// Lost fills pcm with concealing sound.
func (c *Concealer) Lost(pcm []int16) {
	if c.pitch == 0 {
		c.start()
	}
	for i := range pcm {
		pcm[i] = c.next()
	}
	c.remember(pcm)
}

// next is one sample of the fading repetition.
func (c *Concealer) next() int16 {
	hold, end := c.rate*holdTime/1000, c.rate*fadeEnd/1000
	c.lost++
	if c.lost >= end {
		return 0
	}
	s := int(c.period[c.at])
	if c.at++; c.at == c.pitch {
		c.at = 0
	}
	if c.lost > hold {
		s = s * (end - c.lost) / (end - hold)
	}
	return int16(s)
}

// start finds the pitch and takes the last period; its end is blended with the
// sound one period earlier, so that the repetition has no step.
func (c *Concealer) start() {
	c.pitch = c.findPitch()
	c.at, c.lost = 0, 0
	h := c.history
	last := h[len(h)-c.pitch:]
	copy(c.period, last)
	blend := c.pitch / 4
	for i := range blend {
		at := len(h) - c.pitch - blend + i
		j := c.pitch - blend + i
		c.period[j] = int16((int(last[j])*(blend-i) + int(h[at])*i) / blend)
	}
}

// findPitch returns the lag in samples at which the newest sound resembles itself
// most (normalised cross-correlation, on every second sample or fewer).
func (c *Concealer) findPitch() int {
	h := c.history
	step := max(1, c.rate/4000)
	window := c.rate * corrWindow / 1000
	lo, hi := c.rate*minPitch/1000, c.rate*maxPitch/1000
	newest := h[len(h)-window:]
	best, bestLag := -1.0, hi
	for lag := lo; lag <= hi; lag += step {
		older := h[len(h)-window-lag:]
		var cross, energy float64
		for i := 0; i < window; i += step {
			a, b := float64(newest[i]), float64(older[i])
			cross += a * b
			energy += b * b
		}
		if cross <= 0 || energy == 0 {
			continue
		}
		if score := cross * cross / energy; score > best {
			best, bestLag = score, lag
		}
	}
	return bestLag
}

func (c *Concealer) remember(pcm []int16) {
	h := c.history
	if len(pcm) >= len(h) {
		copy(h, pcm[len(pcm)-len(h):])
		return
	}
	copy(h, h[len(pcm):])
	copy(h[len(h)-len(pcm):], pcm)
}
