package resample

import (
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
)

var rates = []int{8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}

func tone(n, rate int, freq float64) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(math.Round(16000 * math.Sin(2*math.Pi*freq*float64(i)/float64(rate))))
	}
	return pcm
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

func rms(pcm []int16) float64 {
	var sum float64
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(sum / float64(len(pcm)))
}

func convert(t *testing.T, in, out int, pcm []int16) []int16 {
	t.Helper()
	r, err := New(in, out)
	if err != nil {
		t.Fatal(err)
	}
	var all []int16
	buf := make([]int16, r.OutputLen(in/50))
	for len(pcm) > 0 {
		n := min(in/50, len(pcm))
		all = append(all, buf[:r.Process(buf, pcm[:n])]...)
		pcm = pcm[n:]
	}
	return all
}

func TestProcess_KeepsTonesBetweenAllRates(t *testing.T) {
	for _, in := range rates {
		for _, out := range rates {
			t.Run(fmt.Sprintf("%d-%d", in, out), func(t *testing.T) {
				got := convert(t, in, out, tone(in, in, 1000))
				if want := out; got == nil || len(got) < want-out/200 || len(got) > want {
					t.Fatalf("one second became %d samples", len(got))
				}
				body := got[out/10:]
				if db := 20 * math.Log10(level(body, out, 1000)/16000); math.Abs(db) > 0.1 {
					t.Errorf("1000 Hz came out %.2f dB off", db)
				}
				high := 0.4 * float64(min(in, out))
				got = convert(t, in, out, tone(in, in, high))
				if db := 20 * math.Log10(level(got[out/10:], out, high)/16000); math.Abs(db) > 0.5 {
					t.Errorf("%.0f Hz came out %.2f dB off", high, db)
				}
			})
		}
	}
}

func TestProcess_AliasesAreSixtyDecibelsDown(t *testing.T) {
	for _, in := range rates {
		for _, out := range rates {
			if out >= in {
				continue
			}
			for _, f := range []float64{0.5, 0.55, 0.7, 0.9} {
				freq := f * float64(out)
				if freq >= float64(in)*0.49 {
					continue
				}
				got := convert(t, in, out, tone(in/2, in, freq))
				if db := 20 * math.Log10(rms(got[out/10:len(got)-out/50])*math.Sqrt2/16000); db > -60 {
					t.Errorf("%d to %d: %.0f Hz leaks at %.1f dB", in, out, freq, db)
				}
			}
		}
	}
}

func TestProcess_ImagesAreSixtyDecibelsDown(t *testing.T) {
	got := convert(t, 8000, 48000, tone(8000, 8000, 3000))[4800:]
	for _, image := range []float64{5000, 11000, 13000, 19000, 21000} {
		if db := 20 * math.Log10(level(got, 48000, image)/16000); db > -60 {
			t.Errorf("image at %.0f Hz: %.1f dB", image, db)
		}
	}
}

func TestProcess_PiecesOfAnySizeGiveTheSame(t *testing.T) {
	pcm := tone(16000, 16000, 440)
	whole, _ := New(16000, 44100)
	want := make([]int16, whole.OutputLen(len(pcm)))
	want = want[:whole.Process(want, pcm)]
	parts, _ := New(16000, 44100)
	var got []int16
	buf := make([]int16, 4096)
	for i, n := 0, 1; i < len(pcm); i, n = i+n, n%37+1 {
		n = min(n, len(pcm)-i)
		got = append(got, buf[:parts.Process(buf, pcm[i:i+n])]...)
	}
	if len(got) != len(want) {
		t.Fatalf("%d and %d samples", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("sample %d: %d and %d", i, got[i], want[i])
		}
	}
}

func TestProcess_AFrameStaysAFrame(t *testing.T) {
	for _, in := range rates {
		for _, out := range rates {
			if in%50 != 0 || out%50 != 0 {
				continue
			}
			r, _ := New(in, out)
			buf := make([]int16, r.OutputLen(in/50))
			for i := range 20 {
				if n := r.Process(buf, make([]int16, in/50)); n != out/50 {
					t.Errorf("%d to %d: frame %d has %d samples", in, out, i, n)
					break
				}
			}
		}
	}
}

func TestProcess_DoesNotAllocate(t *testing.T) {
	r, _ := New(8000, 48000)
	in, out := tone(160, 8000, 500), make([]int16, 1000)
	if a := testing.AllocsPerRun(50, func() { r.Process(out, in) }); a != 0 {
		t.Errorf("%v allocations a frame", a)
	}
}

func TestNew_RejectsImpossibleRates(t *testing.T) {
	for _, c := range [][2]int{{0, 8000}, {8000, 0}, {-1, 8000}, {8000, 1 << 30}} {
		if _, err := New(c[0], c[1]); err == nil {
			t.Errorf("%d to %d accepted", c[0], c[1])
		}
	}
}

