package codec_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
)

// sine fills pcm with a tone of peak amplitude, continuing from sample at.
func sine(pcm []int16, at, rate int, freq, peak float64) {
	for i := range pcm {
		pcm[i] = int16(math.Round(peak * math.Sin(2*math.Pi*freq*float64(at+i)/float64(rate))))
	}
}

// goertzel returns the peak amplitude of freq in pcm.
func goertzel(pcm []int16, rate int, freq float64) float64 {
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

// eachCodec runs f for every codec that can be heard, at every rate it works at.
func eachCodec(t *testing.T, f func(t *testing.T, c *media.Codec, rate int)) {
	for _, c := range codec.Table() {
		if c.NewDecoder == nil {
			continue
		}
		for _, rate := range c.Rates {
			t.Run(fmt.Sprintf("%s-%d-%dch/%d", c.Name, c.ClockRate, c.Channels, rate), func(t *testing.T) { f(t, c, rate) })
		}
	}
}

func pair(t *testing.T, f media.Format, rate int) (media.Encoder, media.Decoder) {
	t.Helper()
	enc, err := f.Codec.NewEncoder(f, rate)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := f.Codec.NewDecoder(f, rate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { enc.Close(); dec.Close() })
	return enc, dec
}

// run sends packets of what source gives through c and returns all that came out.
func run(t *testing.T, f media.Format, rate, packets int, source func(pcm []int16, at int), lost func(i int) bool) []int16 {
	t.Helper()
	enc, dec := pair(t, f, rate)
	n := rate * f.Ptime / 1000
	pcm, wire, heard := make([]int16, n), make([]byte, 16384), make([]int16, n)
	var out []int16
	for i := range packets {
		source(pcm, i*n)
		size, err := enc.Encode(pcm, wire)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		payload := wire[:size]
		if lost != nil && lost(i) {
			payload = nil
		}
		got, err := dec.Decode(payload, heard)
		if err != nil || got != n {
			t.Fatalf("packet %d: decoded %d samples, %v; want %d", i, got, err, n)
		}
		out = append(out, heard...)
	}
	return out
}

func TestCodecs_ToneKeepsFrequencyAndLevelAtEveryPacketTime(t *testing.T) {
	eachCodec(t, func(t *testing.T, c *media.Codec, rate int) {
		for _, ptime := range []int{10, 20, 30, 40, 60} {
			if c.Name == "opus" && ptime == 30 {
				continue // Opus has no frame of 30 ms
			}
			f := media.Format{Codec: c, Ptime: ptime}
			out := run(t, f, rate, 1000/ptime, func(p []int16, at int) { sine(p, at, rate, 1000, 8000) }, nil)
			tail := out[len(out)/2:]
			level := goertzel(tail, rate, 1000)
			tolerance := 1.0
			if c.Name == "opus" {
				tolerance = 2.5 // a speech coder at a low rate follows a lone tone less closely
			}
			if diff := 20 * math.Log10(level/8000); math.Abs(diff) > tolerance {
				t.Errorf("ptime %d: 1000 Hz came out %.1f dB off", ptime, diff)
			}
			for _, other := range []float64{500, 1500, 2000, 3000} {
				if g := goertzel(tail, rate, other); g > level/30 {
					t.Errorf("ptime %d: %v Hz at %.0f beside the tone at %.0f", ptime, other, g, level)
				}
			}
		}
	})
}

func TestCodecs_SilenceStaysSilent(t *testing.T) {
	eachCodec(t, func(t *testing.T, c *media.Codec, rate int) {
		out := run(t, media.Format{Codec: c, Ptime: 20}, rate, 50, func(p []int16, _ int) { clear(p) }, nil)
		if r := rms(out); r > 12 {
			t.Errorf("silence came out at %.1f rms", r)
		}
	})
}

func TestCodecs_ASinglePacketLossIsHardlyHeard(t *testing.T) {
	eachCodec(t, func(t *testing.T, c *media.Codec, rate int) {
		// A steady voice-like sound: a fundamental of 140 Hz and harmonics.
		voice := func(p []int16, at int) {
			for i := range p {
				var v float64
				for h := 1; h <= 8; h++ {
					v += math.Sin(2*math.Pi*140*float64(h*(at+i))/float64(rate)) / float64(h)
				}
				p[i] = int16(5000 * v)
			}
		}
		lost := func(i int) bool { return i == 40 }
		out := run(t, media.Format{Codec: c, Ptime: 20}, rate, 60, voice, lost)
		n := rate / 50
		before, gap, after := rms(out[35*n:40*n]), rms(out[40*n:41*n]), rms(out[45*n:50*n])
		if gap < before*0.35 || gap > before*1.5 {
			t.Errorf("the concealed packet has level %.0f, the sound before it %.0f", gap, before)
		}
		if after < before*0.8 || after > before*1.2 {
			t.Errorf("after the loss the level is %.0f, before it %.0f", after, before)
		}
	})
}

func TestCodecs_LongLossFadesToSilence(t *testing.T) {
	eachCodec(t, func(t *testing.T, c *media.Codec, rate int) {
		tone := func(p []int16, at int) { sine(p, at, rate, 400, 8000) }
		out := run(t, media.Format{Codec: c, Ptime: 20}, rate, 90, tone, func(i int) bool { return i >= 30 })
		if r := rms(out[len(out)-rate/50*5:]); r > 400 {
			t.Errorf("a second after the sound stopped its level is still %.0f rms", r)
		}
	})
}

func TestCodecs_GarbageNeverPanics(t *testing.T) {
	eachCodec(t, func(t *testing.T, c *media.Codec, rate int) {
		_, dec := pair(t, media.Format{Codec: c, Ptime: 20}, rate)
		random := rand.New(rand.NewPCG(1, 2))
		payload, pcm := make([]byte, 400), make([]int16, rate*120/1000)
		for range 500 {
			p := payload[:random.IntN(len(payload))]
			for i := range p {
				p[i] = byte(random.Uint32())
			}
			if n, err := dec.Decode(p, pcm); err == nil && n > len(pcm) {
				t.Fatalf("decoded %d samples into %d", n, len(pcm))
			}
		}
		if _, err := dec.Decode(nil, pcm[:rate/50]); err != nil {
			t.Errorf("concealment after garbage: %v", err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{0xFF, 0x7F, 1, 2, 3})
	f.Add([]byte{})
	table := codec.Table()
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, c := range table {
			if c.NewDecoder == nil {
				continue
			}
			dec, err := c.NewDecoder(media.Format{Codec: c, Ptime: 20}, c.Rate)
			if err != nil {
				t.Fatal(err)
			}
			pcm := make([]int16, c.Rate*120/1000)
			if n, err := dec.Decode(payload, pcm); err == nil && (n < 0 || n > len(pcm)) {
				t.Errorf("%s: decoded %d samples", c.Name, n)
			}
			dec.Close()
		}
	})
}

func TestCodecs_NoAllocationPerFrame(t *testing.T) {
	eachCodec(t, func(t *testing.T, c *media.Codec, rate int) {
		enc, dec := pair(t, media.Format{Codec: c, Ptime: 20}, rate)
		n := rate / 50
		pcm, wire, heard := make([]int16, n), make([]byte, 8192), make([]int16, n)
		at, size := 0, 0
		step := func() {
			sine(pcm, at, rate, 700, 9000)
			at += n
			size, _ = enc.Encode(pcm, wire)
			_, _ = dec.Decode(wire[:size], heard)
		}
		for range 20 {
			step()
		}
		if a := testing.AllocsPerRun(50, step); a != 0 {
			t.Errorf("%v allocations a frame", a)
		}
		if c.Name == "opus" {
			return // its concealment allocates a few small buffers
		}
		_, _ = dec.Decode(nil, heard)
		if a := testing.AllocsPerRun(20, func() { _, _ = dec.Decode(nil, heard) }); a != 0 {
			t.Errorf("%v allocations a concealed frame", a)
		}
	})
}

func TestCodecs_ShortBuffersAreErrors(t *testing.T) {
	eachCodec(t, func(t *testing.T, c *media.Codec, rate int) {
		enc, dec := pair(t, media.Format{Codec: c, Ptime: 20}, rate)
		pcm, wire := make([]int16, rate/50), make([]byte, 8192)
		sine(pcm, 0, rate, 700, 9000)
		n, err := enc.Encode(pcm, wire)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dec.Decode(wire[:n], pcm[:3]); err == nil {
			t.Error("decoding into three samples succeeded")
		}
		if c.Name != "opus" { // Opus fits its packet into what there is
			if _, err := enc.Encode(pcm, wire[:3]); err == nil {
				t.Error("encoding into three bytes succeeded")
			}
		}
	})
}

func TestCodecs_WrongRateIsAnError(t *testing.T) {
	for _, c := range codec.Table() {
		if c.NewDecoder == nil {
			continue
		}
		f := media.Format{Codec: c, Ptime: 20}
		if _, err := c.NewEncoder(f, 7000); err == nil {
			t.Errorf("%s: encoder at 7000 Hz", c.Name)
		}
		if _, err := c.NewDecoder(f, 7000); err == nil {
			t.Errorf("%s: decoder at 7000 Hz", c.Name)
		}
	}
}
