package tone

import (
	"errors"
	"io"
	"math"
	"testing"
)

func read(t *testing.T, spec string, rate, limit int) []int16 {
	t.Helper()
	p, err := Parse(spec)
	if err != nil {
		t.Fatalf("%q: %v", spec, err)
	}
	s, err := p.Source(rate)
	if err != nil {
		t.Fatal(err)
	}
	var all []int16
	buf := make([]int16, rate/50)
	for len(all) < limit {
		n, err := s.Read(buf)
		all = append(all, buf[:n]...)
		if errors.Is(err, io.EOF) {
			break
		}
	}
	return all
}

func level(pcm []int16, rate int, freq float64) float64 {
	var re, im float64
	for i, s := range pcm {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(pcm)))
		a := 2 * math.Pi * freq * float64(i) / float64(rate)
		re += w * float64(s) * math.Cos(a)
		im += w * float64(s) * math.Sin(a)
	}
	return 4 * math.Hypot(re, im) / float64(len(pcm))
}

func TestSource_DurationsAndFrequencies(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		pcm := read(t, "%(400,200,400,450)", rate, 1<<20)
		if len(pcm) != rate*600/1000 {
			t.Fatalf("%d samples at %d Hz", len(pcm), rate)
		}
		// -7 dBm0 is a peak of 10187, shared by two frequencies.
		for _, f := range []float64{400, 450} {
			if l := level(pcm[:rate*4/10], rate, f); math.Abs(l-5093) > 150 {
				t.Errorf("%d Hz: %v Hz has peak %.0f", rate, f, l)
			}
		}
		for _, s := range pcm[rate*4/10:] {
			if s != 0 {
				t.Fatal("the pause is not silent")
			}
		}
	}
}

func TestSource_Lengths(t *testing.T) {
	for _, c := range []struct {
		spec string
		ms   int
	}{
		{"%(100,50,440)", 150},
		{"%(100,50,440);loops=3", 450},
		{"%(100,50,440);LOOPS=0", 150},
		{"L=2;%(100,0,440)", 200},
		{"l=3;%(100,0,440);%(100,0,440)", 400},
		{"d=100;w=20;123", 360},
		{"d=100;w=20;1(50,50)2", 220},
		{"1 2\r\n3x", 3*312 + 1},
		{"r=16000;c=2;%(100,0,440)", 100},
		{"v=-7;%(100,0,941.0,1477.0);v=-7;>=2;+=.1;%(1400,0,350,440)", 1500},
		{"%(274,0,913.8);%(274,0,1370.6);%(380,0,1776.7)", 928},
		{"%(100,0,-1);%(100,0,440)", 100},
		{"L=2000000000;l=2000000000;%(0,0,440)", 0},
	} {
		if got := len(read(t, c.spec, 8000, 1<<20)); got/8 != c.ms && got/8 != c.ms-1 {
			t.Errorf("%q lasts %d ms, want %d", c.spec, got/8, c.ms)
		}
	}
}

func TestSource_LoopsForEver(t *testing.T) {
	for _, spec := range []string{"%(100,50,440);loops=-1", "l=-1;%(100,50,440)"} {
		if n := len(read(t, spec, 8000, 80000)); n < 80000 {
			t.Errorf("%q ended after %d samples", spec, n)
		}
	}
}

func TestSource_VolumeFalls(t *testing.T) {
	pcm := read(t, "v=-10;>=10;+=1;%(400,0,1000)", 8000, 1<<20)
	first, last := level(pcm[:80], 8000, 1000), level(pcm[2800:2880], 8000, 1000)
	if db := 20 * math.Log10(last/first); math.Abs(db+35) > 1.5 {
		t.Errorf("after 350 ms the level is %.1f dB lower, want about 35", -db)
	}
}

func TestSource_DigitsAreThoseOfQ23(t *testing.T) {
	pcm := read(t, "7(100,0)", 8000, 1<<20)
	if l := level(pcm, 8000, 852); l < 4000 {
		t.Errorf("852 Hz at %.0f", l)
	}
}

func TestParse_NamesTheByteOfAnError(t *testing.T) {
	p, err := Parse("%(100,0,440);%(100,200)")
	if err == nil || p == nil {
		t.Fatalf("%v, %v", p, err)
	}
	if want := "tone: byte 13: %(100,200): expected %(on ms,off ms,frequency…)"; err.Error() != want {
		t.Errorf("got %q", err)
	}
	if _, err := Parse("v=-3;"); !errors.Is(err, ErrEmpty) {
		t.Errorf("got %v", err)
	}
}

func TestParseLines_PlaysLineAfterLine(t *testing.T) {
	p, err := ParseLines("d=100;w=0\n1\nL=2;2\n")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := p.Source(8000)
	buf := make([]int16, 8000)
	if n, _ := s.Read(buf); n != 2400 {
		t.Errorf("%d samples", n)
	}
}

func TestSource_DoesNotAllocate(t *testing.T) {
	p, _ := Parse("%(2000,4000,440,480);loops=-1")
	s, _ := p.Source(8000)
	buf := make([]int16, 160)
	if a := testing.AllocsPerRun(500, func() { _, _ = s.Read(buf) }); a != 0 {
		t.Errorf("%v allocations a frame", a)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"%(2000,4000,440,480)", "v=-7;>=2;+=.1;%(1400,0,350,440);loops=-1", "l=3;L=2;12#(1,2)", "%(", "%(1,2,3", "\xea;loops="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		p, err := Parse(spec)
		if p == nil {
			if err == nil {
				t.Error("neither program nor error")
			}
			return
		}
		s, err := p.Source(8000)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]int16, 160)
		for range 50 {
			if _, err := s.Read(buf); err != nil {
				break
			}
		}
	})
}
