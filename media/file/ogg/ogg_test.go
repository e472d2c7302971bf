package ogg_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/switchlet/switchlet/media/codec/opus"
	"github.com/switchlet/switchlet/media/file"
	"github.com/switchlet/switchlet/media/file/ogg"
	"github.com/switchlet/switchlet/test/sound"
)

// steps is one second each of 300, 500, 700 … Hz.
func steps(rate, seconds int) []int16 {
	pcm := make([]int16, 0, rate*seconds)
	phase := 0.0
	for i := range rate * seconds {
		phase += 2 * math.Pi * stepHz(i/rate) / float64(rate)
		pcm = append(pcm, int16(8000*math.Sin(phase)))
	}
	return pcm
}

func stepHz(second int) float64 { return float64(300 + 200*(second%12)) }

type memory struct{ bytes.Buffer }

func (*memory) Close() error { return nil }

func encoded(t testing.TB, pcm []int16, rate, channels int) []byte {
	t.Helper()
	var m memory
	w, err := ogg.NewWriter(&m, "m.opus", rate, channels)
	if err != nil {
		t.Fatal(err)
	}
	for len(pcm) > 0 {
		n := min(len(pcm), 334*channels)
		if err := w.Write(pcm[:n]); err != nil {
			t.Fatal(err)
		}
		pcm = pcm[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return m.Bytes()
}

func opened(t testing.TB, b []byte, rate int) *ogg.Reader {
	t.Helper()
	r, err := ogg.NewReader(bytes.NewReader(b), "m.opus", rate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// rest reads up to the end.
func rest(t testing.TB, r *ogg.Reader) []int16 {
	t.Helper()
	var all []int16
	buf := make([]int16, 481)
	for {
		n, err := r.Read(buf)
		all = append(all, buf[:n]...)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// hears fails unless pcm is the tone of a step and no other's.
func hears(t testing.TB, pcm []int16, rate, second int) {
	t.Helper()
	pcm = pcm[:min(len(pcm), rate/4)]
	if db := sound.Power(pcm, rate, stepHz(second)); db < -14 || db > -11 {
		t.Errorf("second %d: %.0f Hz has %.1f dBFS, want -12", second, stepHz(second), db)
	}
	for other := range 12 {
		if db := sound.Power(pcm, rate, stepHz(other)); other != second%12 && db > -30 {
			t.Errorf("second %d: %.0f Hz has %.1f dBFS", second, stepHz(other), db)
		}
	}
}

func TestFile_OfEachRate_IsReadAtEachRate(t *testing.T) {
	for _, from := range opus.Rates() {
		b := encoded(t, steps(from, 3), from, 1)
		for _, to := range opus.Rates() {
			t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) {
				r := opened(t, b, to)
				pcm := rest(t, r)
				if len(pcm) != 3*to || r.Len() != int64(3*to) {
					t.Fatalf("%d samples, Len %d; want %d", len(pcm), r.Len(), 3*to)
				}
				for s := range 3 {
					hears(t, pcm[s*to+to/10:(s+1)*to-to/10], to, s)
				}
			})
		}
	}
}

func TestFile_OfARateThatOpusHasNot_IsReadAt48000(t *testing.T) {
	if got := opened(t, encoded(t, steps(8000, 1), 8000, 1), 11025).Rate(); got != 48000 {
		t.Errorf("Rate() = %d", got)
	}
	if _, err := ogg.NewWriter(&memory{}, "m.opus", 11025, 1); err == nil {
		t.Error("a file of 11025 Hz was begun")
	}
}

func TestFile_OfTwoChannels_IsMixedToOne(t *testing.T) {
	mono := steps(16000, 2)
	stereo := make([]int16, 0, 2*len(mono))
	for _, v := range mono {
		stereo = append(stereo, v, v)
	}
	r := opened(t, encoded(t, stereo, 16000, 2), 16000)
	if r.Channels() != 2 || r.Len() != 32000 {
		t.Fatalf("%d channels, %d samples", r.Channels(), r.Len())
	}
	hears(t, rest(t, r)[20000:30000], 16000, 1)
}

func TestSeek_GoesToTheSample(t *testing.T) {
	const rate, seconds = 16000, 15
	b := encoded(t, steps(rate, seconds), rate, 1)
	whole := rest(t, opened(t, b, rate))
	r := opened(t, b, rate)
	for _, at := range []int64{0, 1, 13*rate + 123, 7*rate - 1, 3 * rate, 14 * rate, 9*rate + 7777, 100} {
		if err := r.SeekTo(at); err != nil {
			t.Fatal(err)
		}
		if r.Position() != at {
			t.Fatalf("Position() = %d, want %d", r.Position(), at)
		}
		got := make([]int16, rate/2)
		if n, err := r.Read(got); n != len(got) || err != nil {
			t.Fatal(n, err)
		}
		// With 80 ms of lead a decoder is where it would have been.
		var wrong, power float64
		for i, v := range got {
			d := float64(v) - float64(whole[at+int64(i)])
			wrong += d * d
			power += float64(v) * float64(v)
		}
		if wrong > power/100 {
			t.Errorf("at %d: the sound differs by %.1f dB of itself", at, 10*math.Log10(wrong/power))
		}
	}
	if err := r.SeekTo(1 << 40); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]int16, 10)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %d, %v", n, err)
	}
}

func TestFile_ThatIsCutOff_IsPlayedUpToThere(t *testing.T) {
	const rate = 8000
	b := encoded(t, steps(rate, 10), rate, 1)
	r := opened(t, b[:len(b)*6/10], rate)
	if r.Len() < 4*rate || r.Len() > 7*rate {
		t.Fatalf("Len() = %d", r.Len())
	}
	pcm := rest(t, r)
	if int64(len(pcm)) != r.Len() {
		t.Errorf("%d samples of %d", len(pcm), r.Len())
	}
	hears(t, pcm[3*rate+800:4*rate-800], rate, 3)
}

func TestPage_ThatIsDamaged_IsPassedOverInItsTime(t *testing.T) {
	const rate = 16000
	b := encoded(t, steps(rate, 10), rate, 1)
	b[len(b)/2] ^= 0x55
	r := opened(t, b, rate)
	pcm := rest(t, r)
	if lost := 10*rate - len(pcm); lost < 0 || lost > rate+rate/10 {
		t.Fatalf("%d samples of %d", len(pcm), 10*rate)
	}
	hears(t, pcm[2*rate+1000:3*rate-1000], rate, 2)
	hears(t, pcm[len(pcm)-rate+1000:len(pcm)-1000], rate, 9)
}

func TestAppend_ContinuesTheStream(t *testing.T) {
	const rate = 16000
	path := filepath.Join(t.TempDir(), "r.opus")
	pcm := steps(rate, 6)
	for i := range 3 {
		w, err := ogg.Append(path, rate, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(pcm[i*2*rate : (i+1)*2*rate]); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := opened(t, b, rate)
	got := rest(t, r)
	if extra := len(got) - 6*rate; extra < 0 || extra > rate/10 {
		t.Fatalf("%d samples, want %d", len(got), 6*rate)
	}
	for s := range 6 {
		hears(t, got[s*rate+rate/5:(s+1)*rate-rate/5], rate, s)
	}
	if _, err := ogg.Append(path, rate, 2); err == nil {
		t.Error("two channels were appended to one")
	}
}

func TestEmptyFile_HasNoSamples(t *testing.T) {
	r := opened(t, encoded(t, nil, 8000, 1), 8000)
	if n, err := r.Read(make([]int16, 160)); n != 0 || !errors.Is(err, io.EOF) || r.Len() != 0 {
		t.Errorf("%d samples, %v, Len %d", n, err, r.Len())
	}
}

func TestFrame_ReadAndWritten_NeedsNoMemory(t *testing.T) {
	const rate = 16000
	pcm := steps(rate, 15)
	r := opened(t, encoded(t, pcm, rate, 1), rate)
	frame := make([]int16, rate/50)
	if _, err := r.Read(frame); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(200, func() { _, _ = r.Read(frame) }); n != 0 {
		t.Errorf("a frame read: %v allocations", n)
	}
	w, err := ogg.NewWriter(nowhere{}, "m.opus", rate, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if err := w.Write(pcm[i*320 : (i+1)*320]); err != nil {
			t.Fatal(err)
		}
	}
	i := 0
	if n := testing.AllocsPerRun(200, func() { i += 320; _ = w.Write(pcm[i : i+320]) }); n != 0 {
		t.Errorf("a frame written: %v allocations", n)
	}
}

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) Close() error                { return nil }

func FuzzReader(f *testing.F) {
	b := encoded(f, steps(8000, 1), 8000, 1)
	f.Add(b, int64(4000))
	f.Add(b[:len(b)/2], int64(-1))
	f.Add(encoded(f, steps(16000, 1), 16000, 2), int64(0))
	f.Fuzz(func(t *testing.T, b []byte, at int64) {
		r, err := ogg.NewReader(bytes.NewReader(b), "fuzz.opus", 8000)
		if err != nil {
			return
		}
		defer func() { _ = r.Close() }()
		buf := make([]int16, 160)
		for range 60 {
			if _, err := r.Read(buf); err != nil {
				break
			}
		}
		if err := r.SeekTo(at); err != nil {
			return
		}
		if p := r.Position(); p < 0 || p > r.Len() {
			t.Fatalf("position %d of %d", p, r.Len())
		}
		_, _ = r.Read(buf)
	})
}

func TestFile_IsKnownByItsExtensionAndItsFirstBytes(t *testing.T) {
	const rate = 16000
	for _, name := range []string{"a.opus", "a.ogg"} {
		path := filepath.Join(t.TempDir(), name)
		w, err := file.Create(path, rate, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(steps(rate, 2)), w.Close()); err != nil {
			t.Fatal(err)
		}
		wave := filepath.Join(t.TempDir(), "a.wav")
		if err := os.Rename(path, wave); err != nil {
			t.Fatal(err)
		}
		a, err := file.Open(wave, 8000)
		if err != nil {
			t.Fatal(err)
		}
		pcm := make([]int16, a.Len())
		if n, err := a.Read(pcm); n != 2*8000 || a.Rate() != 8000 || err != nil {
			t.Errorf("%s: %d samples at %d Hz, %v", name, n, a.Rate(), err)
		}
		hears(t, pcm[9000:15000], 8000, 1)
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}
