package dtmf

import (
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
)

func TestParse(t *testing.T) {
	text := func(steps []Step) string {
		var b strings.Builder
		for _, s := range steps {
			if s.Pause > 0 {
				b.WriteString(s.Pause.String() + " ")
				continue
			}
			b.WriteString(string(s.Digit.Char) + "/" + time.Duration(s.Digit.Duration*125000).String() + " ")
		}
		return strings.TrimSpace(b.String())
	}
	for in, want := range map[string]string{
		"12#":        "1/250ms 2/250ms #/250ms",
		"1w2W*":      "1/250ms 500ms 2/250ms 1s */250ms",
		"12@100+a@":  "error",
		"12@100+a":   "1/100ms 2/100ms A/250ms",
		"5@1":        "5/50ms",
		"5@99999999": "5/24s",
		"f@0":        "F/250ms",
		"1x":         "error", "": "error", "@100": "error", "1@-5": "error",
	} {
		steps, err := Parse(in)
		if got := text(steps); (err == nil && got != want) || (err != nil) != (want == "error") {
			t.Errorf("%q: %s, %v; want %s", in, got, err, want)
		}
	}
	if _, err := Parse("12x"); err == nil || err.Error() != "dtmf: 'x' at byte 2: expected 0-9, A-D, *, #, F, w or W" {
		t.Errorf("got %v", err)
	}
	if _, err := Parse(strings.Repeat("1", MaxSteps+1)); err == nil {
		t.Error("too many digits accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("12@100+w#")
	f.Fuzz(func(t *testing.T, s string) {
		steps, err := Parse(s)
		if err == nil && (len(steps) == 0 || len(steps) > MaxSteps) {
			t.Errorf("%d steps", len(steps))
		}
		for _, st := range steps {
			if st.Pause == 0 && (!Valid(st.Digit.Char) || st.Digit.Duration < MinDuration || st.Digit.Duration > MaxDuration) {
				t.Errorf("%q gave %+v", s, st)
			}
		}
	})
}

// generate returns the sound of a string of digits.
func generate(t *testing.T, s string, rate int) []int16 {
	t.Helper()
	steps, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGenerator(rate)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Add(steps...); err != nil {
		t.Fatal(err)
	}
	var all []int16
	buf := make([]int16, rate/50)
	for {
		n, err := g.Read(buf)
		all = append(all, buf[:n]...)
		if errors.Is(err, io.EOF) {
			return append(all, make([]int16, rate/10)...)
		}
	}
}

// detect returns the digits in pcm, fed in frames of 20 ms.
func detect(t *testing.T, pcm []int16, rate int) []media.Digit {
	t.Helper()
	d, err := NewDetector(rate)
	if err != nil {
		t.Fatal(err)
	}
	var digits []media.Digit
	for len(pcm) > 0 {
		n := min(rate/50, len(pcm))
		digits = d.Detect(pcm[:n], digits)
		pcm = pcm[n:]
	}
	return digits
}

func word(digits []media.Digit) string {
	var b strings.Builder
	for _, d := range digits {
		b.WriteByte(d.Char)
	}
	return b.String()
}

const everyDigit = "0123456789*#ABCD"

func TestDetector_HearsEveryDigitAtEveryRate(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		for _, ms := range []string{"50", "100", "250"} {
			digits := detect(t, generate(t, everyDigit+"1122@"+ms, rate), rate)
			if got := word(digits); got != everyDigit+"1122" {
				t.Errorf("%d Hz, %s ms: heard %s", rate, ms, got)
			}
			for _, d := range digits {
				if want := map[string]int{"50": 400, "100": 800, "250": 2000}[ms]; d.Duration < want-250 || d.Duration > want+110 {
					t.Errorf("%d Hz, %s ms: %c lasted %d", rate, ms, d.Char, d.Duration)
				}
				if d.Source != media.DigitInband {
					t.Errorf("source %v", d.Source)
				}
			}
		}
	}
}

// dual makes one digit with levels, and frequencies that are off by a fraction.
func dual(digit byte, ms int, low, high, off float64) []int16 {
	fl, fh, _ := Frequencies(digit)
	pcm := make([]int16, 8*(ms+80))
	for i := range 8 * ms {
		x := 2 * math.Pi * float64(i) / 8000
		pcm[i+320] = int16(low*math.Sin(x*fl*(1+off)) + high*math.Sin(x*fh*(1+off)))
	}
	return pcm
}

func TestDetector_LevelsTwistAndTolerance(t *testing.T) {
	for _, c := range []struct {
		name           string
		low, high, off float64
		heard          bool
	}{
		{"strong", 12000, 12000, 0, true},
		{"weak", 400, 400, 0, true},
		{"inaudible", 60, 60, 0, false},
		{"high 6 dB over low", 3000, 6000, 0, true},
		{"low 4 dB over high", 5000, 3200, 0, true},
		{"high 14 dB over low", 2000, 10000, 0, false},
		{"low 12 dB over high", 10000, 2500, 0, false},
		{"1.5 % off", 6000, 6000, 0.015, true},
		{"1.5 % below", 6000, 6000, -0.015, true},
		{"4 % off", 6000, 6000, 0.045, false},
		{"one frequency only", 12000, 0, 0, false},
	} {
		for _, digit := range []byte("159D#") {
			if got := word(detect(t, dual(digit, 80, c.low, c.high, c.off), 8000)); (got == string(digit)) != c.heard {
				t.Errorf("%s: %c was heard as %q", c.name, digit, got)
			}
		}
	}
}

func TestDetector_HearsThroughNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	pcm := generate(t, everyDigit+"@100", 8000)
	for i := range pcm {
		pcm[i] += int16(random.NormFloat64() * 700)
	}
	if got := word(detect(t, pcm, 8000)); got != everyDigit {
		t.Errorf("heard %s", got)
	}
}

