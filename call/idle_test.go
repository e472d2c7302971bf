package call_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec/g711"
)

// farEnd puts a wire under the channel's port and returns what arrives at its far end
// from then on, decoded: packets and their level.
func farEnd(t *testing.T, ch *call.Channel) func() (packets int, rms float64) {
	t.Helper()
	var mu sync.Mutex
	var pcm []int16
	inner, far := media.Pipe()
	t.Cleanup(func() { _, _ = inner.Close(), far.Close() })
	far.Receive(func(k *media.Packet) {
		mu.Lock()
		defer mu.Unlock()
		frame := make([]int16, len(k.Payload))
		g711.ULaw.Expand(frame, k.Payload)
		pcm = append(pcm, frame...)
	})
	f, _ := ch.Port().Format()
	ch.Port().Attach(inner, f, media.DTMF{})
	return func() (int, float64) {
		mu.Lock()
		defer mu.Unlock()
		var sum float64
		for _, s := range pcm {
			sum += float64(s) * float64(s)
		}
		n := len(pcm)
		pcm = nil
		return n / 160, math.Sqrt(sum / max(float64(n), 1))
	}
}

func TestSendSilenceWhenIdle_IsHeardWhileTheCallWaits(t *testing.T) {
	for value, want := range map[string]struct{ low, high float64 }{"-1": {0, 10}, "100": {150, 230}, "": {}, "0": {}} {
		for _, waits := range []string{"sleep 60000", "park", "read 1 5 silence digits 60000"} {
			inBubble(t, func(t *testing.T, b *box) {
				ch := b.run("a", "answer", "set send_silence_when_idle="+value, "sleep 1", "sleep 100", waits, "echo")
				b.after(50 * time.Millisecond)
				heard := farEnd(t, ch)
				b.after(200 * time.Millisecond)
				heard()
				b.after(2 * time.Second)
				n, level := heard()
				switch wanted := value == "-1" || value == "100"; {
				case wanted && (n < 95 || n > 105 || level < want.low || level > want.high):
					t.Errorf("%q during %s: %d packets at %.0f", value, waits, n, level)
				case !wanted && n != 0:
					t.Errorf("%q during %s: %d packets", value, waits, n)
				}
				ch.Hangup(call.CauseNormalClearing)
				b.after(time.Second)
			})
		}
	}
}
