package opus

import (
	"bytes"
	"math"
	"testing"

	"github.com/switchlet/switchlet/media"
	"github.com/thesyncim/gopus"
)

func voice(pcm []int16, at, rate int) {
	for i := range pcm {
		x := float64(at+i) / float64(rate)
		var v float64
		for h := 1; h <= 10; h++ {
			v += math.Sin(2*math.Pi*150*float64(h)*x) / float64(h)
		}
		pcm[i] = int16(4000 * v * (1 + 0.5*math.Sin(2*math.Pi*4*x)))
	}
}

func energy(pcm []int16) (e float64) {
	for _, s := range pcm {
		e += float64(s) * float64(s)
	}
	return e
}

func TestParseParams(t *testing.T) {
	got := ParseParams("minptime=10;useinbandfec=1; maxplaybackrate=16000 ;stereo=0;usedtx=1;maxaveragebitrate=1;what=ever;x")
	want := Params{MinPtime: 10, InBandFEC: true, MaxPlaybackRate: 16000, DTX: true}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func FuzzParseParams(f *testing.F) {
	f.Add("useinbandfec=1; maxaveragebitrate=30000")
	f.Fuzz(func(t *testing.T, s string) {
		p := ParseParams(s)
		if p.MaxPlaybackRate < 0 || p.MaxPlaybackRate > 48000 || p.MaxAverageBitrate > 510000 {
			t.Errorf("%q gave %+v", s, p)
		}
	})
}

func packets(t *testing.T, p *Pool, f media.Format, rate, n int) [][]byte {
	t.Helper()
	enc, err := p.NewEncoder(f, rate)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	pcm, wire := make([]int16, rate/50), make([]byte, 1500)
	var out [][]byte
	for i := range n {
		voice(pcm, i*len(pcm), rate)
		size, err := enc.Encode(pcm, wire)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, bytes.Clone(wire[:size]))
	}
	return out
}

func TestPool_AReusedDecoderIsLikeANewOne(t *testing.T) {
	p := NewPool(Options{})
	wire := packets(t, p, media.Format{Ptime: 20}, 16000, 10)
	decode := func() []int16 {
		d, err := p.NewDecoder(media.Format{}, 8000)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		var out []int16
		pcm := make([]int16, 160)
		for _, w := range wire {
			n, err := d.Decode(w, pcm)
			if err != nil || n != 160 {
				t.Fatalf("%d, %v", n, err)
			}
			out = append(out, pcm...)
		}
		return out
	}
	a, b := decode(), decode()
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("sample %d differs after reuse: %d, %d", i, a[i], b[i])
		}
	}
}

func TestEncoder_ObeysThePeersBitrate(t *testing.T) {
	size := func(fmtp string) (n int) {
		for _, w := range packets(t, NewPool(Options{}), media.Format{Ptime: 20, Fmtp: fmtp}, 48000, 100) {
			n += len(w)
		}
		return n * 8 / 2 // 100 packets are two seconds
	}
	if rate := size("maxaveragebitrate=12000"); rate > 14500 {
		t.Errorf("12000 bit/s asked for, %d sent", rate)
	}
	if rate := size(""); rate < 20000 {
		t.Errorf("without a bound only %d bit/s", rate)
	}
}

func TestDecoder_MixesStereoToMono(t *testing.T) {
	enc, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: 48000, Channels: 2, Application: gopus.ApplicationAudio})
	if err != nil {
		t.Fatal(err)
	}
	if err := enc.SetBitrate(96000); err != nil {
		t.Fatal(err)
	}
	dec, err := NewPool(Options{}).NewDecoder(media.Format{}, 16000)
	if err != nil {
		t.Fatal(err)
	}
	stereo, wire, mono := make([]int16, 960*2), make([]byte, 1500), make([]int16, 320)
	var level float64
	for f := range 30 {
		for i := range 960 { // the left channel alone has a tone
			stereo[2*i] = int16(10000 * math.Sin(2*math.Pi*500*float64(f*960+i)/48000))
		}
		n, err := enc.EncodeInt16(stereo, wire)
		if err != nil {
			t.Fatal(err)
		}
		got, err := dec.Decode(wire[:n], mono)
		if err != nil || got != 320 {
			t.Fatalf("%d, %v", got, err)
		}
		level = math.Sqrt(energy(mono)/320) * math.Sqrt2
	}
	if level < 4000 || level > 6000 {
		t.Errorf("mono has amplitude %.0f, want about half of 10000", level)
	}
}

