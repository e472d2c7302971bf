package dtmf

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/switchlet/switchlet/media"
)

// Levels of one frequency in dBm0: the higher is 2 dB stronger, as telephones send
// it (ITU-T Q.23 leaves it to administrations).
const (
	lowLevel  = -9.0
	highLevel = -7.0
	// dBm0Peak is the level of a sine whose peak is full scale (µ-law, G.711).
	dBm0Peak = 3.14
)

// rampTime in ms keeps the tone from clicking at both ends.
const rampTime = 2

// gap between two digits in ms (rtp_digit_delay).
const gap = 40

// queueLimit bounds the steps that wait.
const queueLimit = MaxSteps

// ErrFull is returned when too many digits wait.
var ErrFull = errors.New("dtmf: queue is full")

// Generator makes the sound of digits. It is a media.Source that ends when its
// queue is empty, and goes on when more is added. It is not safe for concurrent use.
type Generator struct {
	rate  int
	queue []Step // those from first on wait
	first int

	low, high oscillator
	total     int // samples of the tone being played
	at        int
	rest      int // samples of silence left
}

// oscillator is a digital resonator.
type oscillator struct{ coef, y1, y2 float64 }

func (o *oscillator) start(freq, peak float64, rate int) {
	w := 2 * math.Pi * freq / float64(rate)
	o.coef = 2 * math.Cos(w)
	o.y1, o.y2 = 0, -peak*math.Sin(w)
}

func (o *oscillator) next() float64 {
	y := o.y1
	o.y1, o.y2 = o.coef*o.y1-o.y2, o.y1
	return y
}

// NewGenerator returns a Generator at rate Hz with nothing to play.
func NewGenerator(rate int) (*Generator, error) {
	if rate < 8000 || rate > media.MaxRate {
		return nil, fmt.Errorf("dtmf: rate %d Hz; must be 8000 to %d", rate, media.MaxRate)
	}
	return &Generator{rate: rate}, nil
}

// Add queues steps; a flash, which has no sound, is a pause as long as it. It takes all
// or, with ErrFull, none.
func (g *Generator) Add(steps ...Step) error {
	if g.Waiting()+len(steps) > queueLimit {
		return ErrFull
	}
	if g.first > 0 {
		g.queue = g.queue[:copy(g.queue, g.queue[g.first:])]
		g.first = 0
	}
	g.queue = append(g.queue, steps...)
	return nil
}

// Waiting returns how many steps have not begun.
func (g *Generator) Waiting() int { return len(g.queue) - g.first }

// Rate implements media.Source.
func (g *Generator) Rate() int { return g.rate }

// Close implements media.Source.
func (g *Generator) Close() error { return nil }

// Read implements media.Source. After io.EOF it may be called again.
func (g *Generator) Read(pcm []int16) (int, error) {
	n := 0
	for n < len(pcm) {
		switch {
		case g.at < g.total:
			m := min(g.total-g.at, len(pcm)-n)
			g.sound(pcm[n : n+m])
			n += m
		case g.rest > 0:
			m := min(g.rest, len(pcm)-n)
			clear(pcm[n : n+m])
			g.rest -= m
			n += m
		case g.Waiting() == 0:
			if n == 0 {
				return 0, io.EOF
			}
			return n, nil
		default:
			g.begin(g.queue[g.first])
			g.first++
		}
	}
	return n, nil
}

func (g *Generator) begin(s Step) {
	if s.Digit.Char == 0 {
		g.rest = int(s.Pause.Milliseconds() * int64(g.rate) / 1000)
		return
	}
	samples := int(int64(Clamp(s.Digit.Duration)) * int64(g.rate) / 8000)
	g.rest = gap * g.rate / 1000
	low, high, ok := Frequencies(s.Digit.Char)
	if !ok {
		g.rest += samples
		return
	}
	g.total, g.at = samples, 0
	g.low.start(low, peak(lowLevel), g.rate)
	g.high.start(high, peak(highLevel), g.rate)
}

// peak converts dBm0 to the peak of a sine in 16 bits.
func peak(level float64) float64 { return 32767 * math.Pow(10, (level-dBm0Peak)/20) }

func (g *Generator) sound(pcm []int16) {
	ramp := rampTime * g.rate / 1000
	for i := range pcm {
		v := g.low.next() + g.high.next()
		if edge := min(g.at, g.total-1-g.at); edge < ramp {
			v *= float64(edge) / float64(ramp)
		}
		pcm[i] = int16(v)
		g.at++
	}
}
