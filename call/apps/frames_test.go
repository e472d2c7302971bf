package apps

import (
	"io"
	"math"
	"testing"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

// tone is 20 ms of sines at 8 kHz.
func tone(amplitude float64, frequencies ...float64) []int16 {
	pcm := make([]int16, 160)
	for i := range pcm {
		v := 0.0
		for _, hz := range frequencies {
			v += amplitude * math.Sin(2*math.Pi*hz*float64(i)/toneRate)
		}
		pcm[i] = int16(v)
	}
	return pcm
}

func TestHasTone(t *testing.T) {
	for _, c := range []struct {
		name  string
		sound []int16
		want  []float64
		found bool
	}{
		{"the tone", tone(8000, 440), []float64{440}, true},
		{"faint", tone(40, 440), []float64{440}, true},
		{"too faint", tone(5, 440), []float64{440}, false},
		{"another", tone(8000, 880), []float64{440}, false},
		{"among others", tone(8000, 440, 1000, 2000), []float64{440}, false},
		{"both", tone(8000, 350, 440), []float64{350, 440}, true},
		{"one of both", tone(8000, 350), []float64{350, 440}, false},
		{"silence", make([]int16, 160), []float64{440}, false},
		{"nothing", nil, []float64{440}, false},
	} {
		if got := hasTone(c.sound, c.want); got != c.found {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestSoundRing_OldestMakesRoom(t *testing.T) {
	r := newSoundRing(8000)
	frame := make([]int16, 160)
	r.put(frame)
	out := make([]int16, 160)
	if n, err := r.Read(out); n != 160 || err != nil {
		t.Fatalf("a shut ring gives %d, %v", n, err)
	}
	r.set(true)
	for i := range ringFrames + 3 {
		for j := range frame {
			frame[j] = int16(i + 1)
		}
		r.put(frame)
	}
	if n, _ := r.Read(out); n != 160 || out[0] != 4 {
		t.Errorf("first comes frame %d, want 4", out[0])
	}
	for range ringFrames {
		r.Read(out)
	}
	if n, _ := r.Read(out); n != 160 || out[0] != 0 {
		t.Errorf("an empty ring gives %d samples of %d, want silence", n, out[0])
	}
	r.put(make([]int16, ringFrames*200))
	r.Close()
	if _, err := r.Read(out); err != io.EOF {
		t.Errorf("a closed ring gives %v", err)
	}
}

func TestFrames_AreNotAllocated(t *testing.T) {
	frame, out := tone(8000, 440), make([]int16, 160)
	ring := newSoundRing(8000)
	ring.set(true)
	detector := &toneDetector{frequencies: []float64{1000}, up: true, needHits: 1, found: func() {}}
	for name, fn := range map[string]func(){
		"ring":     func() { ring.put(frame); ring.Read(out) },
		"detector": func() { detector.frame(frame) },
	} {
		if n := testing.AllocsPerRun(100, fn); n != 0 {
			t.Errorf("%s allocates %v times a frame", name, n)
		}
	}
}

func TestReadLegs(t *testing.T) {
	for text, want := range map[string]broadcastLegs{
		"": {self: true, hold: true}, "aleg": {self: true}, "bleg": {partner: true}, "both": {self: true, partner: true},
		"holdb": {hold: true}, "aleg holdb": {self: true, hold: true},
	} {
		if got := readLegs(text); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

func TestLimitRate(t *testing.T) {
	for text, want := range map[string][2]int{"": {-1, 0}, "5": {5, 0}, "5/10": {5, 10}, "x": {-1, 0}, "3/": {3, 1}} {
		limit, interval := LimitRate(text)
		if limit != want[0] || int(interval.Seconds()) != want[1] {
			t.Errorf("%q: %d, %v", text, limit, interval)
		}
	}
}

func TestRecordArgs(t *testing.T) {
	path, limit, vars := recordArgs("/tmp/a b.wav +30 {x=1,y=2}")
	if path != "/tmp/a b.wav" || limit.Seconds() != 30 || len(vars) != 2 || vars[1] != (call.Var{Name: "y", Value: "2"}) {
		t.Errorf("%q %v %v", path, limit, vars)
	}
}

func FuzzRecordArgs(f *testing.F) {
	f.Add("/tmp/a.wav +30 {x=1}")
	f.Add("/tmp/a.wav +2001700000000")
	f.Add("{}")
	f.Fuzz(func(t *testing.T, args string) {
		if path, limit, _ := recordArgs(args); limit < 0 || len(path) > len(args) {
			t.Errorf("%q gives %q, %v", args, path, limit)
		}
	})
}

func BenchmarkToneDetector(b *testing.B) {
	frame := tone(8000, 350, 440)
	d := &toneDetector{frequencies: []float64{1100}, up: true, needHits: 1, found: func() {}}
	b.ReportAllocs()
	for b.Loop() {
		d.frame(frame)
	}
}

var _ media.Source = (*soundRing)(nil)