func TestDetector_HearsThroughCodecs(t *testing.T) {
	for _, name := range []string{"PCMU", "PCMA", "G722", "opus"} {
		c := codec.Find(codec.Table(), name, 0, 0)
		rate := c.Rates[0]
		f := media.Format{Codec: c, Ptime: 20}
		enc, err := c.NewEncoder(f, rate)
		if err != nil {
			t.Fatal(err)
		}
		dec, err := c.NewDecoder(f, rate)
		if err != nil {
			t.Fatal(err)
		}
		pcm := generate(t, everyDigit+"@120", rate)
		wire := make([]byte, 4000)
		var out []int16
		frame := make([]int16, rate/50)
		for i := 0; i+len(frame) <= len(pcm); i += len(frame) {
			n, err := enc.Encode(pcm[i:i+len(frame)], wire)
			if err != nil {
				t.Fatal(err)
			}
			m, err := dec.Decode(wire[:n], frame)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, frame[:m]...)
		}
		if got := word(detect(t, out, rate)); got != everyDigit {
			t.Errorf("%s: heard %s", name, got)
		}
	}
}

// speech is a voice-like sound: pulses of a changing pitch through moving formants.
func speech(seconds int, seed uint64) []int16 {
	random := rand.New(rand.NewPCG(seed, 1))
	pcm := make([]int16, seconds*8000)
	pitch, phase := 120.0, 0.0
	f := [3]float64{600, 1300, 2500}
	for i := range pcm {
		if i%400 == 0 {
			pitch = 90 + random.Float64()*160
			f = [3]float64{300 + random.Float64()*600, 900 + random.Float64()*1300, 2200 + random.Float64()*900}
		}
		phase += pitch / 8000
		var v float64
		for h := 1; float64(h)*pitch < 3600; h++ {
			hz := float64(h) * pitch
			var gain float64
			for k, formant := range f {
				d := (hz - formant) / 90
				gain += 1 / (1 + d*d) / float64(k+1)
			}
			v += gain * math.Sin(2*math.Pi*phase*float64(h))
		}
		pcm[i] = int16(5000 * v)
	}
	return pcm
}

// The voice never rests and holds each sound for 50 ms, which is harder than speech:
// one mistake in three minutes is what good receivers make on talk-off tapes.
func TestDetector_SpeechIsHardlyEverADigit(t *testing.T) {
	heard := 0
	for seed := range uint64(10) {
		heard += len(detect(t, speech(20, seed), 8000))
	}
	if heard > 1 {
		t.Errorf("%d digits in 200 s of speech", heard)
	}
}

func TestDetector_ShortTonesAreNoDigits(t *testing.T) {
	for _, digit := range []byte("159D") {
		if got := detect(t, dual(digit, 18, 6000, 6000, 0), 8000); len(got) != 0 {
			t.Errorf("18 ms of %c were heard as %s", digit, word(got))
		}
	}
}

func TestGenerator_LevelsFrequenciesAndPauses(t *testing.T) {
	pcm := generate(t, "5w5", 8000)
	if want := 8 * (250 + 40 + 500 + 250 + 40 + 100); len(pcm) != want {
		t.Errorf("%d samples, want %d", len(pcm), want)
	}
	var sum float64
	for _, s := range pcm[400:1600] {
		sum += float64(s) * float64(s)
	}
	rms := math.Sqrt(sum / 1200)
	want := math.Sqrt((math.Pow(peak(lowLevel), 2) + math.Pow(peak(highLevel), 2)) / 2)
	if math.Abs(rms-want) > want/50 {
		t.Errorf("rms %.0f, want %.0f", rms, want)
	}
}

func TestGenerator_QueueIsBounded(t *testing.T) {
	g, _ := NewGenerator(8000)
	for range queueLimit {
		if err := g.Add(Step{Pause: ShortPause}); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Add(Step{Pause: ShortPause}); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
}

func TestFrames_DoNotAllocate(t *testing.T) {
	g, _ := NewGenerator(8000)
	d, _ := NewDetector(8000)
	steps, _ := Parse(strings.Repeat("1", 200))
	_ = g.Add(steps...)
	buf, digits := make([]int16, 160), make([]media.Digit, 0, 16)
	if a := testing.AllocsPerRun(500, func() {
		_, _ = g.Read(buf)
		digits = d.Detect(buf, digits[:0])
	}); a != 0 {
		t.Errorf("%v allocations a frame", a)
	}
}
