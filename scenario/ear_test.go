package scenario

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/switchlet/switchlet/media"
)

// disc are sounds by name.
type disc map[string][]int16

type spin struct {
	pcm  []int16
	rate int
}

func (d disc) Open(_ context.Context, uri string, rate int) (media.Source, error) {
	return &spin{d[uri], rate}, nil
}
func (d disc) Create(string, int, int, bool) (media.Sink, error) { return nil, media.ErrClosed }

func (s *spin) Rate() int    { return s.rate }
func (s *spin) Close() error { return nil }
func (s *spin) Read(pcm []int16) (int, error) {
	n := copy(pcm, s.pcm)
	if s.pcm = s.pcm[n:]; n == 0 {
		return 0, errEnd
	}
	return n, nil
}

// spoken is a sound that is like no other.
func spoken(name string, rate int) []int16 {
	out := make([]int16, 3*rate)
	n, err := newMurmur(name, rate, 3*time.Second).Read(out)
	if n != len(out) || err != nil {
		panic("a murmur that stops")
	}
	return out
}

// listen plays sounds to an ear, mixed by mix, and returns what it says it heard.
func listen(t *testing.T, rate int, names []string, frames int, mix func(n int, in [][]int16, out *[frame]int16)) []heard {
	t.Helper()
	d := disc{"a": spoken("a", rate), "b": spoken("b", rate), "c": spoken("c", rate)}
	studio := newStudio(d)
	studio.place = func(s string) string { return s }
	e := &ear{studio: studio}
	var list []heard
	err := bubble(func() {
		start := time.Now()
		sources := make([]media.Source, len(names))
		for i, n := range names {
			s, err := studio.Open(t.Context(), n, rate)
			if err != nil {
				t.Error(err)
				return
			}
			sources[i] = s
		}
		for n := range frames {
			in := make([][]int16, len(sources))
			for i, s := range sources {
				in[i] = make([]int16, rate/50)
				if m, err := s.Read(in[i]); m == 0 && err == nil {
					t.Error("a source that says nothing")
				}
			}
			var out [frame]int16
			mix(n, in, &out)
			e.packet(&out, time.Now())
			time.Sleep(media.FrameTime)
		}
		e.close(time.Now())
		list = e.after(start.Add(-1))
	})
	if err != nil {
		t.Error(err)
	}
	return list
}

// halve brings 16 kHz to 8.
func halve(in []int16, out *[frame]int16) {
	for i := range out {
		out[i] = int16((int(in[2*i]) + int(in[2*i+1])) / 2)
	}
}

func TestEar_NamesWhatItHears(t *testing.T) {
	copied := func(_ int, in [][]int16, out *[frame]int16) { copy(out[:], in[0]) }
	var past [][]int16
	for _, c := range []struct {
		name  string
		rate  int
		names []string
		mix   func(n int, in [][]int16, out *[frame]int16)
		want  []string
	}{
		{"as it is", 8000, []string{"a"}, copied, []string{"a"}},
		{"quieter", 8000, []string{"a"}, func(_ int, in [][]int16, out *[frame]int16) {
			for i := range out {
				out[i] = in[0][i] / 20
			}
		}, []string{"a"}},
		{"too quiet to be heard", 8000, []string{"a"}, func(_ int, in [][]int16, out *[frame]int16) {
			for i := range out {
				out[i] = in[0][i] / 500
			}
		}, nil},
		{"one of two that are played", 8000, []string{"b", "a", "c"}, func(_ int, in [][]int16, out *[frame]int16) { copy(out[:], in[1]) }, []string{"a"}},
		{"two at once", 8000, []string{"a", "b"}, func(_ int, in [][]int16, out *[frame]int16) {
			for i := range out {
				out[i] = in[0][i] + in[1][i]
			}
		}, []string{"a", "b"}},
		{"60 ms later", 8000, []string{"a"}, func(n int, in [][]int16, out *[frame]int16) {
			if past = append(past, in[0]); n >= 3 {
				copy(out[:], past[n-3])
			}
		}, []string{"a"}},
		{"at another rate", 16000, []string{"a"}, func(_ int, in [][]int16, out *[frame]int16) { halve(in[0], out) }, []string{"a"}},
		{"nothing", 8000, []string{"a"}, func(int, [][]int16, *[frame]int16) {}, nil},
		{"something else", 8000, []string{"a"}, func(n int, _ [][]int16, out *[frame]int16) {
			for i := range out {
				out[i] = int16(8000 * math.Sin(2*math.Pi*440*float64(n*frame+i)/earRate))
			}
		}, []string{""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			past = nil
			list := listen(t, c.rate, c.names, 100, c.mix)
			got := map[string]int{}
			for _, h := range list {
				got[h.name]++
			}
			for _, w := range c.want {
				if got[w] != 1 {
					t.Errorf("%q was heard %d times", w, got[w])
				}
				delete(got, w)
			}
			if len(got) > 0 {
				t.Errorf("heard too: %v", got)
			}
		})
	}
}

func TestEar_StrangeTone_IsNamedByItsFrequency(t *testing.T) {
	list := listen(t, 8000, []string{"a"}, 50, func(n int, _ [][]int16, out *[frame]int16) {
		for i := range out {
			out[i] = int16(8000 * math.Sin(2*math.Pi*440*float64(n*frame+i)/earRate))
		}
	})
	if len(list) != 1 || math.Abs(list[0].tone-440) > 20 {
		t.Errorf("%+v", list)
	}
}

func TestIsTone(t *testing.T) {
	make := func(level float64, tones ...float64) []int16 {
		var out [frame]int16
		for i := range out {
			for _, f := range tones {
				out[i] += int16(level * math.Sin(2*math.Pi*f*float64(i)/earRate))
			}
		}
		return out[:]
	}
	for _, c := range []struct {
		pcm   []int16
		tones []float64
		want  bool
	}{
		{make(8000, 440), []float64{440}, true},
		{make(8000, 440), []float64{600}, false},
		{make(8000, 440, 600), []float64{440}, false},
		{make(8000, 350, 440), []float64{350, 440}, true},
		{make(8000, 440), []float64{350, 440}, false},
		{make(10, 440), []float64{440}, false},
	} {
		if got := isTone(c.pcm, c.tones); got != c.want {
			t.Errorf("%v: %v", c.tones, got)
		}
	}
}

func TestSameSound(t *testing.T) {
	for _, c := range []struct {
		name, uri string
		want      bool
	}{
		{"ivr/x.wav", "ivr/x.wav", true}, {"x.wav", "ivr/x.wav", true}, {"ivr/x", "ivr/x.wav", true}, {"x.wav", "ivr/ax.wav", false},
		{"ivr/*", "ivr/x.wav", true}, {"x-*", "/tmp/rec/x-12.wav", true}, {"digits/2.wav", "digits/1.wav!digits/2.wav", true},
		{"tone_stream://%(1,2,3)", "tone_stream://%(1,2,3)", true}, {"tone_stream://*", "tone_stream://%(1,2,3)", true}, {"tone", "tone_stream://%(1,2,3)", false},
	} {
		if got := sameSound(c.name, c.uri); got != c.want {
			t.Errorf("sameSound(%q, %q) = %v", c.name, c.uri, got)
		}
	}
}
