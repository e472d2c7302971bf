package opus

import (
	"math"
	"testing"

	"github.com/switchlet/switchlet/media"
)

// goertzel returns the amplitude of hz in pcm.
func goertzel(pcm []int16, rate int, hz float64) float64 {
	w := 2 * math.Pi * hz / float64(rate)
	c := 2 * math.Cos(w)
	var a, b float64
	for _, v := range pcm {
		a, b = float64(v)+c*a-b, a
	}
	return 2 * math.Sqrt(a*a+b*b-c*a*b) / float64(len(pcm))
}

// TestEncoder_PureTonesKeepTheirLevel is for ringing tones, digits and music,
// which a speech coder with too few bits lets fall in some frames.
func TestEncoder_PureTonesKeepTheirLevel(t *testing.T) {
	for _, fmtp := range []string{"", "useinbandfec=1"} {
		for _, rate := range Rates() {
			for _, hz := range []float64{350, 440, 1000, 1400, 2000} {
				p := NewPool(Options{})
				enc, err := p.NewEncoder(media.Format{Ptime: 20, Fmtp: fmtp}, rate)
				if err != nil {
					t.Fatal(err)
				}
				dec, err := p.NewDecoder(media.Format{}, rate)
				if err != nil {
					t.Fatal(err)
				}
				pcm, wire, out := make([]int16, rate/50), make([]byte, 1500), make([]int16, rate/50)
				least := math.Inf(1)
				for frame := range 150 {
					for i := range pcm {
						pcm[i] = int16(10000 * math.Sin(2*math.Pi*hz*float64(frame*len(pcm)+i)/float64(rate)))
					}
					n, err := enc.Encode(pcm, wire)
					if err != nil {
						t.Fatal(err)
					}
					if n, err = dec.Decode(wire[:n], out); err != nil || n != len(out) {
						t.Fatal(n, err)
					}
					if frame > 10 {
						least = min(least, goertzel(out, rate, hz))
					}
				}
				enc.Close()
				dec.Close()
				if least < 7943 { // 2 dB down
					t.Errorf("%q at %d Hz: %.0f Hz falls to %.0f", fmtp, rate, hz, least)
				}
			}
		}
	}
}
