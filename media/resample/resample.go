// Package resample changes the sampling rate of PCM.
//
// A Resampler is a polyphase windowed-sinc filter with its state, so that a
// stream may be pushed through it in pieces of any size. What would alias is at
// least 60 dB down; sound up to 83 % of the lower Nyquist frequency passes
// unchanged; the delay is 24 samples of the lower rate (3 ms at 8 kHz). Frames of
// whole samples come out as whole frames: 20 ms in, 20 ms out. Process does not
// allocate. NewSource wraps a media.Source.
package resample

import (
	"fmt"
	"math"
)

const (
	// tapsLow is the length of the filter in samples of the lower rate.
	tapsLow = 48
	// attenuation in dB is what the window is designed for.
	attenuation = 66
	// chunk is how many input samples are filtered at a time.
	chunk = 960
	// minRate and maxRate in Hz bound what a file header can ask for.
	minRate = 4000
	maxRate = 192000
)

// Resampler converts one stream. It is not safe for concurrent use.
type Resampler struct {
	in, out int
	up      int       // interpolation factor
	down    int       // decimation factor
	taps    int       // per phase
	coefs   []float32 // up phases of taps
	buf     []float32 // taps-1 samples of history, then up to chunk of input
	filled  int       // valid samples in buf
	phase   int       // of the next output, in 1/up of an input sample
}

// Valid reports whether rate, in Hz, can be converted.
func Valid(rate int) bool { return rate >= minRate && rate <= maxRate }

// New returns a Resampler from in Hz to out Hz.
func New(in, out int) (*Resampler, error) {
	if !Valid(in) || !Valid(out) {
		return nil, fmt.Errorf("resample: %d Hz to %d Hz: rates must be %d to %d", in, out, minRate, maxRate)
	}
	r := &Resampler{in: in, out: out}
	if in == out {
		return r, nil
	}
	g := gcd(in, out)
	r.up, r.down = out/g, in/g
	// A rate like 8001 Hz shares no factor with ours and would need thousands of
	// phases; a ratio that is off by less than 1 in 2000 is not heard.
	for r.up > maxPhases {
		r.up, r.down = (r.up+1)/2, (r.down+1)/2
	}
	r.design()
	r.buf = make([]float32, r.taps-1+chunk)
	r.filled = r.taps - 1
	return r, nil
}

// maxPhases bounds the table; 11025 to 48000 Hz has 640 phases.
const maxPhases = 4096

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// design computes the filter of every phase: a sinc cut off below the lower
// Nyquist frequency under a Kaiser window, each phase with a gain of one.
func (r *Resampler) design() {
	ratio := math.Max(1, float64(r.down)/float64(r.up))
	r.taps = (int(math.Ceil(tapsLow*ratio)) + 3) &^ 3
	transition := (attenuation - 7.95) / (14.36 * tapsLow)
	cutoff := (0.5 - transition/2) / ratio // in cycles an input sample
	beta := 0.1102 * (attenuation - 8.7)
	half := float64(r.taps) / 2
	r.coefs = make([]float32, r.up*r.taps)
	row := make([]float64, r.taps)
	for phase := range r.up {
		var sum float64
		for k := range row {
			t := float64(k) - (half - 1) - float64(phase)/float64(r.up)
			row[k] = sinc(2*cutoff*t) * kaiser(t/half, beta)
			sum += row[k]
		}
		for k, v := range row {
			r.coefs[phase*r.taps+k] = float32(v / sum)
		}
	}
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

func kaiser(x, beta float64) float64 {
	if x < -1 || x > 1 {
		return 0
	}
	return bessel(beta*math.Sqrt(1-x*x)) / bessel(beta)
}

// bessel is the modified Bessel function of the first kind, order zero.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-9; k++ {
		term *= (x / 2) * (x / 2) / (k * k)
		sum += term
	}
	return sum
}

// OutputLen is the most that Process writes for n input samples.
func (r *Resampler) OutputLen(n int) int {
	if r.up == 0 {
		return n
	}
	return n*r.up/r.down + 1
}

// InputLen is how many input samples Process needs now to write n samples.
func (r *Resampler) InputLen(n int) int {
	if r.up == 0 || n <= 0 {
		return max(n, 0)
	}
	last := (r.phase + (n-1)*r.down) / r.up // first buffered sample of the last output
	return max(last+r.taps-r.filled, 0)
}

// Delay is the delay of the filter in samples of the input.
func (r *Resampler) Delay() int { return r.taps / 2 }

// Reset forgets the sound so far.
func (r *Resampler) Reset() {
	clear(r.buf)
	r.filled, r.phase = max(r.taps-1, 0), 0
}

// Process converts in, all of it, and returns the samples written to out, which
// needs room for OutputLen(len(in)). Of what does not fit only that is kept for the
// next call which the last sample of in completed: room for n is enough for
// InputLen(n) samples.
func (r *Resampler) Process(out, in []int16) int {
	if r.up == 0 {
		return copy(out, in)
	}
	written := 0
	for {
		n := min(len(in), len(r.buf)-r.filled)
		fresh := r.buf[r.filled:][:n]
		for i, s := range in[:n] {
			fresh[i] = float32(s)
		}
		r.filled += n
		in = in[n:]
		written += r.drain(out[written:])
		if len(in) == 0 {
			return written
		}
	}
}

// drain writes the outputs that the buffer allows and keeps the history.
func (r *Resampler) drain(out []int16) int {
	n := 0
	at, phase := r.phase/r.up, r.phase%r.up
	whole, part := r.down/r.up, r.down%r.up
	taps, buf := r.taps, r.buf[:r.filled]
	for at+taps <= len(buf) {
		if n < len(out) {
			out[n] = toInt16(dot(&r.coefs[phase*taps], &buf[at], taps))
			n++
		} else if at+taps == len(buf) {
			break
		}
		at += whole
		if phase += part; phase >= r.up {
			at++
			phase -= r.up
		}
	}
	keep := min(at, r.filled)
	copy(r.buf, r.buf[keep:r.filled])
	r.filled -= keep
	r.phase = (at-keep)*r.up + phase
	return n
}

// toInt16 rounds v, halves away from zero. The sign of sound cannot be foretold: it is
// copied to the half instead of asked for.
func toInt16(v float32) int16 {
	const sign = 1 << 31
	half := math.Float32frombits(math.Float32bits(0.5) | math.Float32bits(v)&sign)
	return int16(min(max(int32(v+half), -32768), 32767))
}
