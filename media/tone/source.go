package tone

import (
	"fmt"
	"io"
	"math"

	"github.com/switchlet/switchlet/media"
)

// Defaults of libteletone, at 8 kHz 2000 and 500 samples.
const (
	defaultOn     = 250 // ms
	defaultVolume = -7  // dBm0
	defaultOff    = 62.5
)

// fullScale is the peak of a tone of maxPower dBm0; libteletone's DBM0_MAX_POWER.
const (
	fullScale = 32767 * 1.414214
	maxPower  = 3.14 + 3.02
)

// source computes a Program's sound. Settings last until they are changed, over
// repetitions of a line too, as in libteletone.
type source struct {
	p     *Program
	rate  int
	plays int // of the whole program that are left, -1 for ever

	at        int // next step
	lineStart int // first step of the line
	lineLoops int // L=: runs of the line that are left
	looped    bool
	played    int64 // samples in this run of the program

	on, off   float64 // ms
	volume    float64 // dBm0
	decay     float64 // dB a step
	direction float64 // -1, 0 or 1
	decayStep int     // samples
	repeat    int     // l=: plays of the next tone, negative for ever

	current    *step
	tone, rest int // samples left of the sound and of the pause
	level      float64
	sinceDecay int
	count      int
	osc        [maxTones]oscillator
	produced   int64 // samples since the line began
}

// oscillator is a digital resonator: y[n] = 2·cos(w)·y[n-1] − y[n-2].
type oscillator struct{ coef, y1, y2 float64 }

func (o *oscillator) start(freq float64, rate int) {
	w := 2 * math.Pi * freq / float64(rate)
	o.coef = 2 * math.Cos(w)
	o.y1, o.y2 = 0, -math.Sin(w)
}

func (o *oscillator) next() float64 {
	y := o.y1
	o.y1, o.y2 = o.coef*o.y1-o.y2, o.y1
	return y
}

// Source returns a fresh source of the program at rate Hz.
func (p *Program) Source(rate int) (media.Source, error) {
	if rate < 4000 || rate > media.MaxRate {
		return nil, fmt.Errorf("tone: rate %d Hz; must be 4000 to %d", rate, media.MaxRate)
	}
	s := &source{p: p, rate: rate, plays: p.loops}
	s.restart()
	return s, nil
}

// restart sets what a new run of the program begins with.
func (s *source) restart() {
	s.at, s.lineStart, s.lineLoops, s.looped = 0, 0, 0, false
	s.on, s.off = defaultOn, defaultOff
	s.volume, s.decay, s.direction, s.decayStep = defaultVolume, 1, 0, 0
	s.repeat, s.played, s.produced = 0, 0, 0
	s.current = nil
}

func (s *source) Rate() int    { return s.rate }
func (s *source) Close() error { return nil }

// Read implements media.Source.
func (s *source) Read(pcm []int16) (int, error) {
	n := 0
	for n < len(pcm) {
		switch {
		case s.tone > 0:
			m := min(s.tone, len(pcm)-n)
			s.sound(pcm[n : n+m])
			s.tone -= m
			n += m
		case s.rest > 0:
			m := min(s.rest, len(pcm)-n)
			clear(pcm[n : n+m])
			s.rest -= m
			n += m
		case !s.advance():
			if n == 0 {
				return 0, io.EOF
			}
			return n, nil
		}
	}
	return n, nil
}

func (s *source) sound(pcm []int16) {
	gain := s.gain()
	for i := range pcm {
		if s.direction != 0 {
			if s.sinceDecay++; s.sinceDecay >= s.decayStep {
				if v := s.level + s.direction*s.decay; v <= maxVolume && v >= minVolume {
					s.level = v
					s.sinceDecay = 0
					gain = s.gain()
				}
			}
		}
		var sum float64
		for k := range s.count {
			sum += s.osc[k].next()
		}
		pcm[i] = int16(max(min(sum*gain, 32767), -32768))
	}
}

func (s *source) gain() float64 {
	return math.Pow(10, (s.level-maxPower)/20) * fullScale / float64(s.count)
}

// advance goes on to the next tone; false at the end of everything.
func (s *source) advance() bool {
	if s.current != nil && s.repeat != 0 {
		if s.begin(s.current) {
			return true
		}
	}
	s.current = nil
	for {
		if s.at >= len(s.p.steps) || (s.p.steps[s.at].kind == kindLine && s.at > s.lineStart) {
			if !s.endLine() {
				return false
			}
			continue
		}
		st := &s.p.steps[s.at]
		s.at++
		if st.kind != kindTone {
			s.set(st)
		} else if s.begin(st) {
			return true
		}
	}
}

// endLine repeats the line, goes to the next, or starts the program again. A line
// or program without a single sample is not repeated.
func (s *source) endLine() bool {
	if s.lineLoops > 0 {
		s.lineLoops--
	}
	if s.lineLoops > 0 && s.produced > 0 {
		s.at, s.produced = s.lineStart, 0
		return true
	}
	if s.at < len(s.p.steps) {
		s.lineStart, s.lineLoops, s.looped, s.produced = s.at, 0, false, 0
		s.at++
		return true
	}
	if s.plays > 0 {
		s.plays--
	}
	if s.plays == 0 || s.played == 0 {
		return false
	}
	s.restart()
	return true
}

func (s *source) set(st *step) {
	switch st.kind {
	case 'd':
		s.on = st.value
	case 'w':
		s.off = st.value
	case 'v':
		s.volume = st.value
	case '+':
		s.decay = st.value
	case '>', '<':
		s.direction = 1
		if st.kind == '>' {
			s.direction = -1
		}
		s.decayStep = s.samples(st.value)
	case 'l':
		s.repeat = int(st.value)
	case 'L':
		if !s.looped && st.value > 0 {
			s.lineLoops, s.looped = int(st.value), true
		}
	}
}

// samples bounds a duration at half of what an int holds on every machine.
func (s *source) samples(ms float64) int {
	return int(min(max(ms, 0)*float64(s.rate)/1000, 1<<30))
}

// begin starts tone st; false if it has no samples at all.
func (s *source) begin(st *step) bool {
	s.current = st
	if s.repeat > 0 {
		s.repeat--
	}
	on, off := s.on, s.off
	if st.on >= 0 {
		on, off = float64(st.on), float64(st.off)
	}
	s.tone, s.rest = s.samples(on), s.samples(off)
	s.level, s.sinceDecay = s.volume, 0
	s.count = len(st.freqs)
	for i, f := range st.freqs {
		if f < 0 { // libteletone: a pause only
			s.tone = 0
		}
		s.osc[i].start(f, s.rate)
	}
	total := int64(s.tone + s.rest)
	s.produced += total
	s.played += total
	if total == 0 {
		s.repeat = 0
	}
	return total > 0
}
