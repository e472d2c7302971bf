package stream_test

import (
	"errors"
	"io"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/stream"
)

// tones is a directory with a file a tone, of the given length.
func tones(t *testing.T, ms int, hz ...float64) string {
	t.Helper()
	dir := t.TempDir()
	for i, f := range hz {
		makeTone(t, filepath.Join(dir, string(rune('a'+i))+".wav"), 8000, ms, f)
	}
	return dir
}

// second reads a second of s.
func second(t *testing.T, s media.Source) []int16 {
	t.Helper()
	pcm := make([]int16, 8000)
	for at := 0; at < len(pcm); at += 160 {
		if n, err := s.Read(pcm[at : at+160]); err != nil || n != 160 {
			t.Fatalf("%d samples, %v", n, err)
		}
	}
	return pcm
}

func TestChimes_InterruptTheMusicInTurn(t *testing.T) {
	chimes := tones(t, 600, 1200, 1700)
	o := &stream.Opener{LocalStreams: map[string]stream.LocalStream{"moh": {
		Path: tones(t, 9000, 500), ChimeEvery: 2 * time.Second, ChimeMax: 300 * time.Millisecond,
		Chimes: []string{filepath.Join(chimes, "a.wav"), "nosuch.wav", filepath.Join(chimes, "b.wav")},
	}}}
	defer o.Close()
	pcm := play(t, o, "local_stream://moh", 8000, 10*8000)
	heard := func(ms int) float64 {
		for _, hz := range []float64{500, 1200, 1700} {
			if hears(pcm[ms*8:ms*8+800], 8000, hz) {
				return hz
			}
		}
		return 0
	}
	for _, c := range []struct {
		ms int
		hz float64
	}{{0, 500}, {1850, 500}, {2050, 1200}, {2150, 1200}, {2350, 500}, {4350, 500}, {6350, 1700}, {6700, 500}, {8650, 1200}} {
		if got := heard(c.ms); got != c.hz {
			t.Errorf("at %d ms %.0f Hz is heard, want %.0f", c.ms, got, c.hz)
		}
	}
}

func TestStreams_AreSteeredWhileTheyAreHeard(t *testing.T) {
	o := &stream.Opener{LocalStreams: map[string]stream.LocalStream{
		"moh": {Path: tones(t, 60000, 500, 900)}, "default": {Path: tones(t, 60000, 1500)},
	}}
	defer o.Close()
	s, err := o.Open(t.Context(), "local_stream://moh", 8000)
	if err != nil {
		t.Fatal(err)
	}
	if !hears(second(t, s), 8000, 500) {
		t.Error("the first file is not heard")
	}
	if !o.SkipStream("moh") || !hears(second(t, s)[320:], 8000, 900) {
		t.Error("the second file is not heard after a skip")
	}
	loud := level(second(t, s), 8000, 900)
	if !o.SetStreamVolume("moh", -6) {
		t.Error("no volume")
	}
	if soft := level(second(t, s)[320:], 8000, 900); math.Abs(soft/loud-0.5) > 0.03 {
		t.Errorf("6 dB softer it sounds at %.2f of the level", soft/loud)
	}
	if !o.ReloadStream("moh", stream.LocalStream{Path: tones(t, 60000, 1100)}) || !hears(second(t, s)[320:], 8000, 1100) {
		t.Error("the new directory is not heard")
	}
	states := o.Streams()
	if len(states) != 2 || states[1].Name != "moh" || !states[1].Playing || states[1].Stopped || states[0].Playing {
		t.Errorf("streams %+v", states)
	}
	if !o.StopStream("moh") || !o.Streams()[1].Stopped {
		t.Error("not stopped")
	}
	if _, err := s.Read(make([]int16, 160)); !errors.Is(err, io.EOF) {
		t.Errorf("a listener of a stopped stream gets %v", err)
	}
	if pcm := play(t, o, "local_stream://moh", 8000, 8000); !hears(pcm, 8000, 1500) {
		t.Error("who asks for a stopped stream does not hear the default one")
	}
	o.StartStream("moh", stream.LocalStream{Path: tones(t, 60000, 700)})
	if pcm := play(t, o, "local_stream://moh", 8000, 8000); !hears(pcm, 8000, 700) {
		t.Error("the stream that was started is not heard")
	}
	for _, f := range []func(string) bool{o.StopStream, o.SkipStream,
		func(n string) bool { return o.ReloadStream(n, stream.LocalStream{}) }, func(n string) bool { return o.SetStreamVolume(n, 1) }} {
		if f("nosuch") {
			t.Error("a stream that is not there was steered")
		}
	}
}

func TestAutoVolume_BringsTheMusicToItsScore(t *testing.T) {
	o := &stream.Opener{LocalStreams: map[string]stream.LocalStream{"moh": {Path: tones(t, 90000, 500), Volume: 40, AutoVolume: 2000}}}
	defer o.Close()
	s, err := o.Open(t.Context(), "local_stream://moh", 8000)
	if err != nil {
		t.Fatal(err)
	}
	first := media.Energy(second(t, s))
	if first < 4000 || first > 8000 {
		t.Fatalf("the tone begins at a score of %d", first)
	}
	for range 60 {
		second(t, s)
	}
	if score := media.Energy(second(t, s)); score < 1500 || score > 2500 {
		t.Errorf("after a minute the score is %d, want about 2000", score)
	}
	if !o.SetStreamVolume("moh", 0) {
		t.Fatal("no volume")
	}
	second(t, s)
	if score := media.Energy(second(t, s)); score < first-100 || score > first+100 {
		t.Errorf("with a fixed volume the score is %d, it was %d", score, first)
	}
	if !o.SetStreamAutoVolume("moh", 20001, -1) || o.Streams()[0].AutoVolume != stream.MaxAutoVolume || o.Streams()[0].AutoLow != 0 {
		t.Errorf("automatic volume without bounds: %+v", o.Streams()[0])
	}
	if o.SetStreamAutoVolume("nosuch", 1, 1) {
		t.Error("a stream that is not there was steered")
	}
}

func TestAutoVolume_SilenceDoesNotRaiseIt(t *testing.T) {
	o := &stream.Opener{LocalStreams: map[string]stream.LocalStream{"moh": {Path: tones(t, 40000, 0, 500), AutoVolume: 20000, AutoLow: 5000}}}
	defer o.Close()
	s, err := o.Open(t.Context(), "local_stream://moh", 8000)
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		second(t, s)
	}
	if score := media.Energy(second(t, s)[320:]); score < 4000 || score > 8000 {
		t.Errorf("after forty seconds of silence the music begins at a score of %d", score)
	}
}
