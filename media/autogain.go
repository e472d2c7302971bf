package media

import "math"

// AGC are the settings of an automatic gain control (spec/conference.md §9); a Level of
// 0 turns it off.
type AGC struct {
	Level  int // score that is aimed at
	Low    int // below it the gain is raised at once
	Margin int // by which the score may differ
	Factor int // periods before the gain changes
	Period int // frames of a period; 0 is half a second
}

// maxGain bounds the automatic gain, in dB either way.
const maxGain = 50

// AutoGain is the automatic gain of one stream of sound: a decibel at a time, towards
// the score that is aimed at. The zero value is off.
type AutoGain struct {
	AGC
	gain   int // dB
	factor float64
	sum    int
	frames int
	above  int
	below  int
}

// Set begins anew, without gain, by the settings s.
func (a *AutoGain) Set(s AGC) {
	if s.Period <= 0 {
		s.Period = 25
	}
	*a = AutoGain{AGC: s, factor: 1}
}

// Apply changes pcm by the gain in force.
func (a *AutoGain) Apply(pcm []int16) {
	if a.Level <= 0 || a.gain == 0 {
		return
	}
	for i, s := range pcm {
		pcm[i] = int16(min(max(float64(s)*a.factor, -32768), 32767))
	}
}

// Hear takes the score (Energy) of a frame that is not silent, as it is after Apply.
func (a *AutoGain) Hear(score int) {
	if a.Level <= 0 {
		return
	}
	a.sum += score
	a.frames++
	if a.frames <= a.Period {
		return
	}
	mean := a.sum / a.frames
	a.sum, a.frames = 0, 0
	if mean > a.Level+a.Margin {
		a.above++
	} else {
		a.above = 0
	}
	switch {
	case mean < a.Low:
		a.below = a.Factor + 1
	case a.Level-mean > a.Margin:
		a.below++
	default:
		a.below = 0
	}
	switch {
	case a.above > a.Factor:
		a.step(-1)
	case a.below > a.Factor:
		a.step(1)
	}
}

func (a *AutoGain) step(by int) {
	a.gain = min(max(a.gain+by, -maxGain), maxGain)
	a.factor = math.Pow(10, float64(a.gain)/20)
}
