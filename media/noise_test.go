package media_test

import (
	"math"
	"testing"
	"time"

	"github.com/switchlet/switchlet/media"
)

func rms(pcm []int16) float64 {
	var sum float64
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(sum / float64(max(len(pcm), 1)))
}

// TestComfortNoise_OfAPausingFarEndIsHeardByTheOther says a tone, pauses with a CN
// packet at -40 dBov, and goes on.
func TestComfortNoise_OfAPausingFarEndIsHeardByTheOther(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a, b := newPhone(t, e, "a", format(t, e, "PCMU", 0), noDTMF), newPhone(t, e, "b", format(t, e, "PCMA", 8), noDTMF)
		defer a.close()
		defer b.close()
		if err := media.Join(a.port, b.port); err != nil {
			t.Fatal(err)
		}
		say := func() {
			for range 50 {
				_ = a.wire.Send(a.packet(440))
				time.Sleep(media.FrameTime)
			}
		}
		say()
		_ = a.wire.Send(&media.Packet{PayloadType: 13, Sequence: a.seq, Timestamp: a.ts, SSRC: a.ssrc, Payload: []byte{40}})
		a.seq++
		a.ts += 16000
		time.Sleep(500 * time.Millisecond)
		b.packets()
		time.Sleep(time.Second)
		pause := b.decode(b.packets())
		if want := 32767 * math.Pow(10, -40.0/20); len(pause) < 7800 || math.Abs(20*math.Log10(rms(pause)/want)) > 1 {
			t.Errorf("%d samples of noise at %.0f, want %.0f", len(pause), rms(pause), want)
		}
		say()
		wantTone(t, b.decode(b.packets())[1600:], 8000, 440)
	})
}

func TestComfortNoise_IsSentWhileThereIsNothingToSay(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a := newPhone(t, e, "a", format(t, e, "PCMU", 0), noDTMF)
		defer a.close()
		a.port.ComfortNoise(100)
		time.Sleep(time.Second)
		pcm := a.decode(a.packets())
		if l := rms(pcm); len(pcm) < 7500 || l < 150 || l > 230 {
			t.Errorf("%d samples at %.0f", len(pcm), l)
		}
		a.port.SilenceFill(true)
		time.Sleep(100 * time.Millisecond)
		a.packets()
		time.Sleep(time.Second)
		if l := rms(a.decode(a.packets())); l > 10 {
			t.Errorf("silence at %.0f", l)
		}
		a.port.SilenceFill(false)
		time.Sleep(100 * time.Millisecond)
		if n := e.Clock().Len(); n != 0 {
			t.Errorf("%d tickers are left", n)
		}
	})
}
