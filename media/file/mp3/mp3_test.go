package mp3_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"testing"

	"github.com/switchlet/switchlet/media/file/mp3"
)

// tone is two seconds of 440 Hz on the left and 1000 Hz on the right, made by LAME
// at 44100 Hz and 64 kbit/s, with a tag before it.
func tone(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/tone.mp3")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func level(pcm []int16, rate int, hz float64) float64 {
	w := 2 * math.Pi * hz / float64(rate)
	c := 2 * math.Cos(w)
	var a, b float64
	for _, v := range pcm {
		a, b = float64(v)+c*a-b, a
	}
	return 2 * math.Sqrt(a*a+b*b-c*a*b) / float64(len(pcm))
}

func read(t *testing.T, r *mp3.Reader, most int) (pcm []int16) {
	t.Helper()
	buf := make([]int16, 441)
	for len(pcm) < most {
		n, err := r.Read(buf)
		pcm = append(pcm, buf[:n]...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return pcm
}

func TestReader_HearsBothChannels(t *testing.T) {
	r, err := mp3.NewReader(bytes.NewReader(tone(t)), "tone.mp3")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	pcm := read(t, r, math.MaxInt)
	if r.Rate() != 44100 || len(pcm) < 2*44100 || len(pcm) > 2*44100+5000 || int64(len(pcm)) != r.Len() {
		t.Fatalf("%d samples at %d Hz, length %d", len(pcm), r.Rate(), r.Len())
	}
	for at := 8820; at < 2*44100-8820; at += 4410 {
		for _, hz := range []float64{440, 1000} {
			if l := level(pcm[at:at+4410], 44100, hz); l < 4500 || l > 5500 {
				t.Errorf("%.0f Hz has level %.0f at sample %d", hz, l, at)
			}
		}
	}
}

func TestReader_SeeksToTheSample(t *testing.T) {
	r, err := mp3.NewReader(bytes.NewReader(tone(t)), "tone.mp3")
	if err != nil {
		t.Fatal(err)
	}
	whole := read(t, r, math.MaxInt)
	for _, n := range []int64{0, 1, 1151, 1152, 40001, r.Len() - 100, r.Len(), r.Len() + 5, -3} {
		if err := r.SeekTo(n); err != nil {
			t.Fatal(n, err)
		}
		at := max(min(n, r.Len()), 0)
		if r.Position() != at {
			t.Errorf("position %d, want %d", r.Position(), at)
		}
		got := read(t, r, 3000)
		want := whole[at:min(int(at)+len(got), len(whole))]
		if len(got) != len(want) {
			t.Fatalf("%d samples from %d, want %d", len(got), n, len(want))
		}
		for i := range got {
			if d := int(got[i]) - int(want[i]); d < -1 || d > 1 {
				t.Fatalf("sample %d after a seek to %d is %d, want %d", i, n, got[i], want[i])
			}
		}
	}
}

func TestReader_DamageAndTruncationEndTheSound(t *testing.T) {
	b := tone(t)
	for _, bad := range [][]byte{nil, b[:3], b[:200], []byte("RIFFxxxxWAVE"), bytes.Repeat([]byte{0xFF}, 4000)} {
		r, err := mp3.NewReader(bytes.NewReader(bad), "bad.mp3")
		if err == nil {
			read(t, r, 1<<20)
		}
	}
	holed := bytes.Clone(b)
	for i := len(holed) / 2; i < len(holed)/2+700; i++ {
		holed[i] = 0x55
	}
	for _, c := range [][]byte{b[:len(b)/2], holed} {
		r, err := mp3.NewReader(bytes.NewReader(c), "cut.mp3")
		if err != nil {
			t.Fatal(err)
		}
		if n := len(read(t, r, 1<<20)); n < 30000 || n > 2*44100+5000 {
			t.Errorf("%d samples of half a file", n)
		}
	}
}

func FuzzReader(f *testing.F) {
	b := tone(f)
	f.Add(b[:3000])
	f.Add(b[len(b)-2000:])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := mp3.NewReader(bytes.NewReader(b), "x.mp3")
		if err != nil {
			return
		}
		pcm := make([]int16, 1000)
		for range 50 {
			if _, err := r.Read(pcm); err != nil {
				break
			}
		}
		if err := r.SeekTo(r.Len() / 2); err == nil {
			_, _ = r.Read(pcm)
		}
	})
}
