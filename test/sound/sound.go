// Package sound judges recorded sound as an ear would: by frequency, level and
// gaps, never by the size of a file.
package sound

import (
	"math"
	"time"

	"github.com/switchlet/switchlet/media/file"
)

// Power is the level of one frequency in pcm, in dBFS of a sine's peak: 0 is a
// full-scale sine (Goertzel).
func Power(pcm []int16, rate int, hz float64) float64 {
	if len(pcm) == 0 {
		return math.Inf(-1)
	}
	w := 2 * math.Pi * hz / float64(rate)
	coef := 2 * math.Cos(w)
	var s1, s2 float64
	for i, x := range pcm {
		// A Hann window keeps a neighbouring frequency from leaking in.
		v := float64(x) / 32768 * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(pcm))))
		s1, s2 = v+coef*s1-s2, s1
	}
	magnitude := math.Sqrt(s1*s1+s2*s2-coef*s1*s2) * 4 / float64(len(pcm))
	return 20 * math.Log10(magnitude)
}

// Tone finds the strongest frequency between 100 and 3800 Hz and its level in
// dBFS.
func Tone(pcm []int16, rate int) (hz, db float64) {
	db = math.Inf(-1)
	if len(pcm) > rate {
		pcm = pcm[:rate] // a second tells enough
	}
	scan := func(from, to, step float64) {
		for f := from; f <= to; f += step {
			if p := Power(pcm, rate, f); p > db {
				hz, db = f, p
			}
		}
	}
	top := math.Min(3800, float64(rate)/2-100)
	scan(100, top, 4)
	scan(math.Max(hz-4, 50), hz+4, 0.5)
	return hz, db
}

// Level is the mean power of pcm in dBFS: 0 is a full-scale square, -3 a
// full-scale sine.
func Level(pcm []int16) float64 {
	var sum float64
	for _, x := range pcm {
		v := float64(x) / 32768
		sum += v * v
	}
	if sum == 0 {
		return math.Inf(-1)
	}
	return 10 * math.Log10(sum/float64(len(pcm)))
}

// Gaps are the stretches of pcm, ten milliseconds at least, that are quieter than
// below (dBFS), apart from those at its beginning and end.
func Gaps(pcm []int16, rate int, below float64) []time.Duration {
	window := rate / 100
	var gaps []time.Duration
	quiet, heard := 0, false
	for i := 0; i+window <= len(pcm); i += window {
		if Level(pcm[i:i+window]) < below {
			quiet++
			continue
		}
		if heard && quiet > 0 {
			gaps = append(gaps, time.Duration(quiet)*10*time.Millisecond)
		}
		quiet, heard = 0, true
	}
	return gaps
}

// Read returns the sound of a file as mono, with its rate in Hz.
func Read(path string) (pcm []int16, rate int, err error) {
	src, err := file.Open(path, 8000)
	if err != nil {
		return nil, 0, err
	}
	defer src.Close()
	buf := make([]int16, 4096)
	for {
		n, err := src.Read(buf)
		pcm = append(pcm, buf[:n]...)
		if err != nil {
			return pcm, src.Rate(), nil
		}
	}
}