type memory struct {
	pcm  []int16
	at   int
	rate int
}

func (m *memory) Rate() int    { return m.rate }
func (m *memory) Close() error { return nil }
func (m *memory) Read(p []int16) (int, error) {
	if m.at >= len(m.pcm) {
		return 0, io.EOF
	}
	n := copy(p, m.pcm[m.at:])
	m.at += n
	return n, nil
}
func (m *memory) SeekTo(n int64) error { m.at = int(n); return nil }
func (m *memory) Position() int64      { return int64(m.at) }

func TestNewSource_GivesAllSoundAndThenEnds(t *testing.T) {
	s, err := NewSource(&memory{pcm: tone(8000, 8000, 440), rate: 8000}, 16000)
	if err != nil {
		t.Fatal(err)
	}
	var total int
	buf := make([]int16, 320)
	for {
		n, err := s.Read(buf)
		total += n
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || n == 0 {
			t.Fatalf("%d, %v", n, err)
		}
	}
	if total < 16000 || total > 16100 {
		t.Errorf("%d samples, want a little more than 16000", total)
	}
}

// Whatever is asked for at a time, every sample comes: a source is read in frames of
// its reader, which are seldom whole samples of its own.
func TestNewSource_ReadsOfAnySizeGiveTheSame(t *testing.T) {
	for _, in := range rates {
		pcm := tone(in, in, 1000)
		for _, out := range rates {
			if in == out {
				continue
			}
			whole := convert(t, in, out, pcm)
			for _, size := range []int{1, 7, out / 100, out / 50, out/50 - 1, out * 3 / 100, out / 10} {
				s, err := NewSource(&memory{pcm: pcm, rate: in}, out)
				if err != nil {
					t.Fatal(err)
				}
				got, buf := make([]int16, 0, out), make([]int16, size)
				for len(got) < out-out/50 {
					n, err := s.Read(buf)
					if err != nil || n == 0 {
						t.Fatalf("%d to %d by %d: %d, %v after %d", in, out, size, n, err, len(got))
					}
					got = append(got, buf[:n]...)
				}
				for i, v := range got {
					if i < len(whole) && v != whole[i] {
						t.Errorf("%d to %d by %d: sample %d is %d, want %d", in, out, size, i, v, whole[i])
						break
					}
				}
			}
		}
	}
}

func TestNewSource_Seeks(t *testing.T) {
	s, _ := NewSource(&memory{pcm: tone(8000, 8000, 440), rate: 8000}, 16000)
	k := s.(interface {
		SeekTo(int64) error
		Position() int64
	})
	if err := k.SeekTo(8000); err != nil || k.Position() != 8000 {
		t.Errorf("position %d, %v", k.Position(), err)
	}
}

// BenchmarkProcess changes the rate of noise, a frame at a time: the signs of a tone
// can be foretold, those of sound cannot.
func BenchmarkProcess(b *testing.B) {
	for _, rates := range [][2]int{{8000, 16000}, {16000, 8000}, {8000, 48000}, {48000, 16000}} {
		b.Run(fmt.Sprintf("%d to %d", rates[0], rates[1]), func(b *testing.B) {
			r, _ := New(rates[0], rates[1])
			in, out := make([]int16, rates[0]/50), make([]int16, 1000)
			seed := uint32(3)
			b.ReportAllocs()
			for b.Loop() {
				for i := range in {
					seed = seed*1664525 + 1013904223
					in[i] = int16(seed>>16) / 8
				}
				r.Process(out, in)
			}
		})
	}
}

func TestToInt16_RoundsHalvesAwayFromZeroAndStaysInside(t *testing.T) {
	for v, want := range map[float32]int16{
		0: 0, 0.49: 0, -0.49: 0, 0.5: 1, -0.5: -1, 2.5: 3, -2.5: -3, 1000.4: 1000, -1000.6: -1001,
		32766.4: 32766, 32767.4: 32767, 32767.5: 32767, 90000: 32767, -32768.4: -32768, -32768.5: -32768, -90000: -32768,
	} {
		if got := toInt16(v); got != want {
			t.Errorf("%v became %d, want %d", v, got, want)
		}
	}
}

// TestDot_IsWhatGoComputes compares the processor's own way with the plain one.
func TestDot_IsWhatGoComputes(t *testing.T) {
	var a, b [64]float32
	for i := range a {
		a[i], b[i] = float32(i*i%37)-18.5, float32(i*7%23)-11
	}
	for n := 0; n <= 60; n += 4 {
		for off := range 4 {
			x, y := a[:n], b[off:off+n]
			if got, want := dot(&a[0], &b[off], n), dotGo(x, y); math.Abs(float64(got-want)) > 1e-2 {
				t.Errorf("%d samples from %d: %v, want %v", n, off, got, want)
			}
		}
	}
}
