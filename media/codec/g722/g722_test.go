package g722

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

// snr codes a tone and returns the signal to noise ratio in dB, at the best delay.
func snr(t *testing.T, freq, peak float64) float64 {
	t.Helper()
	enc, err := NewEncoder(Rate)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := NewDecoder(Rate)
	if err != nil {
		t.Fatal(err)
	}
	pcm, wire, out := make([]int16, Rate), make([]byte, Rate/2), make([]int16, Rate)
	for i := range pcm {
		pcm[i] = int16(peak * math.Sin(2*math.Pi*freq*float64(i)/Rate))
	}
	if n, err := enc.Encode(pcm, wire); err != nil || n != len(wire) {
		t.Fatalf("%d, %v", n, err)
	}
	if n, err := dec.Decode(wire, out); err != nil || n != len(out) {
		t.Fatalf("%d, %v", n, err)
	}
	best := math.Inf(-1)
	for delay := range 48 {
		var signal, noise float64
		for i := Rate / 4; i < Rate-48; i++ {
			s := float64(pcm[i])
			d := float64(out[i+delay]) - s
			signal += s * s
			noise += d * d
		}
		best = max(best, 10*math.Log10(signal/noise))
	}
	return best
}

func TestCodec_BothBandsAreClear(t *testing.T) {
	for _, c := range []struct{ freq, peak, want float64 }{
		{300, 10000, 25}, {1000, 10000, 25}, {1000, 500, 20}, {3000, 10000, 20},
		{5000, 6000, 12}, {6500, 6000, 10},
	} {
		if got := snr(t, c.freq, c.peak); got < c.want {
			t.Errorf("%v Hz at %v: %.1f dB, want %v", c.freq, c.peak, got, c.want)
		}
	}
}

// TestCodec_PiecesOfAnySizeGiveTheSame holds the filter's memory, which is moved on
// after so many pairs of samples, even or odd.
func TestCodec_PiecesOfAnySizeGiveTheSame(t *testing.T) {
	const pairs = 8000
	pcm, wire, sound := make([]int16, 2*pairs), make([]byte, pairs), make([]int16, 2*pairs)
	seed := uint32(9)
	for i := range pcm {
		seed = seed*1664525 + 1013904223
		pcm[i] = int16(seed>>16) / 4
	}
	e, _ := NewEncoder(Rate)
	d, _ := NewDecoder(Rate)
	_, _ = e.Encode(pcm, wire)
	_, _ = d.Decode(wire, sound)
	e, _ = NewEncoder(Rate)
	d, _ = NewDecoder(Rate)
	for at, n := 0, 1; at < pairs; at, n = at+n, n%101+1 {
		n = min(n, pairs-at)
		code, out := make([]byte, n), make([]int16, 2*n)
		if m, err := e.Encode(pcm[2*at:2*(at+n)], code); m != n || err != nil || !bytes.Equal(code, wire[at:at+n]) {
			t.Fatalf("%d pairs from %d are coded otherwise: %v", n, at, err)
		}
		if m, err := d.Decode(code, out); m != 2*n || err != nil || !slices.Equal(out, sound[2*at:2*(at+n)]) {
			t.Fatalf("%d code words from %d are decoded otherwise: %v", n, at, err)
		}
	}
}

func TestEncoder_StateMatchesTheDecoders(t *testing.T) {
	e, _ := NewEncoder(Rate)
	d, _ := NewDecoder(Rate)
	enc, dec := e.(*encoder), d.(*decoder)
	pcm, wire := make([]int16, 320), make([]byte, 160)
	for frame := range 50 {
		for i := range pcm {
			pcm[i] = int16(9000*math.Sin(float64(frame*320+i)*0.21) + 4000*math.Sin(float64(i)*2.1))
		}
		_, _ = enc.Encode(pcm, wire)
		_, _ = dec.Decode(wire, pcm)
		if enc.low != dec.low || enc.high != dec.high {
			t.Fatalf("frame %d: the predictors drifted apart", frame)
		}
	}
}