func TestDecoder_RecoversALostPacketFromTheNext(t *testing.T) {
	p := NewPool(Options{Bitrate: 24000, PacketLoss: 20})
	wire := packets(t, p, media.Format{Ptime: 20, Fmtp: "useinbandfec=1"}, 16000, 60)
	d, err := p.NewDecoder(media.Format{}, 16000)
	if err != nil {
		t.Fatal(err)
	}
	dec := d.(*Decoder)
	defer dec.Close()
	pcm, good := make([]int16, 320), 0.0
	recovered := 0
	for i := 0; i < len(wire)-1; i++ {
		if i > 20 && i%10 == 0 {
			n, err := dec.Recover(wire[i+1], pcm)
			if err != nil {
				t.Fatal(err)
			}
			if n == 320 {
				recovered++
				if e := energy(pcm); e < good*0.2 || e > good*5 {
					t.Errorf("packet %d recovered with energy %.2g after %.2g", i, e, good)
				}
			} else if _, err := dec.Decode(nil, pcm); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if _, err := dec.Decode(wire[i], pcm); err != nil {
			t.Fatal(err)
		}
		good = energy(pcm)
	}
	if recovered == 0 {
		t.Error("no packet carried FEC")
	}
	if n, err := dec.Recover(nil, pcm); n != 0 || err != nil {
		t.Errorf("without a packet: %d, %v", n, err)
	}
}

func TestEncoder_DTXSendsNothingInSilence(t *testing.T) {
	enc, err := NewPool(Options{}).NewEncoder(media.Format{Ptime: 20, Fmtp: "usedtx=1"}, 16000)
	if err != nil {
		t.Fatal(err)
	}
	pcm, wire, quiet := make([]int16, 320), make([]byte, 1500), 0
	for range 100 {
		n, err := enc.Encode(pcm, wire)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			quiet++
		}
	}
	if quiet < 60 {
		t.Errorf("only %d of 100 silent packets were held back", quiet)
	}
}

func TestEncoder_RejectsAPacketTimeThatOpusLacks(t *testing.T) {
	if _, err := NewPool(Options{}).NewEncoder(media.Format{Ptime: 30}, 16000); err == nil {
		t.Error("30 ms accepted")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{0x08, 1, 2, 3})
	f.Add([]byte{0xFF, 0xFF})
	p := NewPool(Options{})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := p.NewDecoder(media.Format{}, 16000)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		var pcm [16000 * 120 / 1000]int16
		if n, err := d.Decode(b, pcm[:]); err == nil && n > len(pcm) {
			t.Errorf("decoded %d samples", n)
		}
		if _, err := d.(*Decoder).Recover(b, pcm[:320]); err != nil {
			return
		}
	})
}

// TestSilent_IsSaidOfSilenceOnly encodes silence, noise of all levels and tones in
// every kind of packet: what is called silent is silent.
func TestSilent_IsSaidOfSilenceOnly(t *testing.T) {
	seed := uint32(1)
	for _, application := range []gopus.Application{gopus.ApplicationAudio, gopus.ApplicationLowDelay} {
		enc, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: 48000, Channels: 1, Application: application})
		if err != nil {
			t.Fatal(err)
		}
		dec, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(48000, 1))
		if err != nil {
			t.Fatal(err)
		}
		pcm, wire := make([]int16, 960), make([]byte, 1500)
		said := 0
		for frame := range 800 {
			loud := int32(0)
			if frame/50%2 == 1 {
				loud = 1 << (frame / 50)
			}
			for i := range pcm {
				seed = seed*1664525 + 1013904223
				pcm[i] = int16(int32(seed) >> 16 * loud >> 15)
			}
			n, err := enc.EncodeInt16(pcm, wire)
			if err != nil {
				t.Fatal(err)
			}
			silent := Silent(wire[:n])
			if _, err := dec.DecodeInt16(wire[:n], pcm); err != nil {
				t.Fatal(err)
			}
			if !silent {
				continue
			}
			said++
			if frame%50 > 2 && energy(pcm) > 960 {
				t.Fatalf("frame %d says it is silent and sounds at %.0f", frame, energy(pcm))
			}
			if loud > 64 {
				t.Fatalf("frame %d of noise %d says it is silent: % x", frame, loud, wire[:min(n, 4)])
			}
		}
		if application == gopus.ApplicationLowDelay && said < 200 {
			t.Errorf("of 400 silent frames %d say so", said)
		}
	}
	for _, p := range [][]byte{nil, {0xFB, 0xFF, 0xFF}, {0x78, 0xFF, 0xFF}, {0xF8, 0xFF, 0xFD}} {
		if Silent(p) {
			t.Errorf("% x says that it is silent", p)
		}
	}
}
