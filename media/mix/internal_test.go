package mix

import (
	"testing"
	"time"

	"github.com/switchlet/switchlet/media"
)

func TestGate(t *testing.T) {
	loudFrames := func(n, score int) (s []int) {
		for range n {
			s = append(s, score)
		}
		return s
	}
	for _, c := range []struct {
		name    string
		scores  []int
		talking bool
		changes int
	}{
		{"one loud frame begins", []int{600}, true, 1},
		{"soft speech needs five", loudFrames(4, 200), false, 0},
		{"the fifth begins", loudFrames(5, 200), true, 1},
		{"at the gate is not above it", loudFrames(50, 100), false, 0},
		{"39 silent frames do not end it", append([]int{600}, loudFrames(39, 0)...), true, 1},
		{"40 do", append([]int{600}, loudFrames(40, 0)...), false, 2},
	} {
		g := gate{level: 100}
		changes := 0
		for _, s := range c.scores {
			if g.hear(s) {
				changes++
			}
		}
		if g.talking != c.talking || changes != c.changes {
			t.Errorf("%s: talking %v after %d changes", c.name, g.talking, changes)
		}
	}
}

func TestGate_LearnsFromTalk(t *testing.T) {
	g := gate{level: 100, auto: 700}
	for i := range 300 {
		if i%20 == 0 {
			g.hear(0)
		} else {
			g.hear(800)
		}
	}
	for range 60 {
		g.hear(0)
	}
	if g.level != 600 {
		t.Errorf("level %d, want 0.75 of 800", g.level)
	}
	g.sink(100)
	if g.level != 500 {
		t.Errorf("sinks to %d", g.level)
	}
}

func TestTick_DoesNotAllocate(t *testing.T) {
	e := media.NewEngine(media.EngineOptions{})
	x := New(e, Options{Rate: 8000})
	pcm := make([]int16, 160)
	for i := range pcm {
		pcm[i] = int16(i * 50)
	}
	var ms []*Member
	for range 10 {
		ms = append(ms, x.Add())
	}
	now := time.Now()
	tick := func() {
		for _, m := range ms[:3] {
			m.Hear(pcm)
		}
		x.Tick(media.PhaseMix, now)
		for _, m := range ms {
			m.Say()
		}
	}
	for range 10 {
		tick()
	}
	if n := testing.AllocsPerRun(100, tick); n != 0 {
		t.Errorf("%v allocations a tick", n)
	}
}

func BenchmarkRoom200(b *testing.B) {
	e := media.NewEngine(media.EngineOptions{})
	x := New(e, Options{Rate: 8000})
	pcm := make([]int16, 160)
	var ms []*Member
	for range 200 {
		ms = append(ms, x.Add())
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, m := range ms[:3] {
			m.Hear(pcm)
		}
		x.Tick(media.PhaseMix, time.Time{})
		for _, m := range ms {
			m.Say()
		}
	}
}

// TestSay_WhoSpeaksAloneSharesTheSilence saves the encoding of a mix of nothing.
func TestSay_WhoSpeaksAloneSharesTheSilence(t *testing.T) {
	x := New(media.NewEngine(media.EngineOptions{}), Options{Rate: 8000, EnergyLevel: 100})
	a, b, c := x.Add(), x.Add(), x.Add()
	loud := make([]int16, 160)
	for i := range loud {
		loud[i] = int16(3000 - 6000*(i&1))
	}
	say := func(talkers ...*Member) {
		for _, m := range talkers {
			m.Hear(loud)
		}
		x.Tick(media.PhaseMix, time.Time{})
	}
	say(a)
	if own, shared := a.Say(); own != nil || shared != x.quiet {
		t.Error("who speaks alone has a mix of his own")
	}
	if own, shared := c.Say(); own != nil || shared != x.shared {
		t.Error("who is silent does not hear the mix")
	}
	say(a, b)
	if own, _ := a.Say(); own == nil || own[0] != loud[0] {
		t.Error("who speaks with another does not hear him")
	}
	a.SetVolumeOut(1)
	say(a)
	if own, _ := a.Say(); own == nil || own[0] != 0 {
		t.Error("who speaks alone hears something")
	}
}
