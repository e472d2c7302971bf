package sound

import (
	"math"
	"testing"
)

func sine(hz float64, rate int, peak float64, samples int) []int16 {
	out := make([]int16, samples)
	for i := range out {
		out[i] = int16(peak * 32767 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
	}
	return out
}

func TestTone_FindsFrequencyAndLevel(t *testing.T) {
	for _, hz := range []float64{350, 440, 1004, 1500, 2500} {
		got, db := Tone(sine(hz, 8000, 0.25, 8000), 8000)
		if math.Abs(got-hz) > 1 || math.Abs(db+12.04) > 0.3 {
			t.Errorf("a sine of %v Hz at -12 dBFS is heard as %v Hz at %.2f dBFS", hz, got, db)
		}
	}
}

func TestGaps_FindsAHoleAndOnlyThat(t *testing.T) {
	pcm := sine(440, 8000, 0.5, 16000)
	if g := Gaps(pcm, 8000, -50); len(g) != 0 {
		t.Errorf("a steady tone has gaps %v", g)
	}
	clear(pcm[4000:4800])
	g := Gaps(pcm, 8000, -50)
	if len(g) != 1 || g[0].Milliseconds() != 100 {
		t.Errorf("a hole of 100 ms is heard as %v", g)
	}
}
